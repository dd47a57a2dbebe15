"""The optimum and the learners of the task with an informative arm, against brute force over all histories."""

from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
import pytest

from pipeline.agents import bayes
from pipeline.agents.bayes_informative import InformativeOptimum, ThompsonTarget, solve
from pipeline.agents.heuristics import UCB, Random, RescorlaWagner
from pipeline.agents.optimum_informative import chance_regret, optimal_regret
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS

TASK = TASKS["informative_arm"]


def small(arms, trials):
    return replace(TASK, options=arms + 1, trials=trials)


def pays(arms, target, action):
    return (target + 1) / arms if action == arms else 5.0 if action == target else 1.0


def brute_force(arms, trials):
    """Value of the best policy by recursion over whole histories of (action, reward), nothing merged."""

    def value(history):
        if len(history) == trials:
            return 0.0
        possible = [t for t in range(arms) if all(pays(arms, t, a) == r for a, r in history)]
        worth = []
        for action in range(arms + 1):
            outcomes = [pays(arms, t, action) for t in possible]
            ways = {r: outcomes.count(r) / len(outcomes) for r in outcomes}
            worth.append(sum(p * (r + value((*history, (action, r)))) for r, p in ways.items()))
        return max(worth)

    return value(())


def reward(learner, task, episodes, seed=1):
    earned = play(learner, task, episodes, generator(seed, learner.name)).reward.sum(-1)
    return earned.mean(), earned.std() / np.sqrt(earned.size)


@pytest.mark.parametrize(("arms", "trials"), [(2, 2), (3, 1), (3, 3), (4, 3), (5, 3)])
def test_dynamic_programming_equals_brute_force_over_all_histories(arms, trials):
    assert solve(arms, trials)[trials, -1].max() == pytest.approx(brute_force(arms, trials), abs=1e-12)
    task = small(arms, trials)
    assert optimal_regret(task) == (pytest.approx(5 * trials - brute_force(arms, trials), abs=1e-12), 0.0)


def test_in_the_papers_task_the_optimum_is_20_55_the_informative_arm_first():
    value = solve(10, 5)[5, -1]
    assert value[-1] == pytest.approx(0.55 + 4 * 5) == value.max()
    # Otherwise at best an arm at random, which ends in the target with 1/10, and the informative arm after that.
    assert value[:-1].max() < 17.5
    assert optimal_regret(TASK) == (pytest.approx(25 - 20.55), 0.0)
    played = play(InformativeOptimum(TASK), TASK, 1000, generator(1, "optimum"))
    assert (played.choice[..., 0] == 10).all()
    assert (played.choice[..., 1:] == played.latent["better_option"][..., 1:]).all()


def test_with_three_arms_and_three_trials_trying_an_arm_beats_asking():
    value = solve(3, 3)[3, -1]
    assert value[-1] == pytest.approx(2 / 3 + 10) and value[:-1].max() == pytest.approx(11)


@pytest.mark.parametrize(("arms", "trials"), [(3, 3), (4, 4), (10, 5)])
def test_the_optimum_earns_in_play_what_it_is_expected_to(arms, trials):
    task = small(arms, trials)
    mean, error = reward(InformativeOptimum(task), task, 8000)
    assert abs(mean - solve(arms, trials)[trials, -1].max()) < 4 * error


def test_the_optimum_goes_on_optimally_from_a_history_that_is_not_its_own():
    subject = InformativeOptimum(TASK)
    subject.begin(TASK, 2)
    for action, paid in (([3, 3], [1, 1]), ([4, 7], [1, 5])):
        subject.observe(np.array([action]), np.array([paid], np.float32))
    policy = subject.policy()
    assert policy[0, 0].tolist() == [0] * 10 + [1] and policy[0, 1].tolist() == [0] * 7 + [1, 0, 0, 0]


def test_the_optimum_refuses_a_task_that_it_was_not_computed_for():
    with pytest.raises(UserError, match="11 arms and 5 trials"):
        InformativeOptimum(TASK).begin(small(10, 6), 1)


def test_the_registry_of_optima_finds_it():
    assert bayes.kind(TASK) == "informative_arm" and isinstance(bayes.bayes_optimal(TASK), InformativeOptimum)


