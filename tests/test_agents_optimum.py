"""Exact expected regrets: against the printed ones, against simulation, and against plain enumeration."""

import itertools
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest
from scipy.special import beta

from pipeline.agents import AGENTS, counts
from pipeline.agents.bayes import bayes_optimal
from pipeline.agents.bayes_independent import solve
from pipeline.agents.gittins import Gittins
from pipeline.agents.heuristics import Random
from pipeline.agents.optimum import (
    Reference,
    best_reward,
    bounds,
    chance_regret,
    expected_rewards,
    optimal_regret,
    reference,
)
from pipeline.agents.optimum_reversal import filter_regret
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS

BANDITS = ("di", "du", "de", "dm", "dh")
ARMS = (*BANDITS, "reversal")  # the other tasks' references are tested beside their worlds


@cache
def heuristic(name):
    """Exact regrets of a learner that is the same for every task, by task: one pass over its states for all five."""
    subject = AGENTS[name].load()(TASKS["di"], **AGENTS[name].settings)
    rewards = expected_rewards(subject, [TASKS[task] for task in BANDITS])
    return {task: best_reward(TASKS[task]) - reward for task, reward in zip(BANDITS, rewards, strict=True)}


def expected(name, task):
    """Expected regret and its standard error."""
    if task in BANDITS and name in ("thompson", "ucb", "gittins"):
        return heuristic(name)[task], 0.0
    found = reference(name, task)
    return found.value, found.standard_error


@pytest.mark.parametrize(
    ("task", "published"), [("di", 1.748), ("du", 1.221), ("de", 0.625), ("dm", 1.000), ("dh", 2.312)]
)
def test_the_exact_optima_are_the_known_ones_to_three_digits(task, published):
    assert optimal_regret(task) == pytest.approx(published, abs=5e-4)
    assert reference("bayes_optimal", task).exact and reference("bayes_optimal", task).standard_error == 0


def test_the_optimal_reward_on_independent_arms_is_the_known_one():
    assert solve(100)[1] == pytest.approx(64.918, abs=5e-4)
    assert best_reward(TASKS["di"]) - optimal_regret("di") == pytest.approx(solve(100)[1], abs=1e-9)


@pytest.mark.parametrize(
    ("task", "chance"), [("di", 50 / 3), ("du", 25), ("de", 40), ("dm", 25), ("dh", 10), ("reversal", 20)]
)
def test_chance_is_half_the_expected_difference_of_the_arms(task, chance):
    assert chance_regret(task) == pytest.approx(chance, abs=1e-9)
    assert reference("random", task) == Reference(pytest.approx(chance, abs=1e-9), 0.0, True)
    assert bounds(task) == {
        "chance_regret": chance_regret(task),
        "optimum_regret": optimal_regret(task),
        "optimum_standard_error": 0.0,
    }


def test_the_sum_over_states_gives_chance_for_random_choice():
    rewards = expected_rewards(Random(TASKS["di"]), [TASKS[task] for task in BANDITS])
    assert rewards == pytest.approx([50] * 5, abs=1e-9)


@pytest.mark.parametrize(("task", "published"), [("du", 1.541), ("de", 0.797), ("dm", 1.355), ("dh", 2.965)])
def test_the_ideal_agent_of_independent_arms_is_known_on_structured_arms(task, published):
    assert reference("bayes_optimal", task, "di").value == pytest.approx(published, abs=5e-4)


def test_the_ideal_agents_of_structured_arms_are_one_agent():
    assert reference("bayes_optimal", "di", "dh").value == pytest.approx(2.85, abs=0.08)  # known as "about 2.85"
    assert reference("bayes_optimal", "du", "dh") == reference("bayes_optimal", "du")
    wins, losses = counts.states(12)
    policies = [bayes_optimal(TASKS[task]).policy_at(wins, losses) for task in ("du", "de", "dm", "dh")]
    assert all((policy == policies[0]).all() for policy in policies)


