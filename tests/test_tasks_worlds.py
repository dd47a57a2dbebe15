"""The worlds: what pays how often, what changes when, and who meets the same episodes."""

import numpy as np
import pytest
from scipy import stats

from pipeline.agents import AGENTS
from pipeline.errors import UserError
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS, task
from pipeline.tasks.arms import BernoulliArms

EPISODES = 4000
ARMS = [name for name, one in TASKS.items() if (one.options, one.steps) == (2, 1)]  # two Bernoulli arms, one step


def latent(name, agents=1, episodes=EPISODES, shared=False, seed=1):
    return TASKS[name].begin(agents, episodes, generator(seed, "world"), shared).columns()


@pytest.mark.parametrize("name", TASKS)
def test_a_world_has_its_registered_length_and_shapes(name):
    one = TASKS[name]
    world = one.begin(3, 5, generator(1, "shapes"))
    assert (world.steps, world.actions) == (one.trials * one.steps, one.options)
    for _ in range(world.steps):
        seen = world.observe()
        assert (seen is None) if not one.features else (seen.shape in {(3, 5, one.features), (1, 5, one.features)})
        reward = world.act(np.zeros((3, 5), int))
        assert reward.shape == (3, 5) and reward.dtype == np.float32 and np.isfinite(reward).all()
    columns = world.columns()
    (expected,) = (columns[key] for key in ("expected_reward", "reward_probability") if key in columns)
    assert expected.shape == (3, 5, one.trials, one.options)
    assert columns["better_option"].shape == columns["block"].shape == (3, 5, one.trials)


@pytest.mark.parametrize("name", ARMS)
def test_every_option_pays_with_its_latent_probability(name):
    for option in (0, 1):
        world = TASKS[name].begin(2, 1000, generator(2, "pays", option))
        paid = np.stack([world.act(np.full((2, 1000), option)) for _ in range(world.steps)], -1)
        p = world.columns()["reward_probability"][..., option]
        for low, high in ((0, 0.35), (0.35, 0.65), (0.65, 1.01)):
            inside = (p >= low) & (p < high)
            if inside.any():
                error = np.sqrt((p[inside] * (1 - p[inside])).sum()) / inside.sum()
                assert abs(paid[inside].mean() - p[inside].mean()) < 4 * error


@pytest.mark.parametrize("name", ARMS)
def test_outcomes_are_independent_from_trial_to_trial(name):
    world = TASKS[name].begin(1, 2000, generator(3, "independent"))
    paid = np.stack([world.act(np.zeros((1, 2000), int)) for _ in range(world.steps)], -1)
    residual = paid - world.columns()["reward_probability"][..., 0]
    product = residual[..., 1:] * residual[..., :-1]
    assert abs(product.mean()) < 4 * product.std() / np.sqrt(product.size)


@pytest.mark.parametrize(("name", "pair"), [("de", (0.1, 0.9)), ("dm", (0.25, 0.75)), ("dh", (0.4, 0.6))])
def test_structured_pairs_hold_both_values_and_favour_neither_arm(name, pair):
    p = latent(name)["reward_probability"][0, :, 0]
    assert np.allclose(np.sort(p, -1), pair)
    assert abs((p[:, 0] > 0.5).mean() - 0.5) < 4 * 0.5 / np.sqrt(EPISODES)


def test_uniform_arms_are_uniform_and_dependent_or_not_as_declared():
    p = latent("du")["reward_probability"][0, :, 0]
    assert np.allclose(p.sum(-1), 1)
    assert stats.kstest(p[:, 0], "uniform").pvalue > 1e-3
    p = latent("di")["reward_probability"][0, :, 0]
    assert min(stats.kstest(p[:, k], "uniform").pvalue for k in (0, 1)) > 1e-3
    assert abs(np.corrcoef(p.T)[0, 1]) < 4 / np.sqrt(EPISODES)


@pytest.mark.parametrize("name", ["di", "du", "de", "dm", "dh"])
def test_bandits_are_stationary_and_of_one_block(name):
    columns = latent(name, episodes=50)
    assert (columns["block"] == 1).all()
    assert (np.ptp(columns["reward_probability"], axis=2) == 0).all()


def test_the_better_option_is_the_one_that_pays_more_and_is_marked_where_tied():
    columns = latent("di", episodes=200)
    assert (columns["better_option"] == columns["reward_probability"].argmax(-1)).all()
    tied = BernoulliArms(np.full((1, 2, 1, 2), 0.5), 1, 4, generator(1, "tied"))
    assert (tied.columns()["better_option"] == -1).all()


