"""Filters of the restless bandit against an independent one: a fine grid and folded kernels from sums of images."""

import itertools
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest

from pipeline.agents.bayes_restless import KnownVolatilityFilter, ThompsonWalk, VolatilityFilter
from pipeline.agents.optimum_restless import chance_regret, optimal_regret
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS

GRID = (np.arange(160) + 0.5) / 160
HORIZON = 6
SEQUENCES = np.array(list(itertools.product((0, 1), repeat=HORIZON)))  # every y_1 … y_6


def kernel(deviation):
    """Transition of one folded Gaussian step, (to, from): the images ±p + 2m of the starting point, summed."""
    density = np.zeros((len(GRID), len(GRID)))
    for m in range(-2, 3):
        for image in (GRID + 2 * m, 2 * m - GRID):
            density += np.exp(-0.5 * ((GRID[:, None] - image) / deviation) ** 2)
    return density / density.sum(0)


@cache
def slow(deviations, weights):
    """P(y_t = 1 | y_1 … y_{t−1}) and P(p1 > ½ | …), each (sequences, trials), by the forward algorithm."""
    pays, better, seen = (np.zeros((len(SEQUENCES), HORIZON)) for _ in range(3))
    for deviation, weight in zip(deviations, weights):
        step = kernel(deviation)
        mass = np.full((len(SEQUENCES), len(GRID)), weight / len(GRID))
        for t in range(HORIZON):
            pays[:, t] += mass @ GRID
            better[:, t] += mass @ (GRID > 0.5)
            seen[:, t] += mass.sum(-1)
            mass = (mass * np.where(SEQUENCES[:, t, None] == 1, GRID, 1 - GRID)) @ step.T
    return pays / seen, better / seen


@cache
def inferring(name):
    """The slow filter for a volatility uniform on [0, .2], read as the task reads it."""
    volatility = 0.2 * (np.arange(40) + 0.5) / 40
    deviation = np.sqrt(volatility) if name == "restless" else volatility
    return slow(tuple(deviation), (1 / 40,) * 40)


def run(subject, task, sequences=SEQUENCES, arm=0):
    """Show the sequences y_1, y_2, … to a learner that always chooses one arm; what it believes before each trial."""
    subject.begin(task, len(sequences))
    if isinstance(subject, KnownVolatilityFilter):
        volatility = task.tested["volatility"][0][0]
        subject.reveal({"volatility": np.full((1, len(sequences), 1), volatility)})
    pays, better = [], []
    for y in sequences.T:
        pays.append(subject.predictive())
        better.append(subject.probability_upper())
        subject.observe(np.full((1, len(y)), arm), (y == 1 - arm)[None].astype(np.float32))
    return np.stack(pays, -1), np.stack(better, -1)


def fixed(volatility, name="restless"):
    """The task with one volatility in all its episodes."""
    settings = {**TASKS[name].settings, "volatility": ((volatility, volatility),)}
    return replace(TASKS[name], settings=MappingProxyType(settings), test_settings=MappingProxyType({}))


@pytest.mark.parametrize("name", ["restless", "restless_sd"])
def test_inferring_the_volatility_equals_the_slow_filter_after_every_short_history(name):
    pays, better = run(VolatilityFilter(TASKS[name]), TASKS[name])
    expected, expected_better = inferring(name)
    assert np.abs(pays - expected).max() < 5e-4
    assert np.abs(better - expected_better).max() < 2e-3
    assert len(np.unique(pays.round(6))) > 50  # histories are told apart


@pytest.mark.parametrize(("name", "volatility"), [("restless", 0.004), ("restless", 0.2), ("restless_sd", 0.1)])
def test_knowing_the_volatility_equals_the_slow_filter_after_every_short_history(name, volatility):
    task = fixed(volatility, name)
    deviation = np.sqrt(volatility) if name == "restless" else volatility
    expected, expected_better = slow((deviation,), (1.0,))
    for subject in (KnownVolatilityFilter(task), VolatilityFilter(task), ThompsonWalk(task)):
        pays, better = run(subject, task)
        assert np.abs(pays - expected).max() < 5e-4
        assert np.abs(better - expected_better).max() < 2e-3


def test_steps_much_larger_than_the_interval_leave_nothing_to_know():
    pays, _ = run(KnownVolatilityFilter(fixed(50.0)), fixed(50.0))
    assert np.allclose(pays, 0.5, atol=1e-12)