# Simulated elsewhere over 20,000 tasks with standard errors .01–.04: agreement within two of the largest.
SIMULATED = {
    "thompson": (2.79, 2.79, 2.14, 3.00, 4.09),
    "ucb": (4.14, 4.20, 3.92, 4.71, 4.85),
    "gittins": (1.80, 1.57, 0.80, 1.41, 3.01),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_exact_regrets_of_the_learners_agree_with_simulations_made_elsewhere(name):
    assert [heuristic(name)[task] for task in BANDITS] == pytest.approx(SIMULATED[name], abs=0.08)
    found = reference(name, "dm")
    assert found.exact and found.value == pytest.approx(heuristic(name)["dm"], abs=1e-9)


def test_gittins_with_a_shorter_view_agrees_with_simulations_made_elsewhere():
    rewards = expected_rewards(Gittins(TASKS["di"], 0.9), [TASKS[task] for task in BANDITS])
    regrets = [best_reward(TASKS[task]) - reward for task, reward in zip(BANDITS, rewards, strict=True)]
    assert regrets == pytest.approx([2.03, 1.60, 0.66, 1.28, 3.50], abs=0.08)


@pytest.mark.parametrize("task", ARMS)
@pytest.mark.parametrize("name", ["bayes_optimal", "thompson", "ucb", "gittins", "random"])
def test_simulated_sessions_agree_with_the_exact_regret(name, task):
    value, standard_error = expected(name, task)
    entry = AGENTS[name]
    found = play(entry.load()(TASKS[task], **entry.settings), TASKS[task], 2000, generator(11, "regret", task)).regret()
    error = np.hypot(found.std(ddof=1) / np.sqrt(found.size), standard_error)
    assert abs(found.mean() - value) < 4 * error + 1e-9


def test_nobody_beats_the_optimum_and_chance_is_worst():
    for task in ARMS:
        for name in (n for n, e in AGENTS.items() if e.kind == "learner" and task in (e.tasks or ARMS)):
            value, error = expected(name, task)
            assert optimal_regret(task) <= value + 4 * error + 1e-9, (task, name)
            assert value - 4 * error <= chance_regret(task) + 1e-9, (task, name)


def test_what_is_simulated_says_so():
    found = reference("rescorla_wagner", "du")
    assert not found.exact and 0 < found.standard_error < 0.1


# Enumeration


def short(name, trials, **settings):
    return replace(TASKS[name], trials=trials, settings=MappingProxyType({**TASKS[name].settings, **settings}))


def enumerated(subject, task):
    """Expected reward over every history of choices and outcomes, the likelihood of each one integrated by itself."""
    total = 0.0
    for history in itertools.product([(arm, reward) for arm in (0, 1) for reward in (0, 1)], repeat=task.trials):
        subject.begin(task, 1)
        chance = 1.0
        for arm, reward in history:
            chance *= subject.policy(None)[0, 0, arm]
            subject.observe(np.array([[arm]]), np.array([[float(reward)]]))
        wins = [sum(r for a, r in history if a == k) for k in (0, 1)]
        losses = [sum(1 - r for a, r in history if a == k) for k in (0, 1)]
        if not task.settings["structured"]:
            likelihood = beta(1 + wins[0], 1 + losses[0]) * beta(1 + wins[1], 1 + losses[1])
        elif task.settings["pairs"] is None:
            likelihood = beta(1 + wins[0] + losses[1], 1 + losses[0] + wins[1])
        else:
            k, rest = wins[0] + losses[1], losses[0] + wins[1]
            likelihood = np.mean([p**k * (1 - p) ** rest for p in task.settings["pairs"]])
        total += chance * likelihood * sum(wins)
    return total


@pytest.mark.parametrize("name", ["thompson", "ucb", "gittins", "bayes_optimal"])
@pytest.mark.parametrize("task", ["di", "du", "dm"])
def test_exact_rewards_equal_enumeration_of_all_histories(name, task):
    small = short(task, 4)
    entry = AGENTS[name]
    subject = entry.load()(small, **entry.settings)
    assert expected_rewards(subject, [small])[0] == pytest.approx(enumerated(subject, small), abs=1e-12)


@pytest.mark.parametrize(
    ("schedules", "first", "last", "trials"),
    [((0.8, 0.7), 3, 5, 7), ((0.9,), 1, 2, 5), ((0.6, 0.75, 0.9), 2, 2, 6), ((0.8, 0.7), 4, 6, 8), ((0.7,), 5, 9, 9)],
)
def test_the_filters_exact_regret_equals_a_sum_over_all_outcome_sequences(schedules, first, last, trials):
    latent = list(itertools.product(schedules, (0, 1), range(first, last + 1)))
    total = 0.0
    for n in range(trials):
        for outcomes in itertools.product((0, 1), repeat=n):
            better = [0.0, 0.0]
            for p, initial, reversal in latent:
                likelihood = 1 / len(latent)
                for u, y in enumerate(outcomes, start=1):
                    now = 1 - initial if u >= reversal else initial
                    likelihood *= p if y == (now == 0) else 1 - p
                better[1 - initial if n + 1 >= reversal else initial] += likelihood * (2 * p - 1)
            total += min(better)
    assert filter_regret(schedules, first, last, trials) == pytest.approx(total, abs=1e-12)


def test_the_reversal_optimum_is_exact_and_far_from_chance():
    found = reference("bayes_optimal", "reversal")
    assert found.exact and 2 < found.value < 3


@pytest.mark.parametrize(
    ("agent", "task", "message"),
    [("lstm", "du", "'lstm' is no learner"), ("thomson", "du", "known are"), ("ucb", "d_u", "task 'd_u' is not known")],
)
def test_an_unknown_name_is_refused(agent, task, message):
    with pytest.raises(UserError, match=message):
        reference(agent, task)
