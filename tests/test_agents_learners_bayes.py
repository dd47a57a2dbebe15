"""The exact learners against enumeration: nothing but Bayes' rule and recursion over whole histories."""

import itertools
from dataclasses import replace
from fractions import Fraction
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest

from pipeline.agents import counts
from pipeline.agents.bayes import StructuredArms, bayes_optimal, kind
from pipeline.agents.bayes_independent import EITHER, IndependentArms, solve
from pipeline.agents.bayes_reversal import ReversalFilter
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS

HALF = Fraction(1, 2)


def short(name, trials, **settings):
    task = TASKS[name]
    return replace(task, trials=trials, settings=MappingProxyType({**task.settings, **settings}))


# Independent arms


@cache
def best(history, trials):
    """Expected future reward of each arm after a whole history ((arm, reward), …), then best play; uniform priors."""
    values = []
    for arm in (0, 1):
        outcomes = [reward for chosen, reward in history if chosen == arm]
        mean = Fraction(1 + sum(outcomes), 2 + len(outcomes))
        future = [Fraction(0)] * 2
        if len(history) + 1 < trials:
            future = [max(best((*history, (arm, reward)), trials)) for reward in (0, 1)]
        values.append(mean * (1 + future[1]) + (1 - mean) * future[0])
    return tuple(values)


@pytest.mark.parametrize("trials", [1, 2, 3, 4])
def test_dynamic_programming_equals_recursion_over_all_histories(trials):
    assert solve(trials)[1] == pytest.approx(float(max(best((), trials))), abs=1e-12)


def test_dynamic_programming_chooses_as_recursion_over_all_histories_ties_included():
    subject = IndependentArms(short("di", 4))
    ties = 0
    for length in range(4):
        for history in itertools.product([(arm, reward) for arm in (0, 1) for reward in (0, 1)], repeat=length):
            wins = np.array([sum(r for a, r in history if a == k) for k in (0, 1)])
            losses = np.array([sum(1 - r for a, r in history if a == k) for k in (0, 1)])
            first, second = best(history, 4)
            expected = 0.5 if first == second else float(first > second)
            ties += first == second
            assert subject.policy_at(wins, losses)[0] == expected
    assert ties == 5


def test_no_policy_of_three_trials_earns_more_than_dynamic_programming():
    nodes = [outcomes for length in range(3) for outcomes in itertools.product((0, 1), repeat=length)]

    def earned(policy):
        total = Fraction(0)
        for outcomes in itertools.product((0, 1), repeat=3):
            probability, wins, losses = Fraction(1), [0, 0], [0, 0]
            for t, reward in enumerate(outcomes):
                arm = policy[outcomes[:t]]
                mean = Fraction(1 + wins[arm], 2 + wins[arm] + losses[arm])
                probability *= mean if reward else 1 - mean
                (wins if reward else losses)[arm] += 1
            total += probability * sum(outcomes)
        return total

    rewards = [earned(dict(zip(nodes, arms))) for arms in itertools.product((0, 1), repeat=len(nodes))]
    assert len(rewards) == 128
    assert solve(3)[1] == pytest.approx(float(max(rewards)), abs=1e-12)


def test_every_state_of_counts_has_its_own_place():
    for t in (0, 1, 5, 9):
        found = counts.states(t)
        assert (counts.locate(*found, t) == np.arange(counts.number(t))).all()
        assert (found.wins.sum(-1) + found.losses.sum(-1) == t).all() and min(found.wins.min(), found.losses.min()) >= 0
        assert len({(*w, *l) for w, l in zip(found.wins.tolist(), found.losses.tolist())}) == counts.number(t)


def test_successors_add_one_outcome():
    found, following = counts.states(4), counts.states(5)
    for arm, (win, loss) in enumerate(counts.successors(found, 4)):
        step = np.eye(2, dtype=int)[arm]
        assert (following.wins[win] == found.wins + step).all() and (following.losses[win] == found.losses).all()
        assert (following.wins[loss] == found.wins).all() and (following.losses[loss] == found.losses + step).all()


