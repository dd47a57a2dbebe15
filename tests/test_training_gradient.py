"""The written-out gradient against automatic differentiation; the loss against its definition."""

import numpy as np
import pytest
import torch

from pipeline.agents import AGENTS, agent
from pipeline.agents.cores import LowRank
from pipeline.agents.heads import network_parameters
from pipeline.agents.inputs import Inputs
from pipeline.agents.population import flatten, unflatten
from pipeline.seeds import generator
from pipeline.tasks import Task, task
from pipeline.training import fused
from pipeline.training.autograd import Autograd, choose
from pipeline.training.handwritten import PASSES, Handwritten
from pipeline.training.loss import Costs, head_gradient, loss

CORES = [name for name, entry in AGENTS.items() if entry.kind == "core"]
AGENTS_, EPISODES = 3, 4


def prepare(core, dtype, problem=None):
    problem = problem or task("reversal")
    inputs = Inputs.of(problem)
    flat, shapes = flatten(network_parameters(core, generator(1, "weights"), AGENTS_, inputs.size, problem.options))
    flat = flat + 0.1 * generator(1, "noise").standard_normal(flat.shape)  # leave the zeros of the start
    return problem, inputs, torch.tensor(flat, dtype=dtype), shapes


def gradient(path, core, problem, inputs, flat, shapes, seed=0, costs=None):
    draw = generator(2, "episodes", seed)
    world = problem.begin(AGENTS_, EPISODES, draw)
    race = draw.standard_exponential((world.steps, AGENTS_, EPISODES, world.actions))
    costs = costs or Costs(
        torch.linspace(0.5, 0.99, AGENTS_, dtype=flat.dtype),
        torch.linspace(0, 0.1, AGENTS_, dtype=flat.dtype),
        0.05,
        0.9,
    )
    race = torch.tensor(np.log(race), dtype=flat.dtype)
    made = path if not isinstance(path, type) else path(core, shapes, inputs, AGENTS_, EPISODES, dtype=flat.dtype)
    return made.gradient(flat, world, race, costs)


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
def test_written_out_gradient_equals_automatic_differentiation(name, dtype, tolerance):
    core = agent(name).load()(**agent(name).settings)
    assert type(core) in PASSES
    setting = prepare(core, dtype)
    fast, outcome = gradient(Handwritten, core, *setting)
    obvious, expected = gradient(Autograd, core, *setting)
    assert torch.isfinite(obvious).all() and (obvious.norm(dim=1) > 0).all()
    assert relative(fast, obvious) < tolerance
    for part in ("reward", "entropy", "value_loss"):
        torch.testing.assert_close(getattr(outcome, part), getattr(expected, part), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", CORES)
def test_written_out_gradient_forgets_the_update_before(name):
    core = agent(name).load()(**agent(name).settings)
    problem, inputs, flat, shapes = prepare(core, torch.float64)
    used = Handwritten(core, shapes, inputs, AGENTS_, EPISODES, dtype=flat.dtype)
    gradient(used, core, problem, inputs, flat, shapes, seed=0)
    again, _ = gradient(used, core, problem, inputs, flat, shapes, seed=1)
    fresh, _ = gradient(Handwritten, core, problem, inputs, flat, shapes, seed=1)
    assert torch.equal(again, fresh)


@pytest.mark.parametrize("leak", [0.2, 0.7])
def test_written_out_gradient_of_a_leaky_low_rank_network_equals_automatic_differentiation(leak):
    core = LowRank(units=20, rank=2, leak=leak)
    setting = prepare(core, torch.float64)
    assert relative(gradient(Handwritten, core, *setting)[0], gradient(Autograd, core, *setting)[0]) < 1e-9


class Lights:
    """Three actions; the observation names the one that pays 2."""

    steps, actions = 6, 3

    def __init__(self, task, agents, episodes, generator, shared=False):
        self.lit, self.step = generator.integers(3, size=(self.steps, agents, episodes)), 0

    def observe(self):
        return np.eye(3, dtype=np.float32)[self.lit[self.step]]

    def act(self, action):
        reward = 2.0 * (action == self.lit[self.step])
        self.step += 1
        return reward

    def columns(self):
        return {}


@pytest.mark.parametrize("name", CORES)
def test_gradients_agree_on_a_task_with_observations_and_three_actions(name, monkeypatch):
    lights = Task("lights", "Lights", 3, 6, f"{__name__}:Lights", inputs=("reward", "time"), features=3)
    monkeypatch.setattr(Task, "begin", lambda self, *args: Lights(self, *args))
    core = agent(name).load()(**agent(name).settings)
    setting = prepare(core, torch.float64, lights)
    assert setting[1].size == 5
    assert relative(gradient(Handwritten, core, *setting)[0], gradient(Autograd, core, *setting)[0]) < 1e-9


def random_batch(dtype=torch.float64):
    draw = torch.Generator().manual_seed(3)
    shape = (2, 3, 7)
    logits = torch.randn(*shape, 3, generator=draw, dtype=dtype)
    value = torch.randn(*shape, generator=draw, dtype=dtype)
    action = torch.randint(3, shape, generator=draw)
    reward = torch.randn(*shape, generator=draw, dtype=dtype)
    return logits, value, action, reward


@pytest.mark.parametrize(("trace", "normalise"), [(1.0, False), (0.7, False), (1.0, True)])
def test_head_gradient_equals_automatic_differentiation_of_the_loss(trace, normalise):
    logits, value, action, reward = random_batch()
    costs = Costs(
        torch.tensor([0.9, 0.5], dtype=torch.float64),
        torch.tensor([0.05, 0.0], dtype=torch.float64),
        0.3,
        trace,
        normalise,
    )
    logits.requires_grad_()
    value.requires_grad_()
    each, outcome = loss(logits, value, action, reward, costs)
    expected = torch.autograd.grad(each.sum(), (logits, value))
    by_logits, by_value, found = head_gradient(
        logits.detach(), value.detach(), torch.eye(3).double()[action], reward, costs
    )
    torch.testing.assert_close(by_logits, expected[0])
    torch.testing.assert_close(by_value, expected[1])
    torch.testing.assert_close(found.value_loss, outcome.value_loss)


def test_target_without_trace_decay_is_the_discounted_return_to_the_end_of_the_episode():
    _, value, _, reward = random_batch()
    costs = Costs(torch.tensor([0.9, 0.5], dtype=torch.float64), torch.zeros(2).double())
    advantage, target = costs.advantage(reward, value, 2)
    for agent_, gamma in enumerate((0.9, 0.5)):
        for t in range(7):
            expected = sum(gamma ** (k - t) * reward[agent_, :, k] for k in range(t, 7))
            torch.testing.assert_close(target[agent_, :, t], expected)
    torch.testing.assert_close(advantage, target - value)


def test_advantage_with_trace_zero_is_the_one_step_prediction_error():
    from pipeline.rollout import prediction_error

    _, value, _, reward = random_batch()
    discount = torch.tensor([0.9, 0.5], dtype=torch.float64)
    advantage, _ = Costs(discount, torch.zeros(2).double(), trace=0.0).advantage(reward, value, 2)
    np.testing.assert_allclose(advantage, prediction_error(value.numpy(), reward.numpy(), discount.numpy()))


def test_policy_gradient_does_not_flow_through_the_advantage_into_the_critic():
    logits, value, action, reward = random_batch()
    value.requires_grad_()
    each, _ = loss(logits, value, action, reward, Costs(torch.ones(2).double(), torch.zeros(2).double(), value=0.0))
    assert float(torch.autograd.grad(each.sum(), value, allow_unused=True)[0].abs().max()) == 0


@pytest.mark.parametrize("path", [Handwritten, Autograd])
@pytest.mark.parametrize("name", CORES)
def test_value_loss_reaches_the_value_head_and_the_core(name, path):
    core = agent(name).load()(**agent(name).settings)
    setting = prepare(core, torch.float64)
    zero = torch.zeros(AGENTS_, dtype=torch.float64)
    nothing = Costs(zero, zero, 0.0)
    with_value, without = (
        unflatten(gradient(path, core, *setting, costs=costs)[0], setting[3])
        for costs in (Costs(zero, zero, 1.0), nothing)
    )
    for part in ("value", "value_bias"):
        assert (without[part] == 0).all() and (with_value[part].flatten(1).norm(dim=1) > 0).all()
    for part in set(setting[3]) - {"value", "value_bias", "policy", "policy_bias"}:
        assert ((with_value[part] - without[part]).flatten(1).norm(dim=1) > 1e-8).all(), part
    torch.testing.assert_close(with_value["policy"], without["policy"])


def test_actions_are_sampled_with_the_probabilities_of_the_policy():
    n, draw = 40_000, generator(5, "race")
    for probability in (np.array([0.2, 0.8]), np.array([0.6, 0.3, 0.1])):
        race = torch.tensor(np.log(draw.standard_exponential((1, n, len(probability)))))
        chosen = choose(torch.tensor(np.log(probability)).expand(1, n, -1) + 3.0, race).numpy()[0]
        frequency = np.bincount(chosen, minlength=len(probability)) / n
        assert np.all(np.abs(frequency - probability) < 4 * np.sqrt(probability * (1 - probability) / n))


def test_agents_of_a_population_do_not_influence_each_other():
    core = agent("lstm").load()(units=8)
    problem, inputs, flat, shapes = prepare(core, torch.float64)
    found, _ = gradient(Handwritten, core, problem, inputs, flat, shapes)
    other = flat.clone()
    other[1] += 0.5
    changed, _ = gradient(Handwritten, core, problem, inputs, other, shapes)
    assert torch.equal(found[[0, 2]], changed[[0, 2]]) and not torch.equal(found[1], changed[1])


@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_compiled_steps_equal_the_ones_written_out_in_pytorch(name, dtype, tolerance):
    core = agent(name).load()(**agent(name).settings)
    problem, inputs, flat, shapes = prepare(core, dtype)
    found = []
    for compiled in (True, False):
        path = Handwritten(core, shapes, inputs, AGENTS_, EPISODES, dtype=dtype)
        assert path.recurrence.fused
        path.recurrence.fused = compiled
        found.append(gradient(path, core, problem, inputs, flat, shapes)[0])
    assert relative(*found) < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 4e-7), (np.float64, 1e-15)])
def test_compiled_tanh_is_exact_to_rounding_everywhere(dtype, tolerance):
    x = np.concatenate([np.linspace(-12, 12, 100_001), [0, -0.0, 1e-30, 50, -1e30, np.inf, -np.inf]]).astype(dtype)
    found = np.empty_like(x)
    fused.squash(x, found)
    np.testing.assert_allclose(found, np.tanh(x.astype(float)), rtol=0, atol=tolerance)
    assert (np.abs(found) <= 1).all() and (np.diff(found[:100_001]) >= -tolerance).all()
