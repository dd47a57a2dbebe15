"""Frozen networks in the session loop: the places where published re-implementations go wrong."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.agents import AGENTS, agent
from pipeline.agents.heads import heads, network_parameters
from pipeline.agents.inputs import Inputs
from pipeline.agents.network import Network
from pipeline.agents.population import Population
from pipeline.errors import UserError
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS, task
from pipeline.training.autograd import Autograd
from pipeline.training.handwritten import Handwritten
from pipeline.training.loss import Costs

CORES = [name for name, entry in AGENTS.items() if entry.kind == "core"]


def population(name, problem="du", agents=3, reward_input=True, scale=0.5):
    """Make random networks whose policies and values differ visibly from chance and from zero."""
    entry, inputs = agent(name), Inputs.of(task(problem), reward_input=reward_input)
    core = entry.load()(**entry.settings)
    drawn = network_parameters(core, generator(1, name), agents, inputs.size, inputs.actions)
    shaken = {k: v + scale * generator(2, name, k).standard_normal(v.shape) / np.sqrt(48) for k, v in drawn.items()}
    shaken["policy"] *= 5
    rows = pd.DataFrame(
        {"subject": [f"{name}{k:03d}" for k in range(1, agents + 1)], "discount": 0.9 - 0.2 * np.arange(agents)}
    )
    weights = {k: v.astype(np.float32) for k, v in shaken.items()}
    return Population(name, dict(entry.settings), problem, inputs, weights, rows)


class Recorder:
    """A core's stand-in that keeps what it is fed; its activity is that of the core."""

    def __init__(self, core):
        self.core, self.units, self.inputs, self.states = core, core.units, [], []

    def initial(self, *size, **tensor):
        self.states.append(None)
        return self.core.initial(*size, **tensor)

    def step(self, parameters, x, state):
        self.inputs.append(x.detach().numpy().copy())
        self.states.append([s.detach().numpy().copy() for s in state])
        return self.core.step(parameters, x, state)


class Watched:
    """A task's stand-in that writes down what its world shows, is done to, and pays, step by step."""

    def __init__(self, problem):
        self.problem = problem

    def __getattr__(self, name):
        return getattr(self.problem, name)

    def begin(self, *arguments, **keywords):
        world = self.problem.begin(*arguments, **keywords)
        self.shown, self.actions, self.rewards = [], [], []
        act, observe = world.act, world.observe

        def watched_act(action):
            self.actions.append(np.array(action))
            self.rewards.append(np.array(act(action)))
            return self.rewards[-1]

        def watched_observe():
            self.shown.append(None if observe() is None else np.array(observe()))
            return observe()

        world.act, world.observe = watched_act, watched_observe
        return world


def recorded(name, problem, episodes=4, **options):
    network = population(name, problem, **options).network()
    network.core = Recorder(network.core)
    watched = Watched(task(problem))
    behaviour = play(network, watched, episodes, generator(7, "test"))
    return network, np.stack(network.core.inputs, 2), behaviour, watched