def posterior(history, arms=10):
    """P(arm is best | history) by enumeration of the targets."""
    possible = [t for t in range(arms) if all(abs(pays(arms, t, a) - r) < 1e-6 for a, r in history)]
    best = [max(range(arms + 1), key=lambda a, t=t: pays(arms, t, a)) for t in possible]
    return [best.count(k) / len(best) for k in range(arms + 1)]


def test_thompson_sampling_chooses_each_arm_as_often_as_it_is_the_best_given_the_history():
    rng, subject = generator(2, "thompson"), ThompsonTarget(TASK)
    for _ in range(200):
        target, history = rng.integers(10), []
        subject.begin(TASK, 1)
        for action in rng.integers(11, size=rng.integers(6)):
            history.append((action, pays(10, target, action)))
            subject.observe(np.array([[action]]), np.array([[history[-1][1]]], np.float32))
        np.testing.assert_allclose(subject.policy()[0, 0], posterior(history), atol=1e-12)


def test_thompson_sampling_never_asks_and_earns_11():
    # Found on trial j with 1/10 each: j − 1 ones and 6 − j fives; not found in five trials with 1/2: five ones.
    expected = sum(j - 1 + 5 * (6 - j) for j in range(1, 6)) / 10 + 5 / 2
    assert expected == 11
    mean, error = reward(ThompsonTarget(TASK), TASK, 8000)
    assert abs(mean - expected) < 4 * error
    assert not (play(ThompsonTarget(TASK), TASK, 500, generator(3, "never")).choice == 10).any()


# Learners by rule, with graded rewards and any number of options


def test_ucb_tries_five_of_eleven_arms_and_so_earns_what_chance_does():
    done = play(UCB(TASK), TASK, 500, generator(4, "ucb"))
    assert all(len(set(row)) == 5 for row in done.choice[0])
    mean, error = reward(UCB(TASK), TASK, 8000)
    assert abs(mean - (25 - chance_regret(TASK))) < 4 * error


@lru_cache
def slow_bound(history, chi, options):
    """Arms of largest mean plus bonus, from the list of outcomes."""
    bound = []
    for k in range(options):
        own = [r for a, r in history if a == k]
        bonus = np.sqrt(chi * np.log(len(history)) / len(own)) if own else np.inf
        bound.append(np.mean(own) + bonus if own else np.inf)
    best = [k for k in range(options) if bound[k] >= max(bound) - 1e-12]
    return [1 / len(best) if k in best else 0.0 for k in range(options)]


@pytest.mark.parametrize("chi", [0.5, 1.0, 2.0])
def test_ucb_on_graded_rewards_equals_its_formula_over_the_list_of_outcomes(chi):
    task, rng = small(3, 12), generator(5, "graded")
    for _ in range(30):
        subject, history = UCB(task, chi), []
        subject.begin(task, 1)
        for _ in range(12):
            np.testing.assert_allclose(subject.policy()[0, 0], slow_bound(tuple(history), chi, 4), atol=1e-12)
            history.append((int(rng.integers(4)), float(rng.choice([0, 0.3, 1, 5]))))
            subject.observe(np.array([[history[-1][0]]]), np.array([[history[-1][1]]]))


def test_ucb_chooses_the_same_from_running_sums_as_from_counts_of_wins_and_losses():
    bandit = TASKS["di"]
    for choices, wins in product([(0, 1, 0, 1, 1), (1, 0, 0, 0, 1)], product((0, 1), repeat=5)):
        subject = UCB(bandit)
        subject.begin(bandit, 1)
        for action, paid in zip(choices, wins, strict=True):
            subject.observe(np.array([[action]]), np.array([[paid]], np.float32))
        won = np.array([sum(w for c, w in zip(choices, wins, strict=True) if c == k) for k in (0, 1)])
        lost = np.array([choices.count(k) for k in (0, 1)]) - won
        assert subject.policy()[0, 0].tolist() == subject.policy_at(won, lost).tolist()


@pytest.mark.parametrize("kind", [Random, UCB, RescorlaWagner])
def test_learners_without_counts_take_graded_rewards_and_eleven_options(kind):
    done = play(kind(TASK), TASK, 50, generator(6, "graded"))
    assert done.policy.shape == (1, 50, 5, 11) and np.allclose(done.policy.sum(-1), 1)
