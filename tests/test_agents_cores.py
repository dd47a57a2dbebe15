"""The recurrent cores: against PyTorch's own, and their initial weights."""

import numpy as np
import pytest
import torch

from pipeline.agents import AGENTS, agent
from pipeline.agents.cores import GRU, LSTM, LowRank, Vanilla, tanh
from pipeline.agents.heads import heads, network_parameters
from pipeline.agents.population import flatten, unflatten
from pipeline.seeds import generator

CORES = [name for name, entry in AGENTS.items() if entry.kind == "core"]
UNITS, INPUTS, EPISODES = 6, 4, 5


def build(name):
    return agent(name).load()(**agent(name).settings)


def tensors(arrays):
    return {name: torch.tensor(array) for name, array in arrays.items()}


def run(core, parameters, xs):
    state = core.initial(len(parameters["bias"]), xs.shape[2], dtype=xs.dtype)
    found = []
    for x in xs:
        state, hidden = core.step(parameters, x, state)
        found.append(hidden)
    return torch.stack(found)


def sequence(agents=2, steps=7):
    return torch.tensor(generator(1, "x").standard_normal((steps, agents, EPISODES, INPUTS)))


def random_parameters(core, agents=2):
    drawn = core.parameters(generator(2, "w"), agents, INPUTS)
    return {k: torch.tensor(v + 0.3 * generator(3, k).standard_normal(v.shape)) for k, v in drawn.items()}


@pytest.mark.parametrize(
    ("core", "torch_core", "order"),
    [
        (Vanilla(UNITS), torch.nn.RNN, [0]),
        (LSTM(UNITS), torch.nn.LSTM, [0, 1, 3, 2]),  # PyTorch's i, f, g, o from our i, f, o, g
        (GRU(UNITS), torch.nn.GRU, [0, 1, 2]),
    ],
)
def test_core_equals_pytorchs_own_for_every_agent(core, torch_core, order):
    parameters, xs = random_parameters(core), sequence()
    found = run(core, parameters, xs)
    for k in range(2):
        twin = torch_core(INPUTS, UNITS).double()
        arranged = {
            name: torch.cat([torch.chunk(p[k], len(order), -1)[j] for j in order], -1) for name, p in parameters.items()
        }
        with torch.no_grad():
            twin.weight_ih_l0.copy_(arranged["input"].T)
            twin.weight_hh_l0.copy_(arranged["recurrent"].T)
            twin.bias_ih_l0.copy_(arranged["bias"])
            twin.bias_hh_l0.zero_()
            expected, _ = twin(xs[:, k])
        torch.testing.assert_close(found[:, k], expected)


@pytest.mark.parametrize("leak", [0.3, 1.0])
def test_low_rank_core_follows_its_equation(leak):
    core = LowRank(UNITS, rank=2, leak=leak)
    parameters, xs = random_parameters(core), sequence()
    found = run(core, parameters, xs)
    for k in range(2):
        p = {name: array[k].numpy() for name, array in parameters.items()}
        weights = p["m"] @ p["n"].T / UNITS
        assert np.linalg.matrix_rank(weights) == 2
        for episode in range(EPISODES):
            h = np.zeros(UNITS)
            for t, x in enumerate(xs[:, k, episode].numpy()):
                h = h + leak * (-h + weights @ np.tanh(h) + p["input"].T @ x + p["bias"])
                np.testing.assert_allclose(found[t, k, episode], np.tanh(h), rtol=1e-10, atol=1e-12)


def test_tanh_is_the_hyperbolic_tangent():
    x = torch.linspace(-30, 30, 2001)
    assert (tanh(x) - torch.tanh(x)).abs().max() < 2e-7


@pytest.mark.parametrize("name", ["vanilla", "gru", "lstm"])
def test_recurrent_weights_start_orthogonal_per_gate(name):
    recurrent = build(name).parameters(generator(1, "w"), 2, INPUTS)["recurrent"]
    for gate in np.split(recurrent, recurrent.shape[-1] // 48, -1):
        np.testing.assert_allclose(np.swapaxes(gate, 1, 2) @ gate, np.broadcast_to(np.eye(48), gate.shape), atol=1e-12)


def test_low_rank_weights_start_as_a_projection_of_their_rank_times_the_squared_gain():
    core = build("lowrank")
    drawn = core.parameters(generator(1, "w"), 2, INPUTS)
    weights = drawn["m"] @ np.swapaxes(drawn["n"], 1, 2) / core.units
    np.testing.assert_allclose(weights @ weights, core.gain**2 * weights, atol=1e-12)
    np.testing.assert_allclose(np.trace(weights, axis1=1, axis2=2), core.rank * core.gain**2)


def test_lstm_starts_with_forget_bias_one_and_no_other_bias():
    bias = build("lstm").parameters(generator(1, "w"), 3, INPUTS)["bias"].reshape(3, 4, 48)
    assert (bias[:, 1] == 1).all() and (bias[:, [0, 2, 3]] == 0).all()


@pytest.mark.parametrize("name", CORES)
def test_agents_start_with_different_weights_and_a_nearly_uniform_policy(name):
    core = build(name)
    parameters = tensors(network_parameters(core, generator(1, "w"), 3, INPUTS, 2))
    assert not torch.equal(parameters["input"][0], parameters["input"][1])
    logits, value = heads(parameters, run(core, parameters, sequence(3))[-1])
    assert (torch.softmax(logits, -1) - 0.5).abs().max() < 0.05
    assert (value == 0).all() and value.shape == (3, EPISODES)


@pytest.mark.parametrize("name", CORES)
def test_equal_generators_give_equal_weights(name):
    first, second = (network_parameters(build(name), generator(1, "w"), 2, INPUTS, 2) for _ in range(2))
    assert all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", CORES)
def test_flat_rows_and_named_parameters_are_the_same_memory(name):
    drawn = network_parameters(build(name), generator(1, "w"), 2, INPUTS, 2)
    flat, shapes = flatten(drawn)
    flat = torch.tensor(flat)
    views = unflatten(flat, shapes)
    for key, array in drawn.items():
        np.testing.assert_array_equal(views[key], array)
    views["value"][1] = 7
    assert (flat == 7).sum() == views["value"][1].numel()