def check_alignment(x, inputs, watched, problem):
    """Inputs x (agents, episodes, steps, columns) are all zeros first, then what the step before did and paid."""
    found = task(problem)
    actions, rewards = np.stack(watched.actions, 2), np.stack(watched.rewards, 2)
    one_hot = np.eye(found.options)[actions]
    first = inputs.reward if inputs.reward is not None else inputs.action.stop
    reward = x[..., first : first + (inputs.reward_classes or 1)]
    assert (x[..., inputs.action][:, :, 0] == 0).all() and (reward[:, :, 0] == 0).all()  # no phantom first action
    if "action" in inputs.kinds:  # else the task itself shows what was carried out
        np.testing.assert_array_equal(x[..., inputs.action][:, :, 1:], one_hot[:, :, :-1])
    if inputs.reward is None:
        assert (reward == 0).all()
    elif inputs.reward_classes:
        seen = np.zeros_like(reward)
        for place in np.ndindex(rewards.shape):  # one at a time, by the task's own words
            action, paid = actions[place], float(rewards[place])
            seen[place][round(10 * paid) - 1 if action == 10 else 11 if paid == 5 else 10] = 1
        np.testing.assert_array_equal(reward[:, :, 1:], seen[:, :, :-1])
    else:
        np.testing.assert_array_equal(reward[:, :, 1:, 0], rewards[:, :, :-1])
    if "time" in found.inputs:
        steps = found.trials * found.steps
        column = inputs.observation.start - 1
        np.testing.assert_allclose(x[0, 0, :, column], np.arange(steps) / steps, rtol=1e-6)
    for step, shown in enumerate(watched.shown):
        if shown is not None:
            expected = np.broadcast_to(shown, (*x.shape[:2], found.features))
            np.testing.assert_array_equal(x[:, :, step, inputs.observation], expected)


@pytest.mark.parametrize("reward_input", [True, False])
@pytest.mark.parametrize("problem", TASKS)
@pytest.mark.parametrize("name", ["lstm", "gru", "lowrank", "vanilla"])
def test_network_sees_zeros_first_and_then_exactly_the_previous_action_and_reward(name, problem, reward_input):
    network, x, behaviour, watched = recorded(name, problem, reward_input=reward_input)
    check_alignment(x, network.inputs, watched, problem)
    steps, first = task(problem).steps, slice(None, None, task(problem).steps)
    np.testing.assert_array_equal(behaviour.choice, np.stack(watched.actions, 2)[:, :, first])
    paid = np.stack(watched.rewards, 2)
    np.testing.assert_allclose(behaviour.reward, sum(paid[:, :, k::steps] for k in range(steps)))


@pytest.mark.parametrize("problem", ["du", "restless", "informative_arm", "two_step"])
@pytest.mark.parametrize("path", [Autograd, Handwritten])
def test_training_feeds_the_same_inputs_as_the_frozen_session(path, problem):
    made = population("lstm", problem, agents=2)
    core, inputs = made.build_core(), made.inputs
    flat = torch.tensor(np.concatenate([w.reshape(2, -1) for w in made.weights.values()], 1))
    shapes = {k: w.shape[1:] for k, w in made.weights.items()}
    learner = path(Recorder(core) if path is Autograd else core, shapes, inputs, 2, 3)
    costs = Costs(torch.full((2,), 0.9), torch.zeros(2))
    watched = Watched(task(problem))
    for update in range(1 if path is Autograd else 2):  # twice: nothing is carried over from the update before
        drawn = generator(3, "episodes", update)
        world = watched.begin(2, 3, drawn)
        race = drawn.standard_exponential((world.steps, 2, 3, world.actions), dtype=np.float32)
        learner.gradient(flat, world, torch.tensor(np.log(race)), costs)
    x = np.stack(learner.core.inputs, 1) if path is Autograd else learner.z[:, :-1, :, : inputs.size].numpy()
    check_alignment(np.swapaxes(x, 1, 2), inputs, watched, problem)


def test_prediction_errors_of_a_two_step_trial_are_those_of_its_transition_and_its_outcome():
    made = population("lstm", "two_step")
    network = made.network()
    values, report = [], network.report
    network.report = lambda: values.append(report()["value"].copy()) or report()
    behaviour = play(network, task("two_step"), 4, generator(5, "test"))
    value = np.stack(values, 2)
    for k, gamma in enumerate((0.9, 0.7, 0.5)):
        for t in range(10):
            at_first, at_second = value[k, :, 2 * t], value[k, :, 2 * t + 1]
            following = value[k, :, 2 * t + 2] if t < 9 else 0
            found = {name: behaviour.internal[name][k, :, t] for name in behaviour.internal}
            np.testing.assert_allclose(found["value"], at_first)
            np.testing.assert_allclose(found["transition_prediction_error"], gamma * at_second - at_first, atol=1e-6)
            np.testing.assert_allclose(
                found["reward_prediction_error"], behaviour.reward[k, :, t] + gamma * following - at_second, atol=1e-6
            )


