"""Every learner of the registry keeps the protocol and behaves as its name says."""

import math
import re
from functools import cache

import numpy as np
import pytest
from scipy import integrate, stats

from pipeline.agents import AGENTS, counts
from pipeline.agents.gittins import Gittins, indices
from pipeline.agents.heuristics import UCB, RescorlaWagner, Thompson, probability_greater
from pipeline.agents.learner import greedy
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS

LEARNERS = [name for name, entry in AGENTS.items() if entry.kind == "learner"]
PAIRS = [(name, task) for name in LEARNERS for task in TASKS if task in (AGENTS[name].tasks or TASKS)]
ARMS = [pair for pair in PAIRS if (TASKS[pair[1]].options, TASKS[pair[1]].steps) == (2, 1)]  # two Bernoulli arms


def learner(name, task):
    entry = AGENTS[name]
    return entry.load()(TASKS[task], **entry.settings)


def histories(name, task, trials, episodes=400, p=(0.6, 0.5), seed=1):
    """A learner after ``trials`` choices that were made for it at random, and the generator that made them."""
    rng = generator(seed, "history", name, task)
    subject = learner(name, task)
    subject.begin(TASKS[task], episodes)
    if hasattr(subject, "reveal"):
        subject.reveal({"volatility": np.full((1, episodes, 1), 0.1)})
    for _ in range(trials):
        action = rng.integers(2, size=(1, episodes))
        subject.observe(action, (rng.random((1, episodes)) < np.asarray(p)[action]).astype(np.float32))
    return subject, rng


def chosen(policy, action):
    return np.take_along_axis(policy, action[..., None], -1)[..., 0]


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_a_learner_keeps_the_protocol_on_every_task_it_is_defined_on(name, task):
    subject = learner(name, task)
    assert subject.species == "learner"
    assert len(subject.subjects) == 1 and re.fullmatch("[A-Za-z0-9]+", subject.subjects[0])
    done = play(subject, TASKS[task], 7, generator(1, "protocol"))
    assert done.policy.shape == (1, 7, TASKS[task].trials, TASKS[task].options)
    assert np.allclose(done.policy.sum(-1), 1) and (done.policy >= 0).all()
    if TASKS[task].options == 2:
        assert np.allclose(done.policy[:, :, 0], 0.5)  # nothing is known before the first choice


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_a_learner_forgets_earlier_episodes_when_new_ones_begin(name, task):
    subject = learner(name, task)
    first = play(subject, TASKS[task], 5, generator(2, "forget"))
    play(subject, TASKS[task], 9, generator(3, "other"))
    again = play(subject, TASKS[task], 5, generator(2, "forget"))
    assert (first.policy == again.policy).all() and (first.choice == again.choice).all()


@pytest.mark.parametrize("trials", [0, 1, 2, 5, 12])
@pytest.mark.parametrize(("name", "task"), ARMS)
def test_an_option_is_chosen_no_less_after_a_reward_than_after_none(name, task, trials):
    (won, rng), (lost, _) = histories(name, task, trials), histories(name, task, trials)
    action = rng.integers(2, size=(1, 400))
    won.observe(action, np.ones(action.shape, np.float32))
    lost.observe(action, np.zeros(action.shape, np.float32))
    difference = chosen(won.policy(None), action) - chosen(lost.policy(None), action)
    assert difference.min() >= -1e-9
    # UCB tries the other arm second, whatever the first one paid
    if name != "random" and not (name == "ucb" and trials == 0):
        assert difference.max() > 0.1


@pytest.mark.parametrize("trials", [0, 1, 4, 12])
@pytest.mark.parametrize(("name", "task"), [pair for pair in ARMS if pair[0] != "ucb"])  # UCB's bonus falls by a choice
def test_choice_probability_of_an_option_does_not_fall_after_it_is_rewarded(name, task, trials):
    subject, rng = histories(name, task, trials)
    action = rng.integers(2, size=(1, 400))
    before = chosen(subject.policy(None), action).copy()
    subject.observe(action, np.ones(action.shape, np.float32))
    change = chosen(subject.policy(None), action) - before
    assert change.min() >= -1e-9
    if name != "random":
        assert change.max() > 0.05


