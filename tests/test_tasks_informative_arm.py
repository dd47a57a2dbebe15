"""The task with an informative arm: what pays, what chance earns, and what a network sees of an outcome."""

import numpy as np
import pytest
import torch

from pipeline.agents import AGENTS, agent
from pipeline.agents.heads import network_parameters
from pipeline.agents.optimum_informative import blind_reward, chance_regret
from pipeline.agents.population import flatten, unflatten
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS
from pipeline.tasks.informative_arm import InformativeArm, reward_class
from pipeline.training.autograd import Autograd
from pipeline.training.handwritten import Handwritten
from pipeline.training.loop import inputs_of
from pipeline.training.loss import Costs
from pipeline.training.settings import Training

TASK = TASKS["informative_arm"]
CORES = [name for name, entry in AGENTS.items() if entry.kind == "core"]
INFORMATIVE = 10


def slow_class(action, reward):
    """The class as the task's description says it, one outcome at a time."""
    if action == INFORMATIVE:
        return [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0].index(round(float(reward), 1))
    return {1: 10, 5: 11}[int(reward)]


def test_one_arm_pays_five_nine_pay_one_and_the_last_names_the_target():
    world = TASK.begin(2, 400, generator(1, "pays"))
    target = world.columns()["better_option"][:, :, 0]
    assert set(target.ravel()) == set(range(10))
    for arm in range(11):
        expected = (target + 1) / 10 if arm == INFORMATIVE else np.where(target == arm, 5, 1)
        np.testing.assert_allclose(world.act(np.full(target.shape, arm)), expected, rtol=1e-6)


def test_the_columns_say_what_every_arm_pays_on_every_trial():
    world = TASK.begin(2, 30, generator(2, "columns"))
    columns = world.columns()
    assert columns["expected_reward"].shape == (2, 30, 5, 11) and columns["better_option"].shape == (2, 30, 5)
    draw = generator(2, "actions")
    for t in range(world.steps):
        action = draw.integers(11, size=(2, 30))
        said = np.take_along_axis(columns["expected_reward"][:, :, t], action[..., None], -1)[..., 0]
        np.testing.assert_allclose(world.act(action), said, rtol=1e-6)
    assert (columns["expected_reward"].argmax(-1) == columns["better_option"]).all()


def test_agents_share_the_targets_of_a_test_and_have_their_own_in_training():
    shared, own = (
        TASK.begin(3, 50, generator(3, "shared"), share).columns()["better_option"] for share in (True, False)
    )
    assert (shared == shared[:1]).all() and not (own == own[:1]).all()


def test_every_arm_is_the_target_equally_often():
    n = 20_000
    frequency = np.bincount(TASK.begin(1, n, generator(4, "uniform")).target[0], minlength=10) / n
    assert np.all(np.abs(frequency - 0.1) < 4 * np.sqrt(0.09 / n))


def test_on_the_first_trial_the_informative_arm_is_expected_to_pay_point_55_and_any_other_1_4():
    targets = np.arange(10)
    world = InformativeArm(TASK, 1, 10, generator(5, "first"))
    world.target, world.told = targets[None], ((targets[None] + 1) / 10).astype(np.float32)
    paid = [world.act(np.full((1, 10), arm)).mean() for arm in range(11)]
    assert paid == pytest.approx([1.4] * 10 + [0.55])


def test_uniform_choice_earns_6_61_and_the_best_blind_policy_7():
    per_trial = (5 + 9 * 1 + 0.55) / 11
    assert 25 - chance_regret(TASK) == pytest.approx(5 * per_trial) == pytest.approx(6.6136, abs=1e-4)
    assert blind_reward(TASK) == pytest.approx(5 * 1.4) == 7.0
    played = play(AGENTS["random"].load()(TASK), TASK, 4000, generator(5, "chance"))
    earned = played.reward.sum(-1)
    assert abs(earned.mean() - 5 * per_trial) < 4 * earned.std() / np.sqrt(earned.size)
    np.testing.assert_allclose(played.regret(), 25 - earned, atol=1e-5)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_class_of_every_outcome_is_as_described_in_numpy_and_torch(kind, dtype):
    world = TASK.begin(1, 200, generator(6, "classes"))
    seen = set()
    for arm in range(11):
        action = np.full((1, 200), arm)
        reward = world.act(action)
        expected = [slow_class(arm, r) for r in reward[0]]
        one_hot, paid = np.eye(11, dtype=dtype)[action], reward.astype(dtype)
        if kind == "torch":
            one_hot, paid = torch.from_numpy(one_hot), torch.from_numpy(paid)
        found = np.asarray(reward_class(one_hot, paid))
        assert found[0].tolist() == expected
        seen |= set(expected)
    assert seen == set(range(12))


