"""Two-step learners: the exact filter, planning, TD(1), and what regret to expect."""

from dataclasses import replace
from functools import cache
from itertools import product
from types import MappingProxyType

import numpy as np
import pytest

from pipeline.agents import AGENTS
from pipeline.agents.bayes import bayes_optimal, kind
from pipeline.agents.bayes_two_step import ContingencyFilter
from pipeline.agents.optimum import bounds, reference
from pipeline.agents.optimum_two_step import chance_regret, optimal_regret
from pipeline.agents.two_step import ModelBased, ModelFree
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import TASKS

TASK = TASKS["two_step"]
S1 = np.array([[[1.0, 0, 0]]])


def given(**settings):
    trials = settings.pop("trials", TASK.trials)
    return replace(TASK, trials=trials, settings=MappingProxyType({**TASK.settings, **settings}))


def second(state):
    return np.eye(3)[[[1 + state]]]


def lead(agent, trials):
    """First-stage policies of an agent led through (choice, state, reward) trials, and after them, (trials + 1, 2)."""
    agent.begin(TASK, 1)
    found = []
    for choice, state, reward in trials:
        found.append(agent.policy(S1)[0, 0])
        agent.observe(np.array([[choice]]), np.zeros((1, 1)))
        assert np.allclose(agent.policy(second(state)), 0.5)
        agent.observe(np.array([[1]]), np.array([[float(reward)]]))
    return np.array([*found, agent.policy(S1)[0, 0]])


def believe(trials, pays=(0.9, 0.1)):
    """P(S2 good | history) by Bayes' rule, outcome by outcome; choices and transitions tell nothing."""
    likelihood = []
    for good in (0, 1):
        p = [pays[0] if state == good else pays[1] for _, state, _ in trials]
        likelihood.append(np.prod([q if reward else 1 - q for q, (_, _, reward) in zip(p, trials, strict=True)]))
    return likelihood[0] / sum(likelihood)


def test_the_filter_holds_the_posterior_of_bayes_rule():
    draw = generator(1, "histories")
    for _ in range(50):
        trials = draw.integers(2, size=(10, 3)).tolist()
        agent = ContingencyFilter(TASK)
        policies = lead(agent, trials)
        assert agent.posterior()[0, 0] == pytest.approx(believe(trials), rel=1e-9)
        for t, policy in enumerate(policies):
            belief = believe(trials[:t])
            assert policy[0] == (0.5 if abs(belief - 0.5) < 1e-9 else float(belief > 0.5))


def best_reward_by_dynamic_programming(trials, common, pays):
    """Largest expected reward over all policies that may use the whole history of choices, states and rewards."""

    @cache
    def value(history):
        if len(history) == trials:
            return 0.0
        return max(worth(history, action) for action in (0, 1))

    def worth(history, action):
        total, belief = 0.0, believe(history, pays)
        for state, reward in product((0, 1), (0, 1)):
            reach = common if state == action else 1 - common
            p = [pays[0] if state == good else pays[1] for good in (0, 1)]
            chance = sum(b * (q if reward else 1 - q) for b, q in zip((belief, 1 - belief), p, strict=True))
            total += reach * chance * (reward + value((*history, (action, state, reward))))
        return total

    return value(())


@pytest.mark.parametrize(("trials", "common", "high"), [(1, 0.75, 0.9), (3, 0.75, 0.9), (4, 0.75, 0.9), (4, 0.8, 0.7)])
def test_no_policy_of_the_whole_history_beats_the_greedy_filter(trials, common, high):
    pays = (high, round(1 - high, 12))
    task = given(trials=trials, common=common, pays=pays)
    best = trials * (common * high + (1 - common) * (1 - high))
    regret = best - best_reward_by_dynamic_programming(trials, common, pays)
    assert optimal_regret(task) == (pytest.approx(regret, abs=1e-12), 0)


