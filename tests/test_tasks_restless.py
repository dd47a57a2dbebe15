"""The restless bandit's world: where the walk goes, how far it steps, and what volatility is drawn."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from scipy import stats

from pipeline.agents.heuristics import Random
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS
from pipeline.tasks.restless import draw_volatility, fold, step_deviation

SCALES = [("restless", "variance"), ("restless_sd", "sd")]


def fixed(volatility, name="restless", trials=150):
    """The task with one volatility in all its episodes."""
    settings = {**TASKS[name].settings, "volatility": ((volatility, volatility),)}
    return replace(TASKS[name], trials=trials, settings=MappingProxyType(settings), test_settings=MappingProxyType({}))


def walk(task, episodes, seed=1, shared=False):
    """p1, (episodes, trials)."""
    return task.begin(1, episodes, generator(seed, "walk"), shared).columns()["reward_probability"][0, ..., 0]


def reflect(x):
    """The slow fold: bounce off the walls one at a time."""
    while not 0 <= x <= 1:
        x = -x if x < 0 else 2 - x
    return x


def test_folding_is_reflection_at_both_walls_however_far_a_step_goes():
    x = np.concatenate([[-2, -1, 0, 1, 2, 3], np.random.default_rng(1).normal(0, 8, 2000)])
    assert np.allclose(fold(x), [reflect(value) for value in x], atol=1e-12)
    assert fold(x).min() >= 0 and fold(x).max() <= 1


@pytest.mark.parametrize("volatility", [0.01, 4.0])
def test_folding_the_sum_of_all_steps_is_folding_every_step(volatility):
    """The world folds once, at the end; the distribution is that of a walk folded step by step."""
    rng, n = np.random.default_rng(2), 6000
    p = [rng.random(n)]
    for _ in range(5):
        p.append(np.array([reflect(x) for x in p[-1] + np.sqrt(volatility) * rng.standard_normal(n)]))
    found = walk(fixed(volatility, trials=6), n)
    for slow, fast in ((p[5] - p[0], found[:, 5] - found[:, 0]), (p[5] * p[3], found[:, 5] * found[:, 3])):
        assert stats.ks_2samp(slow, fast).pvalue > 1e-3


@pytest.mark.parametrize("volatility", [0.0, 0.003, 0.2, 30.0])
def test_the_walk_stays_inside_and_keeps_the_uniform_distribution(volatility):
    p = walk(fixed(volatility), 3000)
    assert p.min() >= 0 and p.max() <= 1
    for trial in (0, 1, 40, 149):
        assert stats.kstest(p[:, trial], "uniform").pvalue > 1e-3


def test_a_walk_without_volatility_stands_still():
    assert (np.ptp(walk(fixed(0.0), 50), axis=-1) < 1e-12).all()


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_steps_away_from_the_walls_have_the_declared_volatility(name, scale):
    volatility = 0.0004 if scale == "variance" else 0.02
    p = walk(fixed(volatility, name), 200)
    step = np.diff(p)[(p[:, :-1] > 0.2) & (p[:, :-1] < 0.8)]
    error = np.sqrt(2 / step.size) * 0.0004
    assert abs(np.mean(step**2) - 0.0004) < 4 * error
    assert abs(step.mean()) < 4 * 0.02 / np.sqrt(step.size)
    product = step[1:] * step[:-1]
    assert abs(product.mean()) < 4 * product.std() / np.sqrt(product.size)


@pytest.mark.parametrize("name", ["restless", "restless_sd"])
def test_the_two_arms_pay_to_one_and_the_better_one_is_marked(name):
    columns = TASKS[name].begin(2, 40, generator(3, "arms")).columns()
    p = columns["reward_probability"]
    assert np.allclose(p.sum(-1), 1)
    assert (columns["better_option"] == (p[..., 1] > p[..., 0])).all()
    assert (columns["block"] == 1).all()


@pytest.mark.parametrize("name", ["restless", "restless_sd"])
def test_volatility_is_drawn_from_two_intervals_in_training_and_from_the_whole_range_in_tests(name):
    train, test = (
        TASKS[name].begin(1, 6000, generator(4, "volatility"), shared).columns()["volatility"][0, :, 0]
        for shared in (False, True)
    )
    low, high = train[train < 0.1], train[train >= 0.1]
    assert len(low) + len(high) == 6000 and abs(len(low) - 3000) < 4 * np.sqrt(1500)
    assert stats.kstest(low, stats.uniform(0, 2 / 30).cdf).pvalue > 1e-3
    assert stats.kstest(high, stats.uniform(4 / 30, 2 / 30).cdf).pvalue > 1e-3
    assert stats.kstest(test, stats.uniform(0, 6 / 30).cdf).pvalue > 1e-3


def test_volatility_is_that_of_the_episode_on_every_trial_and_moves_the_walk():
    columns = TASKS["restless"].begin(3, 400, generator(5, "column")).columns()
    volatility, p = columns["volatility"], columns["reward_probability"][..., 0]
    assert volatility.shape == (3, 400, 150) and (np.ptp(volatility, axis=-1) == 0).all()
    moved = np.abs(np.diff(p)).mean(-1)
    assert stats.spearmanr(moved.ravel(), volatility[..., 0].ravel()).statistic > 0.9


def test_intervals_are_visited_by_their_lengths_and_points_equally_often():
    drawn = draw_volatility(((0, 0.1), (0.5, 0.8), (0.3, 0.3)), 8000, generator(6, "union"))
    assert abs((drawn >= 0.5).mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 8000) and (drawn != 0.3).all()
    points = draw_volatility(((0.1, 0.1), (0.2, 0.2)), 4000, generator(6, "points"))
    assert set(points) == {0.1, 0.2} and abs((points == 0.1).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": "precision"}, "scale is 'precision'; volatility may be read as variance or sd"),
        ({"volatility": ((0.2, 0.1),)}, r"interval \(0.2, 0.1\); the low end comes first"),
        ({"volatility": (0, 0.2)}, "list of intervals"),
        ({"volatility": ((-0.1, 0.2),)}, "0 or more"),
        ({"volatility": ()}, "list of intervals"),
    ],
)
def test_settings_that_are_no_walk_are_refused(settings, message):
    task = replace(TASKS["restless"], settings=MappingProxyType({**TASKS["restless"].settings, **settings}))
    with pytest.raises(UserError, match=message):
        task.begin(1, 2, generator(1, "refused"))


def test_regret_counts_against_the_arm_that_is_better_on_that_trial():
    done = play(Random(TASKS["restless"]), TASKS["restless"], 6, generator(7, "regret"))
    p = done.latent["reward_probability"][0, ..., 0]
    for episode in range(6):
        lost = 0.0
        for t in range(150):
            paid = p[episode, t] if done.choice[0, episode, t] == 0 else 1 - p[episode, t]
            lost += max(p[episode, t], 1 - p[episode, t]) - paid
        assert done.regret()[0, episode] == pytest.approx(lost, abs=1e-9)


def test_the_step_is_the_root_of_a_variance_and_a_deviation_itself():
    assert step_deviation(np.array([0.0, 0.04]), "variance").tolist() == [0, 0.2]
    assert step_deviation(np.array([0.0, 0.04]), "sd").tolist() == [0, 0.04]