def test_without_volatility_the_filter_is_laplace_rule_of_succession():
    """p1 ~ U[0, 1] for ever: P(y = 1 | k of n) = (1 + k) / (2 + n)."""
    y = np.random.default_rng(1).random((60, 40)) < np.linspace(0.02, 0.98, 60)[:, None]
    before = np.concatenate([np.zeros((60, 1)), y.cumsum(-1)[:, :-1]], -1)
    for subject in (KnownVolatilityFilter(fixed(0.0)), VolatilityFilter(fixed(0.0)), ThompsonWalk(fixed(0.0))):
        pays, _ = run(subject, fixed(0.0), y.astype(int))
        assert np.abs(pays - (1 + before) / (2 + np.arange(40))).max() < 2e-3


def test_more_modes_and_nodes_change_next_to_nothing_in_a_whole_episode():
    for name in ("restless", "restless_sd"):
        world = TASKS[name].begin(1, 12, generator(2, "converged"), shared=True)
        y = world.outcome[:, 0, :, 0].T.astype(int)
        coarse, fine = (run(VolatilityFilter(TASKS[name], *size), TASKS[name], y)[0] for size in ((48, 16), (96, 32)))
        assert np.abs(coarse - fine).max() < 2e-3


def test_a_win_of_one_arm_says_what_a_loss_of_the_other_says():
    for subject in (VolatilityFilter(TASKS["restless"]), ThompsonWalk(TASKS["restless"])):
        one, two = (run(subject, TASKS["restless"], arm=arm) for arm in (0, 1))
        assert np.allclose(one, two, atol=1e-12)


def test_mirrored_outcomes_mirror_the_belief():
    subject = VolatilityFilter(TASKS["restless"])
    one, two = (run(subject, TASKS["restless"], y) for y in (SEQUENCES, 1 - SEQUENCES))
    assert np.allclose(one[0] + two[0], 1, atol=1e-12) and np.allclose(one[1] + two[1], 1, atol=1e-9)


def test_no_policy_of_three_trials_earns_more_than_the_greedy_one():
    """All 128 policies on the outcomes of three trials, by the slow filter: planning ahead buys nothing."""
    expected, _ = inferring("restless")
    mean = {tuple(y[:t].tolist()): expected[row, t] for row, y in enumerate(SEQUENCES) for t in range(3)}
    nodes = [history for t in range(3) for history in itertools.product((0, 1), repeat=t)]

    def earned(arm_of):
        """Policies see (arm, reward); the event y follows from both."""
        total = 0.0
        for rewards in itertools.product((0, 1), repeat=3):
            probability, events = 1.0, ()
            for t, reward in enumerate(rewards):
                arm = arm_of(rewards[:t], events)
                pays = mean[events] if arm == 0 else 1 - mean[events]
                probability *= pays if reward else 1 - pays
                events += (int((arm == 0) == (reward == 1)),)
            total += probability * sum(rewards)
        return total

    def policy(arms):
        table = dict(zip(nodes, arms))
        return lambda rewards, events: table[rewards]

    greedy = earned(lambda rewards, events: int(mean[events] < 0.5))
    assert greedy == pytest.approx(max(earned(policy(arms)) for arms in itertools.product((0, 1), repeat=7)), abs=1e-12)
    assert greedy > 1.6


@pytest.mark.parametrize("make", [VolatilityFilter, KnownVolatilityFilter])
def test_filters_choose_the_arm_likelier_to_pay(make):
    task = fixed(0.05)
    subject = make(task)
    run(subject, task)
    first = subject.predictive()
    assert (subject.policy()[0, :, 0] == np.where(np.abs(first - 0.5) < 1e-12, 0.5, first > 0.5)).all()
    assert (first > 0.5).any() and (first < 0.5).any()


def test_thompson_takes_the_middle_of_the_tested_range_and_chooses_by_the_posterior_of_the_better_arm():
    for name in ("restless", "restless_sd"):
        subject = ThompsonWalk(TASKS[name])
        assert subject.volatility == pytest.approx(0.1)
        run(subject, TASKS[name])
        assert (subject.policy()[0, :, 0] == subject.probability_upper()).all()
    assert ThompsonWalk(TASKS["restless"], volatility=0.02).deviation == pytest.approx(np.sqrt(0.02))


def test_the_posterior_of_the_better_arm_is_calibrated():
    task = TASKS["restless"]
    subject = KnownVolatilityFilter(task)
    subject.report = lambda: {"upper": subject.probability_upper()[None]}
    done = play(subject, task, 500, generator(3, "calibrated"))
    upper, better = done.internal["upper"][0], done.latent["reward_probability"][0, ..., 0] > 0.5
    for low, high in ((0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.98)):
        inside = (upper >= low) & (upper < high)
        per_episode = (inside * (better - upper)).sum(-1)
        assert abs(per_episode.mean()) < 4 * per_episode.std() / np.sqrt(500)


