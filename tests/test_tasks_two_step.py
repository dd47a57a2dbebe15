"""The two-step world: where actions lead, what states pay, and that the outcome reaches the network one step later."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from scipy import stats

from pipeline.agents import AGENTS
from pipeline.agents.inputs import Inputs
from pipeline.errors import UserError
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS

TASK = TASKS["two_step"]


def played(world, draw, agents, episodes):
    """Random first-stage choices, states reached and rewards of both stages; each (trials, agents, episodes, …)."""
    rows = []
    for _ in range(TASK.trials):
        start = world.observe()
        action = draw.integers(2, size=(agents, episodes))
        first = world.act(action)
        state = world.observe()
        rows.append((start, action, first, state, world.act(draw.integers(2, size=(agents, episodes)))))
    return [np.stack(part) for part in zip(*rows, strict=True)]


@pytest.fixture(scope="module")
def many():
    world = TASK.begin(2, 3000, generator(1, "two step"))
    return world, played(world, generator(2, "two step"), 2, 3000)


def test_a_trial_has_two_steps_and_shows_s1_and_then_s2_or_s3(many):
    world, (start, _, first, state, _) = many
    assert (world.steps, world.actions, TASK.steps, TASK.features) == (20, 2, 2, 3)
    assert (start[..., 0] == 1).all() and (start[..., 1:] == 0).all()
    assert (state[..., 0] == 0).all() and (state[..., 1:].sum(-1) == 1).all()
    assert start.dtype == state.dtype == first.dtype == np.float32
    assert (first == 0).all()  # the first stage pays nothing


def test_each_action_leads_to_its_own_state_three_times_in_four(many):
    _, (_, action, _, state, _) = many
    own = state[..., 1:].argmax(-1) == action
    for a in (0, 1):
        share = own[action == a]
        assert abs(share.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / share.size)


def test_one_state_pays_nine_times_in_ten_and_the_other_once_throughout_an_episode(many):
    world, (_, _, _, state, reward) = many
    good = state[..., 1:].argmax(-1) == world.good
    for is_good, p in ((True, 0.9), (False, 0.1)):
        paid = reward[good == is_good]
        assert np.isin(paid, (0, 1)).all() and abs(paid.mean() - p) < 4 * np.sqrt(0.09 / paid.size)
    assert abs((world.good == 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(world.good.size)


def test_transitions_and_outcomes_are_independent_from_trial_to_trial_and_of_each_other(many):
    world, (_, action, _, state, reward) = many
    second = state[..., 1:].argmax(-1)
    common = (second == action) - 0.75
    paid = reward - np.where(second == world.good, 0.9, 0.1)
    for a, b in ((common[1:], common[:-1]), (paid[1:], paid[:-1]), (common, paid), (common[1:], paid[:-1])):
        assert abs((a * b).mean()) < 4 * (a * b).std() / np.sqrt(a.size)


def test_the_latent_columns_say_what_happened(many):
    world, (_, action, _, state, _) = many
    columns = world.columns()
    second = np.moveaxis(state[..., 1:].argmax(-1), 0, -1)
    own = second == np.moveaxis(action, 0, -1)
    assert (columns["second_state"] == second).all()
    assert (columns["transition"] == np.where(own, "common", "rare")).all()
    assert np.allclose(np.sort(columns["reward_probability"], -1), (0.3, 0.7))
    assert (columns["better_option"] == world.good[..., None]).all()
    assert (columns["better_option"] == columns["reward_probability"].argmax(-1)).all()
    assert (columns["block"] == 1).all()
    assert {name: x.shape[:3] for name, x in columns.items()} == dict.fromkeys(columns, (2, 3000, 10))


def test_shared_episodes_lead_equal_choices_to_equal_states_and_rewards():
    worlds = [TASK.begin(n, 200, generator(3, "shared"), shared=True) for n in (4, 1)]
    choices = generator(4, "choices").integers(2, size=(20, 1, 200))
    for step in choices:
        assert (worlds[0].observe() == worlds[1].observe()).all()
        assert (worlds[0].act(np.broadcast_to(step, (4, 200))) == worlds[1].act(step)).all()
    # Whichever action is taken, a transition is common or rare: both agents of a pair know the same luck.
    one, two = (TASK.begin(1, 200, generator(5, "luck"), shared=True) for _ in range(2))
    for world, action in ((one, 0), (two, 1)):
        for _ in range(20):
            world.act(np.full((1, 200), action))
    first, second = one.columns(), two.columns()
    assert (first["transition"] == second["transition"]).all()
    assert (first["second_state"] == 1 - second["second_state"]).all()


def test_own_episodes_differ_between_agents():
    columns = TASK.begin(2, 400, generator(6, "own")).columns()
    for name in ("better_option", "transition"):
        differ = (columns[name][0] != columns[name][1]).mean()
        assert 0.3 < differ < 0.6, name


class Recorder:
    """Chooses at random and keeps, at every step, what it was shown and told."""

    species, subjects = "learner", ("recorder1",)

    def begin(self, task, episodes):
        self.seen, self.done, self.told, self.episodes = [], [], [], episodes

    def policy(self, observation):
        self.seen.append(np.array(observation))
        return np.full((1, self.episodes, 2), 0.5)

    def observe(self, action, reward):
        self.done.append(action)
        self.told.append(reward)


def test_a_trial_of_the_table_is_the_choice_of_its_first_step_and_the_reward_of_its_second():
    agent = Recorder()
    behaviour = play(agent, TASK, 50, generator(7, "alignment"))
    seen, done, told = (np.stack(x, 2) for x in (agent.seen, agent.done, agent.told))
    assert seen.shape == (1, 50, 20, 3)
    assert (behaviour.choice == done[..., 0::2]).all()
    assert (behaviour.reward == told[..., 1::2]).all() and (told[..., 0::2] == 0).all()
    assert behaviour.reward.sum() == told.sum()
    second = behaviour.latent["second_state"]
    assert (seen[:, :, 1::2, 1:].argmax(-1) == second).all()
    common = behaviour.latent["transition"] == "common"
    assert (common == (second == behaviour.choice)).all()
    frame = table(behaviour, "recorder")
    assert len(frame) == 500 and frame["transition"].tolist() == behaviour.latent["transition"].ravel().tolist()
    assert frame["second_state"].tolist() == second.ravel().tolist()


def test_the_outcome_of_a_trial_is_the_reward_input_at_the_next_choice_and_not_before():
    inputs = Inputs.of(TASK)
    assert (inputs.steps, inputs.size) == (20, 2 + 1 + 1 + 3)
    world = TASK.begin(1, 30, generator(8, "input"))
    x = torch.zeros(20, 1, 30, inputs.size)
    outcomes, draw = [], generator(9, "input")
    for step in range(20):
        x[step][..., inputs.observation] = torch.as_tensor(world.observe())
        action = draw.integers(2, size=(1, 30))
        reward = world.act(action)
        outcomes.append(reward)
        if step < 19:
            inputs.write_outcome(x[step + 1], torch.eye(2)[torch.as_tensor(action)], torch.as_tensor(reward))
    for trial in range(1, 10):
        assert (x[2 * trial][..., inputs.reward].numpy() == outcomes[2 * trial - 1]).all()  # seen when choosing anew
        assert (x[2 * trial - 1][..., inputs.reward] == 0).all()  # the second stage has seen only the first's nothing
        assert (x[2 * trial][..., inputs.observation][..., 0] == 1).all()
    assert (x[0][..., : inputs.reward + 1] == 0).all()  # before the first choice: no action, no reward


def test_regret_counts_the_chance_of_reward_that_a_first_stage_choice_gives_away():
    behaviour = play(AGENTS["random"].load()(TASK), TASK, 4000, generator(10, "regret"))
    wrong = (behaviour.choice != behaviour.latent["better_option"]).sum(-1)
    assert np.allclose(behaviour.regret(), 0.4 * wrong)
    assert stats.binomtest(int(wrong.sum()), wrong.size * 10, 0.5).pvalue > 1e-3


@pytest.mark.parametrize(("name", "value"), [("common", 0.3), ("common", 75), ("pays", (0.1, 0.9)), ("pays", (9, 1))])
def test_impossible_probabilities_are_refused(name, value):
    task = replace(TASK, settings=MappingProxyType({**TASK.settings, name: value}))
    with pytest.raises(UserError, match=f"'two_step': {name} is"):
        task.begin(1, 1, generator(1, "refused"))