def test_optimal_choices_mirror_when_the_arms_are_exchanged():
    choices, _ = solve(30)
    for t in (3, 10, 29):
        found = counts.states(t)
        mirrored = choices[t][counts.locate(found.wins[:, ::-1], found.losses[:, ::-1], t)]
        assert (np.where(mirrored == EITHER, EITHER, 1 - mirrored) == choices[t]).all()


def test_the_last_choice_is_greedy_on_the_posterior_mean():
    choices, _ = solve(30)
    found = counts.states(29)
    mean = (1 + found.wins) / (2 + found.wins + found.losses)
    assert (choices[29][mean[:, 0] > mean[:, 1] + 1e-9] == 0).all()
    assert (choices[29][mean[:, 1] > mean[:, 0] + 1e-9] == 1).all()


def test_planning_explores_where_greed_would_not():
    """Two wins in three against nothing known: the means are .6 and .5, and yet with 97 trials to come it looks."""
    policy = IndependentArms(TASKS["di"]).policy_at(np.array([2, 0]), np.array([1, 0]))
    assert policy.tolist() == [0, 1]


def test_a_plan_for_fewer_trials_than_the_task_has_is_refused():
    with pytest.raises(UserError, match="plans 80 trials ahead; task 'du' has 100"):
        IndependentArms(short("di", 80)).begin(TASKS["du"], 1)


# Structured arms


def hypotheses(task):
    """Latent (p of option 0 on every trial, weight) of a task with p2 = 1 − p1 and a discrete prior, as fractions."""
    if kind(task) == "structured":
        return [([Fraction(str(p))] * task.trials, HALF) for p in task.settings["pairs"]]
    found = []
    first, last = task.settings["first"], task.settings["last"]
    for p, better, reversal in itertools.product(task.settings["schedules"], (0, 1), range(first, last + 1)):
        high = Fraction(str(p))
        now = [better if t < reversal else 1 - better for t in range(1, task.trials + 1)]
        found.append(([high if b == 0 else 1 - high for b in now], HALF * Fraction(1, 2 * (last - first + 1))))
    return found


def planned(task):
    """Best expected reward by planning over whole histories, with no idea that greed might do."""
    latent = hypotheses(task)

    @cache
    def value(history):
        t = len(history)
        if t == task.trials:
            return Fraction(0)
        weights = []
        for p, weight in latent:
            for u, (arm, reward) in enumerate(history):
                pays = p[u] if arm == 0 else 1 - p[u]
                weight = weight * (pays if reward else 1 - pays)
            weights.append(weight)
        options = []
        for arm in (0, 1):
            mean = sum(w * (p[t] if arm == 0 else 1 - p[t]) for (p, _), w in zip(latent, weights)) / sum(weights)
            options.append(mean * (1 + value((*history, (arm, 1)))) + (1 - mean) * value((*history, (arm, 0))))
        return max(options)

    return value(())


def earned_exactly(subject, task):
    """Expected reward of a learner by playing out every history with its own policy."""
    latent = hypotheses(task)
    total = 0.0
    steps = [(arm, reward) for arm in (0, 1) for reward in (0, 1)]
    for history in itertools.product(steps, repeat=task.trials):
        subject.begin(task, 1)
        chance = 1.0
        for arm, reward in history:
            chance *= subject.policy(None)[0, 0, arm]
            subject.observe(np.array([[arm]]), np.array([[float(reward)]]))
        if chance:
            for p, weight in latent:
                paid = [
                    (p[t] if a == 0 else 1 - p[t]) if r else (1 - p[t] if a == 0 else p[t])
                    for t, (a, r) in enumerate(history)
                ]
                total += chance * float(weight * np.prod(paid)) * sum(r for _, r in history)
    return total