def test_inferred_volatility_is_unbiased_under_its_prior_and_follows_the_truth():
    task = TASKS["restless_sd"]
    subject = VolatilityFilter(task)
    done = play(subject, task, 500, generator(4, "volatility"))
    truth, found = done.latent["volatility"][0, :, 0], subject.inferred_volatility()
    assert abs((truth - found).mean()) < 4 * (truth - found).std() / np.sqrt(500)
    assert np.corrcoef(truth, found)[0, 1] > 0.5
    slope = np.polyfit(found, truth, 1)[0]  # E[ν | data] regresses on itself with slope 1
    assert slope == pytest.approx(1, abs=0.25)


def test_the_prior_of_volatility_has_the_moments_of_its_intervals():
    for name in ("restless", "restless_sd"):
        subject = VolatilityFilter(TASKS[name])
        assert subject.weight.sum() == pytest.approx(1)
        assert subject.weight @ subject.volatility == pytest.approx(0.1)
        assert subject.weight @ subject.volatility**2 == pytest.approx(0.2**2 / 3)
        settings = MappingProxyType({"volatility": ((0, 0.1), (0.2, 0.5))})
        union = VolatilityFilter(replace(TASKS[name], test_settings=settings))
        assert union.weight @ union.volatility == pytest.approx(0.25 * 0.05 + 0.75 * 0.35)


@pytest.mark.parametrize(
    ("make", "variance", "sd"),
    [(KnownVolatilityFilter, 20.9, 8.0), (VolatilityFilter, 21.5, 8.5), (ThompsonWalk, 31.2, 15.3)],
)
def test_regrets_are_the_known_ones(make, variance, sd):
    """The known values are means over 1,000 episodes themselves."""
    for name, known in (("restless", variance), ("restless_sd", sd)):
        regret = play(make(TASKS[name]), TASKS[name], 1000, generator(5, "known")).regret()[0]
        error = regret.std() / np.sqrt(1000)
        assert abs(regret.mean() - known) < 4 * np.sqrt(2) * error


def test_chance_is_a_quarter_of_the_trials():
    for name in ("restless", "restless_sd"):
        world = TASKS[name].begin(1, 4000, generator(6, "chance"), shared=True)
        difference = world.columns()["reward_probability"][0].max(-1).sum(-1) - 75
        assert chance_regret(TASKS[name]) == 37.5
        assert abs(difference.mean() - 37.5) < 4 * difference.std() / np.sqrt(4000)


def test_the_simulated_optimum_comes_with_its_error_and_repeats():
    value, error = optimal_regret(TASKS["restless_sd"], batches=2)
    assert 0.1 < error < 0.6 and abs(value - 8.5) < 5 * error
    assert optimal_regret(TASKS["restless_sd"], batches=2) == (value, error)


def test_a_filter_that_must_be_told_the_volatility_says_so_and_forgets_it():
    subject, task = KnownVolatilityFilter(TASKS["restless"]), TASKS["restless"]
    subject.begin(task, 2)
    with pytest.raises(UserError, match="was not told the volatility: call reveal"):
        subject.policy()
    with pytest.raises(UserError, match="must be told the volatility; the columns of task 'restless' are block"):
        subject.reveal({"block": np.ones((1, 2, 150))})
    subject.reveal({"volatility": np.full((1, 2, 150), 0.1)})
    assert subject.policy().tolist() == [[[0.5, 0.5], [0.5, 0.5]]]
    subject.begin(task, 2)
    with pytest.raises(UserError, match="was not told"):
        subject.policy()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VolatilityFilter(TASKS["du"]), "defined for restless bandits; task 'du' has no setting"),
        (lambda: VolatilityFilter(TASKS["restless"], modes=1), "modes is 1"),
        (lambda: ThompsonWalk(TASKS["restless"], volatility=-0.1), "volatility is -0.1; it must be 0 or more"),
    ],
)
def test_a_filter_that_cannot_be_made_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_graded_rewards_are_refused():
    subject = VolatilityFilter(TASKS["restless"])
    subject.begin(TASKS["restless"], 2)
    with pytest.raises(UserError, match=r"needs rewards 0 or 1; it was given 0\.5"):
        subject.observe(np.zeros((1, 2), int), np.array([[1, 0.5]]))