def test_three_arms_pay_as_two_do():
    world = BernoulliArms(np.array([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3), 1, 300, generator(1, "three"))
    paid = np.array([world.act(np.array([[t % 3]])).item() for t in range(300)])
    assert paid[0::3].sum() == 0 and paid[2::3].sum() == 100 and 25 < paid[1::3].sum() < 75


# Reversal


def test_the_first_reversed_trial_is_uniform_over_its_range():
    block = latent("reversal")["block"][0]
    settings = TASKS["reversal"].settings
    assert (settings["first"], settings["last"]) == (31, 50)  # as in the released data: 30–49 trials before it
    first = (block == 1).sum(-1) + 1
    assert first.min() == 31 and first.max() == 50
    assert stats.chisquare(np.bincount(first - 31, minlength=20)).pvalue > 1e-3
    assert (np.diff(block, axis=-1) >= 0).all() and set(np.unique(block)) == {1, 2}


def test_both_schedules_and_both_objects_come_equally_often_and_independently():
    p = latent("reversal")["reward_probability"][0]
    high, first = p[:, 0].max(-1), p[:, 0, 0] > 0.5
    counts = [((np.isclose(high, h)) & (first == f)).sum() for h in (0.8, 0.7) for f in (True, False)]
    assert sum(counts) == EPISODES
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_reversal_exchanges_the_objects_and_nothing_else():
    columns = latent("reversal", episodes=300)
    p, block, better = (columns[name][0] for name in ("reward_probability", "block", "better_option"))
    assert np.allclose(p.sum(-1), 1)
    before = np.broadcast_to(p[:, :1], p.shape)
    assert np.allclose(np.where(block[..., None] == 1, before, before[..., ::-1]), p)
    assert ((better == better[:, :1]) == (block == 1)).all()


# Shared and own episodes


@pytest.mark.parametrize("name", TASKS)
def test_shared_episodes_are_the_same_for_every_subject_and_any_size_of_population(name):
    many, one = (TASKS[name].begin(n, 30, generator(4, "shared"), shared=True) for n in (5, 1))
    one_task = TASKS[name]
    action = generator(5, "action").integers(one_task.options, size=(one_task.trials * one_task.steps, 1, 30))
    for step in action:
        rewards = many.act(np.broadcast_to(step, (5, 30)))
        assert (rewards == one.act(step)).all()
    for key, values in many.columns().items():
        assert (values == one.columns()[key]).all(), key


@pytest.mark.parametrize("name", TASKS)
def test_own_episodes_differ_between_subjects(name):
    world = TASKS[name].begin(2, 200, generator(6, "own"))
    columns = world.columns()
    expected = columns["expected_reward" if "expected_reward" in columns else "reward_probability"]
    assert (expected[0] != expected[1]).any(axis=(-1, -2)).mean() > 0.4
    paid = np.stack([world.act(np.zeros((2, 200), int)) for _ in range(min(20, world.steps))])
    # of the eleven arms the first is the target of one episode in ten; a two-step trial pays at its second step only
    assert (paid[:, 0] != paid[:, 1]).mean() > (0.2 if name in ARMS else 0.1)


def test_two_learners_given_equal_generators_meet_the_same_episodes():
    played = []
    for name in ("random", "bayes_optimal"):
        entry = AGENTS[name]
        played.append(play(entry.load()(TASKS["reversal"]), TASKS["reversal"], 40, generator(7, "same")))
    one, two = played
    for key in one.latent:
        assert (one.latent[key] == two.latent[key]).all()
    same = one.choice == two.choice
    assert same.any() and not same.all()
    assert (one.reward[same] == two.reward[same]).all()  # same trial, same choice: same outcome


def test_regret_is_the_sum_of_probability_differences():
    played = play(AGENTS["random"].load()(TASKS["de"]), TASKS["de"], 20, generator(8, "regret"))
    wrong = (played.choice != played.latent["better_option"]).sum(-1)
    assert np.allclose(played.regret(), 0.8 * wrong)


def test_the_table_of_a_learner_repeats_the_arrays_row_by_row():
    played = play(AGENTS["thompson"].load()(TASKS["reversal"]), TASKS["reversal"], 3, generator(9, "table"))
    frame = table(played, "thompson", session=2)
    row = frame.query("episode == 2 and trial == 41").iloc[0]
    assert (row["source"], row["species"], row["subject"], row["session"]) == ("thompson", "learner", "thompson1", 2)
    assert row["choice"] == played.choice[0, 1, 40] and row["reward"] == played.reward[0, 1, 40]
    assert row["policy_1"] == pytest.approx(played.policy[0, 1, 40, 1], abs=1e-6)
    assert row["block"] == played.latent["block"][0, 1, 40] and len(frame) == 240


def test_an_unknown_task_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'d_u' is not known; known are di, du"):
        task("d_u")