@pytest.mark.parametrize("name", ["thompson", "gittins", "bayes_optimal"])
def test_learners_that_count_refuse_a_graded_reward(name):
    subject = learner(name, "di")
    subject.begin(TASKS["di"], 2)
    with pytest.raises(UserError, match=r"reward 0\.5 is neither 0 nor 1"):
        subject.observe(np.zeros((1, 2), int), np.array([[1, 0.5]]))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [("rescorla_wagner", {"alpha": 1.5}, "alpha is 1.5"), ("rescorla_wagner", {"beta": -1}, "beta is -1"),
     ("ucb", {"chi": -1}, "chi is -1"), ("gittins", {"discount": 99}, "did you write 99")],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_with_its_value(name, settings, message):
    with pytest.raises(UserError, match=message):
        AGENTS[name].load()(TASKS["du"], **settings)


def test_greedy_shares_ties_evenly():
    assert greedy(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [np.inf, np.inf, np.inf]])).tolist() == [
        [0.5, 0.5, 0], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3]]  # fmt: skip


# Thompson


def test_thompson_chooses_with_the_probability_that_an_arm_is_best():
    rng = np.random.default_rng(4)
    wins, losses = rng.integers(0, 50, (12, 2)), rng.integers(0, 50, (12, 2))
    policy = Thompson(TASKS["di"]).policy_at(wins, losses)
    for w, l, found in zip(wins, losses, policy, strict=True):
        one, two = stats.beta(1 + w[0], 1 + l[0]), stats.beta(1 + w[1], 1 + l[1])
        exact, _ = integrate.quad(lambda x, one=one, two=two: one.pdf(x) * two.cdf(x), 0, 1, epsabs=1e-10, limit=200)
        assert found == pytest.approx([exact, 1 - exact], abs=1e-8)


def test_thompson_policy_equals_the_frequency_of_thompson_samples():
    wins, losses, draws = np.array([3, 5]), np.array([2, 6]), 200_000
    sampled = np.random.default_rng(5).beta(1 + wins, 1 + losses, (draws, 2))
    p = Thompson(TASKS["di"]).policy_at(wins, losses)[0]
    assert abs((sampled[:, 0] > sampled[:, 1]).mean() - p) < 4 * np.sqrt(p * (1 - p) / draws)


def test_probability_greater_is_exact_at_the_corners_and_complementary():
    one = np.ones(1, int)
    assert probability_greater(one, one, one, one)[0] == pytest.approx(0.5)
    assert probability_greater(2 * one, one, one, one)[0] == pytest.approx(2 / 3)
    rng = np.random.default_rng(6)
    a, b, c, d = rng.integers(1, 101, (4, 500))
    assert np.allclose(probability_greater(a, b, c, d) + probability_greater(c, d, a, b), 1, atol=1e-12)


# UCB


def slow_ucb(wins, losses, chi):
    tried = [w + l for w, l in zip(wins, losses)]
    if 0 in tried:
        untried = [k for k in (0, 1) if tried[k] == 0]
        return [1 / len(untried) if k in untried else 0 for k in (0, 1)]
    bound = [wins[k] / tried[k] + math.sqrt(chi * math.log(sum(tried)) / tried[k]) for k in (0, 1)]
    if abs(bound[0] - bound[1]) < 1e-12:
        return [0.5, 0.5]
    return [float(bound[0] > bound[1]), float(bound[1] > bound[0])]


