"""Two-step worlds with a choice at both stages: where actions lead, how outcomes drift, and what forced choices do."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from scipy import stats
from test_rollout_networks import Watched, population

from pipeline.agents import AGENTS
from pipeline.errors import UserError
from pipeline.models.data import COMMON, DAW
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS
from pipeline.training.handwritten import Handwritten
from pipeline.training.loss import Costs

TWO = ("daw_two_step", "miranda_two_step")


def with_settings(name, trials=None, **settings):
    task = TASKS[name]
    return replace(
        task, trials=trials or task.trials, settings=MappingProxyType({**task.settings, **settings}),
        test_settings=MappingProxyType({}),
    )  # fmt: skip


def random_table(task, episodes, seed):
    entry = AGENTS["random"]
    return table(play(entry.load()(task), task, episodes, generator(seed, "drift")), "random")


@pytest.fixture(scope="module", params=TWO)
def rows(request):
    return request.param, random_table(TASKS[request.param], 60, 1)


def test_an_action_leads_to_its_own_state_seven_times_in_ten(rows):
    _, frame = rows
    own = (frame["second_state"] == frame["choice"]).to_numpy(bool)
    assert ((frame["transition"] == "common").to_numpy(bool) == own).all()
    for action in (0, 1):
        share = own[(frame["choice"] == action).to_numpy(bool)]
        assert abs(share.mean() - 0.7) < 4 * np.sqrt(0.21 / share.size)
    by_episode = own.reshape(60, -1) - 0.7
    product = by_episode[:, 1:] * by_episode[:, :-1]
    assert abs(product.mean()) < 4 * product.std() / np.sqrt(product.size)


def test_the_reward_is_that_of_the_second_stage_option_chosen(rows):
    name, frame = rows
    place = (2 * frame["second_state"] + frame["second_choice"]).to_numpy(int)
    outcomes = frame[[f"second_outcome_{j}" for j in range(4)]].to_numpy(float)
    mean, reward = outcomes[np.arange(len(frame)), place], frame["reward"].to_numpy(float)
    if name == "miranda_two_step":
        assert (reward == mean).all() and set(reward) == {0, 1, 2}
        return
    assert set(reward) == {0, 1}
    for low, high in ((0.25, 0.4), (0.4, 0.6), (0.6, 0.75)):
        inside = (mean >= low) & (mean < high)
        error = np.sqrt((mean[inside] * (1 - mean[inside])).sum()) / inside.sum()
        assert abs(reward[inside].mean() - mean[inside].mean()) < 4 * error


def test_the_worth_of_a_first_choice_is_that_of_the_best_option_it_may_lead_to(rows):
    name, frame = rows
    key = "expected_reward" if name == "miranda_two_step" else "reward_probability"
    for _, row in frame.iloc[::701].iterrows():
        best = [max(row[f"second_outcome_{2 * s}"], row[f"second_outcome_{2 * s + 1}"]) for s in (0, 1)]
        planned = [0.7 * best[k] + 0.3 * best[1 - k] for k in (0, 1)]
        assert [row[f"{key}_{k}"] for k in (0, 1)] == pytest.approx(planned, abs=1e-6)
        if abs(planned[0] - planned[1]) > 1e-6:
            assert row["better_option"] == np.argmax(planned)
    tied = np.isclose(frame[f"{key}_0"].to_numpy(float), frame[f"{key}_1"].to_numpy(float), atol=1e-9)
    assert (frame["better_option"].isna() == tied).all()


def test_models_know_the_transition_probability_of_every_two_step_task():
    for name, task in TASKS.items():
        if task.steps == 2:
            assert COMMON.get(name, DAW) == task.settings["common"], name


# Daw's probabilities


def walks(task, episodes, seed=2):
    columns = task.begin(1, episodes, generator(seed, "walks")).columns()
    return np.stack([columns[f"second_outcome_{j}"][0] for j in range(4)], -1)  # (episodes, trials, 4)


def test_probabilities_walk_with_the_stated_steps_inside_their_bounds():
    p = walks(TASKS["daw_two_step"], 400)
    assert p.min() >= 0.25 and p.max() <= 0.75
    steps = np.diff(p, axis=1)
    far = (np.abs(p[:, :-1] - 0.5) < 0.1).ravel()  # 6 SDs from both walls: no reflection
    inner = steps.reshape(-1)[far]
    assert abs(inner.mean()) < 4 * 0.025 / np.sqrt(inner.size)
    assert abs(inner.std() / 0.025 - 1) < 4 / np.sqrt(2 * inner.size)
    assert stats.kstest(inner[::50] / 0.025, "norm").pvalue > 1e-3
    flat = steps.reshape(-1, 4)
    correlation = np.corrcoef(flat.T) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(len(flat))  # the four walk independently


def test_walks_equal_a_step_by_step_reflection_in_distribution():
    """Folding the summed steps gives what reflecting every single step gives: the same spread after n trials."""
    task, rng, count = with_settings("daw_two_step", trials=60, bounds=(0.4, 0.6)), np.random.default_rng(3), 4000
    folded = walks(task, count)[..., 0]
    slow = rng.uniform(0.4, 0.6, count)
    start = slow.copy()
    for _ in range(59):
        slow = slow + 0.025 * rng.standard_normal(count)
        slow = np.where(slow < 0.4, 0.8 - slow, slow)
        slow = np.where(slow > 0.6, 1.2 - slow, slow)
    assert stats.ks_2samp(folded[:, -1], slow).pvalue > 1e-3
    assert stats.ks_2samp(folded[:, -1] - folded[:, 0], slow - start).pvalue > 1e-3
    assert stats.kstest((folded[:, 0] - 0.4) / 0.2, "uniform").pvalue > 1e-3


# Miranda's levels


def stretches(level):
    """Lengths of the runs of one level that begin and end within the episode, and the levels before and after."""
    changed = np.flatnonzero(np.diff(level)) + 1
    return np.diff(changed), level[changed[:-1] - 1], level[changed[:-1]]


def test_levels_last_as_long_as_those_of_the_monkeys():
    level = walks(with_settings("miranda_two_step", trials=2000), 12).transpose(0, 2, 1).reshape(-1, 2000)
    found = [stretches(one) for one in level]
    lasted, before, after = (np.concatenate(part) for part in zip(*found))
    n = len(lasted)
    assert lasted.min() == 5 and np.median(lasted) == 8  # as in the released file
    # an unchanged level is drawn with 1/3: run = sum of G stretches U{5…9}, P(G = g) = 2/3 (1/3)^(g − 1)
    one = np.zeros(200)
    one[5:10] = 1 / 5
    probability, several = np.zeros(200), one.copy()
    for g in range(1, 20):
        probability += 2 / 3 * (1 / 3) ** (g - 1) * several
        several = np.convolve(several, one)[:200]
    expected = np.append(probability[5:25], probability[25:].sum()) * n
    observed = np.append(np.bincount(lasted, minlength=25)[5:25], (lasted >= 25).sum())
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3
    # all changes are equally likely
    counts = np.array([((before == a) & (after == b)).sum() for a in range(3) for b in range(3) if a != b])
    assert counts.sum() == n and stats.chisquare(counts).pvalue > 1e-3
    # the first ten kept-trial counts of the released file, n = 10,640: 5 … 9 and 10 … 14
    file = np.array([1432, 1419, 1424, 1420, 1429, 98, 171, 294, 380, 497])
    assert (np.abs(file - 10640 * probability[5:15]) < 5 * np.sqrt(10640 * probability[5:15])).all()


def test_levels_are_equally_frequent_and_options_independent():
    level = walks(TASKS["miranda_two_step"], 800)[:, ::40]  # 40 trials apart: practically independent
    for j in range(4):
        assert stats.chisquare(np.bincount(level[..., j].ravel().astype(int), minlength=3)).pvalue > 1e-3
    flat = level.reshape(-1, 4)
    assert np.abs(np.corrcoef(flat.T) - np.eye(4)).max() < 4 / np.sqrt(len(flat))


# Forced choices


def test_choices_are_forced_as_often_as_in_the_data_and_to_either_option():
    frame = random_table(TASKS["miranda_two_step"], 300, 4)
    kinds = frame[["trial_type", "second_trial_type"]] == "forced"
    assert not kinds.all(axis=1).any()
    for column, share in (("trial_type", 0.074), ("second_trial_type", 0.072)):
        forced = kinds[column].to_numpy(bool)
        assert abs(forced.mean() - share) < 4 * np.sqrt(share * (1 - share) / forced.size)
        chosen = frame["choice" if column == "trial_type" else "second_choice"].to_numpy(int)[forced]
        assert abs(chosen.mean() - 0.5) < 4 * 0.5 / np.sqrt(chosen.size)
    later = kinds["trial_type"].to_numpy(bool).reshape(300, -1) - 0.074
    product = later[:, 1:] * later[:, :-1]
    assert abs(product.mean()) < 4 * product.std() / np.sqrt(product.size)


class Stubborn:
    """Chooses option 0 whenever it is asked, and writes down what it is shown and told."""

    species, subjects = "learner", ("stubborn",)

    def begin(self, task, episodes):
        self.shown, self.told, self.episodes = [], [], episodes

    def policy(self, observation):
        self.shown.append(observation)
        return np.broadcast_to([1.0, 0.0], (1, self.episodes, 2))

    def observe(self, action, reward):
        self.told.append(action)


def test_a_forced_choice_is_shown_carried_out_and_observed_and_the_policy_stays_the_agents_own():
    agent, task = Stubborn(), with_settings("miranda_two_step", trials=60, forced=(0.3, 0.3))
    behaviour = play(agent, task, 40, generator(5, "stubborn"))
    shown, told = np.stack(agent.shown, 2), np.stack(agent.told, 2)  # (1, episodes, steps, …)
    only = shown[..., 3:5]
    forced = only.sum(-1) > 0
    assert forced.any() and (only.sum(-1) <= 1).all()
    assert (told[forced] == only[forced].argmax(-1)).all() and (told[~forced] == 0).all()
    assert (told == 1).any()
    np.testing.assert_array_equal(shown[..., 1:, 5:], np.eye(2)[told[..., :-1]])
    assert (shown[..., 0, 5:] == 0).all()
    frame = table(behaviour, "stubborn")
    for column, steps in (("trial_type", slice(0, None, 2)), ("second_trial_type", slice(1, None, 2))):
        assert ((frame[column] == "forced").to_numpy(bool) == forced[..., steps].ravel()).all()
    assert (frame["choice"].to_numpy(int) == told[..., ::2].ravel()).all()
    assert (frame["second_choice"].to_numpy(int) == told[..., 1::2].ravel()).all()
    assert (frame["second_state"].to_numpy(int) == shown[..., 1::2, 1:3].argmax(-1).ravel()).all()
    assert (frame["policy_0"] == 1).all()


def test_in_training_too_the_network_sees_the_action_that_was_carried_out():
    made = population("lstm", "miranda_two_step", agents=2)
    core, inputs = made.build_core(), made.inputs
    flat = torch.tensor(np.concatenate([w.reshape(2, -1) for w in made.weights.values()], 1))
    task = Watched(TASKS["miranda_two_step"])
    drawn = generator(6, "training")
    world = task.begin(2, 3, drawn)
    learner = Handwritten(core, {k: w.shape[1:] for k, w in made.weights.items()}, inputs, 2, 3)
    race = drawn.standard_exponential((world.steps, 2, 3, 2), dtype=np.float32)
    learner.gradient(flat, world, torch.tensor(np.log(race)), Costs(torch.full((2,), 0.9), torch.zeros(2)))
    x = learner.z[:, :-1, :, : inputs.size].numpy()[..., inputs.observation]  # (agents, steps, episodes, features)
    columns = world.columns()
    state = columns["second_state"]
    first = np.where(columns["transition"] == "common", state, 1 - state)
    done = np.moveaxis(np.stack([first, columns["second_choice"]], -1).reshape(2, 3, -1), -1, 0)  # (steps, …)
    np.testing.assert_array_equal(np.swapaxes(x[..., 5:], 0, 1)[1:], np.eye(2)[done[:-1]])
    assert (np.stack(task.actions) != done).any()  # what the policy drew is not always what was done


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("daw_two_step", {"common": 0.2}, "common is 0.2"),
        ("daw_two_step", {"bounds": (0.8, 0.2)}, "the lower one first"),
        ("daw_two_step", {"deviation": 0}, "deviation is 0"),
        ("miranda_two_step", {"stays": (9, 5)}, "stays is"),
        ("miranda_two_step", {"forced": (0.8, 0.8)}, "two shares of trials"),
    ],
)
def test_settings_out_of_range_are_refused(name, settings, message):
    with pytest.raises(UserError, match=message):
        with_settings(name, **settings).begin(1, 2, generator(1, "refused"))


def test_no_optimum_is_claimed_for_drifting_two_step_tasks():
    for name in TWO:
        with pytest.raises(UserError, match="no exact optimum is known here"):
            AGENTS["bayes_optimal"].load()(TASKS[name])