def played_inputs(core_name, reward_input):
    """Inputs of every step of a batch, and the actions and rewards that came before, as the fast path writes them."""
    inputs = inputs_of(TASK, Training(), reward_input)
    core = agent(core_name).load()(**agent(core_name).settings)
    flat, shapes = flatten(network_parameters(core, generator(1, "weights"), 2, inputs.size, 11))
    path = Handwritten(core, shapes, inputs, 2, 30, dtype=torch.float64)
    draw = generator(7, "episodes")
    world = TASK.begin(2, 30, draw)
    race = torch.tensor(np.log(draw.standard_exponential((world.steps, 2, 30, world.actions))))
    _, action, reward = path._act(torch.tensor(flat), world, race)
    return inputs, path.z[:, :5, :, : inputs.size].numpy(), action.numpy(), reward.numpy()


@pytest.mark.parametrize("name", CORES)
def test_at_every_step_a_network_sees_the_class_of_the_outcome_of_the_step_before(name):
    inputs, x, action, reward = played_inputs(name, reward_input=True)
    assert inputs.size == 11 + 12 + 1
    seen = x[..., inputs.reward : inputs.reward + 12]
    assert (seen[:, 0] == 0).all() and (x[:, 0, :, inputs.action] == 0).all()  # nothing before the first choice
    assert (seen[:, 1:].sum(-1) == 1).all()
    for agent_ in range(2):
        for step in range(1, 5):
            for episode in range(30):
                expected = slow_class(action[agent_, step - 1, episode], reward[agent_, step - 1, episode])
                assert seen[agent_, step, episode].argmax() == expected


def test_without_the_reward_input_every_reward_column_stays_zero():
    inputs, x, _, _ = played_inputs("lstm", reward_input=False)
    assert inputs.size == 24 and inputs.reward is None
    assert (x[..., 11:23] == 0).all() and (x[:, 1:, :, :11].sum(-1) == 1).all()


@pytest.mark.parametrize("name", CORES)
def test_in_frozen_play_a_network_sees_what_it_saw_in_training(name):
    inputs, x, action, reward = played_inputs(name, reward_input=True)
    written = torch.zeros(2, 30, inputs.size, dtype=torch.float64)
    for step in range(1, 5):
        inputs.write_time(written, step)
        inputs.write_outcome(written, torch.eye(11).double()[action[:, step - 1]], torch.tensor(reward[:, step - 1]))
        np.testing.assert_array_equal(written.numpy(), x[:, step])


@pytest.mark.parametrize("reward_input", [True, False])
@pytest.mark.parametrize("name", CORES)
def test_written_out_gradient_equals_automatic_differentiation_on_this_task(name, reward_input):
    inputs = inputs_of(TASK, Training(), reward_input)
    core = agent(name).load()(**agent(name).settings)
    flat, shapes = flatten(network_parameters(core, generator(1, "weights"), 3, inputs.size, 11))
    flat = torch.tensor(flat + 0.1 * generator(1, "noise").standard_normal(flat.shape))
    costs = Costs(torch.linspace(0.5, 0.9, 3).double(), torch.linspace(0, 1, 3).double(), 0.05, 0.9)
    found = []
    for path in (Handwritten, Autograd):
        draw = generator(8, "episodes")
        world = TASK.begin(3, 16, draw)
        race = torch.tensor(np.log(draw.standard_exponential((world.steps, 3, 16, world.actions))))
        found.append(path(core, shapes, inputs, 3, 16, dtype=torch.float64).gradient(flat, world, race, costs)[0])
    assert (found[1].norm(dim=1) > 0).all()
    assert float((found[0] - found[1]).norm() / found[1].norm()) < 1e-9
    rows = unflatten(found[0], shapes)["input"][:, inputs.action.stop : inputs.action.stop + 12]
    assert bool(rows.abs().sum() > 0) is reward_input


def test_the_trial_table_keeps_the_contract_with_eleven_options():
    made = table(play(AGENTS["ucb"].load()(TASK), TASK, 20, generator(9, "table")), "ucb")
    assert set(made["options"]) == {11} and len(made) == 100
    pays = made[[f"expected_reward_{k}" for k in range(11)]].to_numpy(float)
    np.testing.assert_allclose(
        pays[np.arange(100), made["choice"].to_numpy(int)], made["reward"].to_numpy(float), atol=1e-6
    )
    assert (pays.argmax(1) == made["better_option"].to_numpy(int)).all() and "reward_probability_0" not in made