@pytest.mark.parametrize("name", ["de", "dm", "dh"])
@pytest.mark.parametrize("trials", [1, 2, 4])
def test_the_majority_rule_earns_what_planning_over_all_histories_earns(name, trials):
    task = short(name, trials)
    assert earned_exactly(StructuredArms(task), task) == pytest.approx(float(planned(task)), abs=1e-12)


def test_the_majority_rule_counts_a_loss_of_one_arm_as_a_win_of_the_other():
    subject = StructuredArms(TASKS["du"])
    policies = subject.policy_at(np.array([[1, 0], [0, 0], [1, 0], [2, 1]]), np.array([[0, 0], [0, 1], [1, 0], [0, 2]]))
    assert policies.tolist() == [[1, 0], [1, 0], [0.5, 0.5], [1, 0]]


# Reversal


@pytest.mark.parametrize(("trials", "first", "last"), [(2, 2, 2), (4, 2, 3), (4, 3, 4)])
def test_the_greedy_filter_earns_what_planning_over_all_histories_earns(trials, first, last):
    task = short("reversal", trials, first=first, last=last)
    assert earned_exactly(ReversalFilter(task), task) == pytest.approx(float(planned(task)), abs=1e-12)


def test_the_filter_equals_enumeration_of_schedule_better_object_and_reversal_trial():
    task = TASKS["reversal"]
    first, last = task.settings["first"], task.settings["last"]
    trial = np.arange(1, 81)
    hidden = itertools.product(task.settings["schedules"], (0, 1), range(first, last + 1))
    latent = np.array([np.where((trial < r) == (b == 0), p, 1 - p) for p, b, r in hidden])
    assert len(latent) == 80
    subject, rng = ReversalFilter(task), np.random.default_rng(8)
    subject.begin(task, 6)
    likelihood = np.full((6, 80), 1 / 80)
    for t in range(80):
        expected = (likelihood * latent[:, t]).sum(1) / likelihood.sum(1)
        assert subject.predictive() == pytest.approx(expected, abs=1e-10)
        assert subject.belief.sum((1, 2, 3)) == pytest.approx(1)
        action = rng.integers(2, size=(1, 6))
        reward = (rng.random((1, 6)) < 0.5).astype(np.float32)
        pays = np.where(action[0, :, None] == 0, latent[:, t], 1 - latent[:, t])
        likelihood *= np.where(reward[0, :, None] == 1, pays, 1 - pays)
        subject.observe(action, reward)


def test_the_filter_learns_the_same_from_either_choice():
    task = TASKS["reversal"]
    one, two = ReversalFilter(task), ReversalFilter(task)
    one.begin(task, 1)
    two.begin(task, 1)
    for t in range(80):
        one.observe(np.array([[0]]), np.array([[t % 3 == 0]]))
        two.observe(np.array([[1]]), np.array([[t % 3 != 0]]))
        assert one.predictive() == pytest.approx(two.predictive(), abs=1e-12)


def test_the_filter_expects_the_reversal_and_switches_sooner_than_it_learned():
    task = TASKS["reversal"]
    done = play(ReversalFilter(task), task, 3000, generator(1, "switch"))
    right = done.choice == done.latent["better_option"]
    reversal = (done.latent["block"] == 1).sum(-1)[0]
    index = np.arange(3000)
    assert right[0, index, 25].mean() > 0.98
    assert right[0, index, reversal].mean() < 0.5  # the first reversed trial comes unannounced …
    assert right[0, index, reversal + 5].mean() > right[0, index, 5].mean()  # … but was expected within twenty trials


# Which one


@pytest.mark.parametrize(("name", "cls"), [("di", IndependentArms), ("du", StructuredArms), ("dh", StructuredArms),
                                           ("reversal", ReversalFilter)])  # fmt: skip
def test_every_task_has_its_own_optimum(name, cls):
    assert type(bayes_optimal(TASKS[name])) is cls


def test_a_prior_without_a_known_optimum_is_refused():
    with pytest.raises(UserError, match="no exact optimum is known here for task 'de'"):
        bayes_optimal(short("de", 100, structured=False))