def test_chance_and_optimum_are_those_of_a_simulation():
    assert kind(TASK) == "two_step" and isinstance(bayes_optimal(TASK), ContingencyFilter)
    assert chance_regret(TASK) == pytest.approx(2.0)
    for agent, expected in ((ContingencyFilter(TASK), optimal_regret(TASK)[0]), (AGENTS["random"].load()(TASK), 2.0)):
        regret = play(agent, TASK, 20_000, generator(2, "simulation")).regret()
        assert abs(regret.mean() - expected) < 4 * regret.std() / np.sqrt(regret.size)


def test_the_bounds_of_the_scale_are_exact():
    found = bounds("two_step")
    assert found["chance_regret"] == pytest.approx(2.0)
    assert found["optimum_regret"] == pytest.approx(0.3118, abs=5e-5) and found["optimum_standard_error"] == 0
    assert reference("random", "two_step").exact and reference("bayes_optimal", "two_step").exact


def test_the_filter_stays_as_the_exact_computation_says():
    behaviour = play(ContingencyFilter(TASK), TASK, 20_000, generator(3, "stay"))
    stay = behaviour.choice[..., 1:] == behaviour.choice[..., :-1]
    won, common = behaviour.reward[..., :-1] == 1, behaviour.latent["transition"][..., :-1] == "common"
    for w, c, p in ((True, True, 1.0), (True, False, 0.496), (False, True, 0.507), (False, False, 1.0)):
        cell = stay[(won == w) & (common == c)]
        # Trials of an episode depend on each other: at most nine pairs for one.
        assert abs(cell.mean() - p) <= 4 * np.sqrt(p * (1 - p) * 9 / cell.size) + 5e-4 * (p < 1)


def test_td1_credits_the_choice_and_the_planner_the_state():
    trials = [(0, 0, 1), (0, 1, 1), (1, 0, 0)]
    free = lead(ModelFree(TASK, alpha=0.5, beta=5), trials)
    q = [(0.5, 0.5), (0.75, 0.5), (0.875, 0.5), (0.875, 0.25)]
    assert np.allclose(free[:, 0], [1 / (1 + np.exp(-5 * (a - b))) for a, b in q])
    based = lead(ModelBased(TASK, alpha=0.5, beta=5), trials)
    values = [(0.5, 0.5), (0.75, 0.5), (0.75, 0.75), (0.375, 0.75)]
    plans = [(0.75 * u + 0.25 * v, 0.25 * u + 0.75 * v) for u, v in values]
    assert np.allclose(based[:, 0], [1 / (1 + np.exp(-5 * (a - b))) for a, b in plans])


def test_only_the_planner_turns_away_from_a_choice_that_paid_by_a_rare_way():
    rare_reward = [(0, 1, 1)]
    assert lead(ModelFree(TASK), rare_reward)[-1, 0] > 0.5 > lead(ModelBased(TASK), rare_reward)[-1, 0]
    assert lead(ContingencyFilter(TASK), rare_reward)[-1, 0] == 0


@pytest.mark.parametrize("factory", [ContingencyFilter, ModelBased, ModelFree])
def test_nothing_survives_begin(factory):
    agent = factory(TASK)
    lead(agent, [(0, 0, 1), (1, 1, 0)])
    agent.begin(TASK, 3)
    assert np.allclose(agent.policy(np.broadcast_to(S1, (1, 3, 3))), 0.5)


@pytest.mark.parametrize("name", ["model_based", "model_free"])
def test_the_registered_learners_lie_between_chance_and_the_optimum(name):
    regret = play(AGENTS[name].load()(TASK, **AGENTS[name].settings), TASK, 4000, generator(4, name)).regret()
    assert 0.3118 + 0.3 < regret.mean() < 2.0 - 0.3


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match=r"alpha is 1\.5"):
        ModelFree(TASK, alpha=1.5)
    with pytest.raises(UserError, match="beta is -1"):
        ModelBased(TASK, beta=-1)
    with pytest.raises(UserError, match="two steps per trial"):
        ModelBased(TASKS["du"])
    with pytest.raises(UserError, match="the exact optimum is known for q and 1 − q"):
        ContingencyFilter(given(pays=(0.8, 0.1)))
    with pytest.raises(UserError, match="the exact optimum is known for q and 1 − q"):
        optimal_regret(given(pays=(0.8, 0.1)))