@pytest.mark.parametrize("name", CORES)
def test_weights_are_bit_identical_before_and_after_a_session(name):
    made = population(name)
    network = made.network()
    before = {key: tensor.numpy().tobytes() for key, tensor in network.weights.items()}
    play(network, task("du"), 5, generator(1, "test"))
    assert before == {key: tensor.numpy().tobytes() for key, tensor in network.weights.items()}
    assert before == {key: array.tobytes() for key, array in made.weights.items()}


@pytest.mark.parametrize("name", CORES)
def test_state_and_inputs_start_afresh_with_every_episode(name):
    network = population(name).network()
    first = play(network, task("du"), 6, generator(5, "test"))
    play(network, task("du"), 3, generator(6, "other"))
    again = play(network, task("du"), 6, generator(5, "test"))
    np.testing.assert_array_equal(first.policy, again.policy)
    np.testing.assert_array_equal(first.choice, again.choice)
    opening = first.policy[:, :, 0]
    np.testing.assert_allclose(opening, opening[:, :1].repeat(6, 1), atol=1e-6)


@pytest.mark.parametrize("name", CORES)
def test_hidden_state_is_carried_within_the_episode(name):
    network, *_ = recorded(name, "du")
    states = network.core.states
    assert states[0] is None and all(s is not None for s in states[1:])
    assert all((part == 0).all() for part in states[1])
    assert all(np.abs(s[0]).max() > 0.01 for s in states[2:])
    one_trial_ago = [np.abs(states[k + 1][0] - states[k][0]).max() for k in range(2, 20)]
    assert min(one_trial_ago) > 0


@pytest.mark.parametrize("name", CORES)
def test_policy_and_value_equal_a_step_by_step_replay_of_the_choices(name):
    made = population(name)
    behaviour = play(made.network(), task("du"), 2, generator(5, "test"))
    core, weights = made.build_core(), {k: torch.tensor(v) for k, v in made.weights.items()}
    state, x = core.initial(3, 2), torch.zeros(3, 2, made.inputs.size)
    for t in range(100):
        x[..., 3] = t / 100
        state, hidden = core.step(weights, x, state)
        logits, value = heads(weights, hidden)
        np.testing.assert_allclose(behaviour.policy[:, :, t], torch.softmax(logits, -1), atol=1e-5)
        np.testing.assert_allclose(behaviour.internal["value"][:, :, t], value, atol=1e-4)
        x = torch.zeros_like(x)
        x[..., :2] = torch.eye(2)[torch.tensor(behaviour.choice[:, :, t])]
        x[..., 2] = torch.tensor(behaviour.reward[:, :, t])


def test_prediction_error_is_reward_plus_discounted_next_value_minus_value():
    made = population("gru", "reversal")
    behaviour = play(made.network(), task("reversal"), 4, generator(5, "test"))
    value, found = behaviour.internal["value"], behaviour.internal["reward_prediction_error"]
    for k, gamma in enumerate((0.9, 0.7, 0.5)):
        for t in range(80):
            following = value[k, :, t + 1] if t < 79 else 0
            np.testing.assert_allclose(
                found[k, :, t], behaviour.reward[k, :, t] + gamma * following - value[k, :, t], atol=1e-6
            )


@pytest.mark.parametrize("name", CORES)
def test_actions_are_sampled_as_often_as_the_policy_says(name):
    behaviour = play(population(name).network(), task("du"), 300, generator(9, "test"))
    p, chosen = behaviour.policy[..., 1].ravel(), behaviour.choice.ravel()
    error = np.sqrt((p * (1 - p)).sum())
    assert abs(chosen.sum() - p.sum()) < 4 * error
    uncertain = (p > 0.2) & (p < 0.8)
    assert uncertain.sum() > 100
    assert 0 < chosen[uncertain].mean() < 1  # not the argmax
    expected = np.where(p > 0.5, 1, 0)
    assert (chosen != expected).sum() > 0