@pytest.mark.parametrize("chi", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("trials", [0, 1, 2, 7, 16])
def test_ucb_equals_its_formula_in_every_state(trials, chi):
    wins, losses = counts.states(trials)
    policy = UCB(TASKS["di"], chi).policy_at(wins, losses)
    assert policy.tolist() == [slow_ucb(w, l, chi) for w, l in zip(wins.tolist(), losses.tolist())]


def test_ucb_tries_every_arm_first():
    done = play(UCB(TASKS["dh"]), TASKS["dh"], 300, generator(1, "ucb"))
    assert (done.choice[..., :2].sum(-1) == 1).all()
    assert 0.4 < done.choice[..., 0].mean() < 0.6


# Rescorla–Wagner


def test_rescorla_wagner_equals_its_two_equations_trial_by_trial():
    done = play(RescorlaWagner(TASKS["reversal"], 0.3, 4.0), TASKS["reversal"], 3, generator(1, "rw"))
    for episode in range(3):
        q = [0.5, 0.5]
        for t in range(80):
            weight = np.exp(4.0 * np.array(q))
            assert done.policy[0, episode, t] == pytest.approx(weight / weight.sum(), abs=1e-12)
            c = done.choice[0, episode, t]
            q[c] += 0.3 * (float(done.reward[0, episode, t]) - q[c])


def test_rescorla_wagner_takes_graded_rewards():
    subject = RescorlaWagner(TASKS["du"], alpha=0.5)
    subject.begin(TASKS["du"], 1)
    subject.observe(np.array([[1]]), np.array([[2.0]]))
    assert subject.q[0, 0].tolist() == [0.5, 1.25]


def test_a_huge_inverse_temperature_neither_overflows_nor_loses_the_better_option():
    subject = RescorlaWagner(TASKS["du"], beta=1e6)
    subject.begin(TASKS["du"], 1)
    subject.observe(np.array([[1]]), np.array([[1.0]]))
    assert subject.policy()[0, 0].tolist() == [0, 1]


# Gittins


def slow_gittins(wins, losses, discount, horizon=90):
    """Bisection over the known arm's rate, each time by plain recursion over the arm's future."""

    def advantage(rate):
        @cache
        def value(w, l):
            mean = (1 + w) / (2 + w + l)
            if w + l >= horizon:
                return max(rate, mean) / (1 - discount)
            return max(rate / (1 - discount), proceed(w, l))

        def proceed(w, l):
            mean = (1 + w) / (2 + w + l)
            return mean * (1 + discount * value(w + 1, l)) + (1 - mean) * discount * value(w, l + 1)

        return proceed(wins, losses) - rate / (1 - discount)

    low, high = 0.0, 1.0
    for _ in range(18):
        middle = (low + high) / 2
        low, high = (middle, high) if advantage(middle) > 0 else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 1), (4, 2), (2, 9)])
def test_gittins_indices_equal_a_slow_calibration(wins, losses):
    assert indices(0.9, 20)[wins, losses] == pytest.approx(slow_gittins(wins, losses, 0.9), abs=3e-5)


@pytest.mark.parametrize(
    ("discount", "wins", "losses", "published"),
    [(0.9, 0, 0, 0.7029), (0.9, 1, 0, 0.8001), (0.9, 0, 1, 0.5001), (0.9, 1, 1, 0.6346), (0.99, 0, 0, 0.8699)],
)
def test_gittins_indices_equal_the_published_table(discount, wins, losses, published):
    """Gittins, Glazebrook & Weber (2011), Multi-armed Bandit Allocation Indices, 2nd edition: the Bernoulli tables."""
    assert indices(discount, 100)[wins, losses] == pytest.approx(published, abs=5e-5)


def test_gittins_indices_rise_with_wins_fall_with_losses_and_exceed_the_posterior_mean():
    table = indices(0.99, 100)
    w, l = np.indices(table.shape)
    known = w + l < 100
    assert np.isnan(table[~known]).all() and not np.isnan(table[known]).any()
    assert (np.diff(table, axis=0)[known[1:]] > 0).all() and (np.diff(table, axis=1)[:, :][known[:, 1:]] < 0).all()
    assert (table - (1 + w) / (2 + w + l))[known].min() > 0


def test_gittins_serves_a_longer_task_than_it_was_made_for():
    subject = Gittins(TASKS["reversal"], 0.9)
    done = play(subject, TASKS["du"], 3, generator(1, "longer"))
    assert np.allclose(done.policy.sum(-1), 1)