@pytest.mark.parametrize("name", CORES)
def test_network_without_reward_input_does_not_notice_the_rewards(name):
    def policies(reward_input):
        network = population(name, reward_input=reward_input).network()
        found = []
        for paid in (0.0, 1.0):
            network.begin(task("du"), 2)
            for t in range(20):
                found.append(network.policy(None))
                network.observe(np.full((3, 2), t % 2), np.full((3, 2), paid, np.float32))
        return np.array(found[:20]), np.array(found[20:])

    without, with_reward = policies(False), policies(True)
    np.testing.assert_array_equal(*without)
    assert np.abs(with_reward[0] - with_reward[1]).max() > 1e-3


def test_chosen_agents_behave_as_they_do_in_the_whole_population():
    made = population("lstm", agents=5)
    part, whole = made.network([3, 1]), made.network()
    assert part.subjects == ("lstm004", "lstm002")
    np.testing.assert_allclose(part.discount, [0.3, 0.7])
    for network in (part, whole):
        network.begin(task("du"), 2)
    for t in range(10):
        np.testing.assert_allclose(part.policy(None), whole.policy(None)[[3, 1]], atol=1e-6)
        action = np.full((5, 2), t % 2)
        whole.observe(action, action)
        part.observe(action[:2], action[:2])


def test_session_of_a_network_makes_a_valid_trial_table():
    made = population("lstm", "reversal")
    frame = table(play(made.network(), task("reversal"), 3, generator(1, "test")), "lstm_reversal")
    assert len(frame) == 3 * 3 * 80 and set(frame["species"]) == {"network"}
    assert {"value", "reward_prediction_error", "policy_0", "policy_1"} <= set(frame)


def test_network_refuses_a_task_that_looks_different():
    with pytest.raises(UserError, match=r"cannot play 'reversal'.*action, reward, time"):
        Network(population("lstm", "du")).begin(task("reversal"), 1)


def test_network_plays_another_task_that_looks_the_same():
    longer = dataclasses.replace(task("de"), trials=150)
    behaviour = play(population("gru", "du").network(), longer, 2, generator(1, "test"))
    assert behaviour.choice.shape == (3, 2, 150)


@pytest.mark.parametrize("name", CORES)
def test_population_comes_back_from_disk_bit_identical(name, tmp_path):
    made = population(name)
    made.curve = pd.DataFrame({"subject": ["a"], "episodes_trained": [16], "reward_per_trial": [0.123456789]})
    made.save(tmp_path / "population.safetensors")
    back = Population.load(tmp_path / "population.safetensors")
    assert all(np.array_equal(made.weights[key], back.weights[key]) for key in made.weights)
    assert list(made.weights) == list(back.weights) or set(made.weights) == set(back.weights)
    assert (back.core, back.settings, back.task, back.inputs) == (made.core, made.settings, made.task, made.inputs)
    pd.testing.assert_frame_equal(back.agents, made.agents)
    pd.testing.assert_frame_equal(back.curve, made.curve)


def test_damaged_or_missing_population_is_said_in_one_message(tmp_path):
    path = tmp_path / "population.safetensors"
    with pytest.raises(UserError, match="no such population"):
        Population.load(path)
    population("vanilla").save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable population"):
        Population.load(path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU on this machine")
@pytest.mark.parametrize("name", CORES)
def test_network_on_a_gpu_behaves_as_on_the_processor(name):
    made = population(name)
    on_cpu, on_gpu = (play(made.network(device=d), task("du"), 4, generator(1, "test")) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(on_cpu.policy[:, :, :20], on_gpu.policy[:, :, :20], atol=1e-3)
