"""What regret to expect: of the exact optimum, of every learner, and of chance, under a task's own prior.

Wherever a learner's choices depend on nothing but its counts the expectation on stationary arms is exact (a sum, not a
simulation), and so is that of the reversal filter on its own task. Anything else is simulated, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaln

from pipeline.agents import AGENTS, counts
from pipeline.agents.bayes import kind
from pipeline.agents.bayes_reversal import ReversalFilter
from pipeline.agents.heuristics import Random
from pipeline.agents.learner import CountLearner, Learner
from pipeline.agents.optimum_reversal import filter_regret
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import Task
from pipeline.tasks import task as find_task


@dataclass(frozen=True)
class Reference:
    """Expected cumulative regret R_T = E Σ_t (μ*_t − μ_{a_t}) of one agent on one task, in rewards per episode."""

    value: float
    standard_error: float  # 0 where exact
    exact: bool


def optimal_regret(task_name: str) -> float:
    """Return the expected regret of the Bayes-optimal learner on its own task, in rewards per episode."""
    return reference("bayes_optimal", task_name).value


def chance_regret(task_name: str) -> float:
    """Exact expected regret of random choice, in rewards per episode; T · E|p1 − p2| / 2 of two arms."""
    found = find_task(task_name)
    own = _family_module(found)
    if own is not None:
        return own.chance_regret(found)
    return best_reward(found) - found.trials / 2  # every prior is symmetric: a random choice pays ½ on average


def bounds(task_name: str) -> dict[str, float]:
    """Return both ends of the scale that regret is read on, by name.

    ``chance_regret``, ``optimum_regret`` and ``optimum_standard_error``, which is 0 where the optimum is a sum and not
    a simulation.
    """
    optimum = reference("bayes_optimal", task_name)
    return {
        "chance_regret": chance_regret(task_name),
        "optimum_regret": optimum.value,
        "optimum_standard_error": optimum.standard_error,
    }


def _family_module(task: Task):
    """Find the module with ``chance_regret`` and ``optimal_regret`` of a task family; None for stationary arms."""
    family = kind(task)
    if family == "restless":
        from pipeline.agents import optimum_restless

        return optimum_restless
    if family == "two_step":
        from pipeline.agents import optimum_two_step

        return optimum_two_step
    if family == "informative_arm":
        from pipeline.agents import optimum_informative

        return optimum_informative
    return None


def best_reward(task: Task) -> float:
    """Return the expected reward of an episode if the better option were always chosen, T · E max(p1, p2).

    E max is 2/3 for independent uniform arms, 3/4 for p1 ~ U[0, 1] and p2 = 1 − p1, else the mean of max(p, 1 − p).
    """
    family = kind(task)
    if family == "independent":
        return task.trials * 2 / 3
    values = task.settings["schedules" if family == "reversal" else "pairs"]
    return task.trials * (3 / 4 if values is None else float(np.mean([max(p, 1 - p) for p in values])))


@cache
def reference(agent: str, test_task: str, training_task: str | None = None) -> Reference:
    """Return the expected regret of a learner of the registry on a task.

    Parameters
    ----------
    agent : str
        A learner of the registry `AGENTS`, with the settings that stand there.
    test_task : str
        Task whose prior is averaged over.
    training_task : str, optional
        Task that the learner is made for, if another: ``reference("bayes_optimal", "du", "di")`` is the ideal D_i
        agent on D_u.

    Raises
    ------
    UserError
        If there is no such task or learner, or the agent is one that must be trained.
    """
    if agent not in AGENTS or AGENTS[agent].kind != "learner":
        known = ", ".join(name for name, entry in AGENTS.items() if entry.kind == "learner")
        raise UserError(f"reference regret: {agent!r} is no learner; known are {known}")
    entry = AGENTS[agent]
    made_for = find_task(test_task if training_task is None else training_task)
    return expected_regret(entry.load()(made_for, **entry.settings), find_task(test_task))


def expected_regret(learner: Learner, task: Task) -> Reference:
    """Return the expected regret of a learner on a task: exact where possible, else simulated over 20,000 episodes."""
    family, own = kind(task), _family_module(task)
    if own is not None:
        if isinstance(learner, Random):
            return Reference(own.chance_regret(task), 0.0, True)
        if learner.name == "bayes_optimal" and learner.task.name == task.name:
            value, error = own.optimal_regret(task)
            return Reference(value, error, error == 0)
        return _simulated(learner, task)
    if isinstance(learner, Random):
        return Reference(best_reward(task) - task.trials / 2, 0.0, True)
    if family != "reversal" and isinstance(learner, CountLearner):
        return Reference(best_reward(task) - expected_rewards(learner, [task])[0], 0.0, True)
    if family == "reversal" and isinstance(learner, ReversalFilter) and learner.task.settings == task.settings:
        schedules, first, last = (task.settings[name] for name in ("schedules", "first", "last"))
        return Reference(filter_regret(schedules, first, last, task.trials), 0.0, True)
    return _simulated(learner, task)


def _simulated(learner: Learner, task: Task) -> Reference:
    draws = [generator(1, "reference", learner.name, task.name, part) for part in range(5)]
    regret = np.concatenate([play(learner, task, 4000, draw).regret()[0] for draw in draws])
    return Reference(float(regret.mean()), float(regret.std(ddof=1) / np.sqrt(regret.size)), False)


def expected_rewards(learner: CountLearner, tasks: Sequence[Task]) -> list[float]:
    """Return the exact expected reward of an episode on stationary arms, for a policy that depends on the counts alone.

    Given the choices, a sequence of outcomes has the probability Π_k p_k^{w_k} (1 − p_k)^{l_k}, whatever their order:

        E[reward of trial t + 1] = Σ_states N_t(state) Σ_k π_k(state) E[p_k Π_j p_j^{w_j} (1 − p_j)^{l_j}],

    where N_t sums the product of the policy's probabilities over all paths into the state, carried forward trial by
    trial, and the last factor is a moment of the prior. N_t is the same for every prior, so that several tasks of equal
    length cost little more than one.

    Parameters
    ----------
    learner : CountLearner
        Begins the first of the tasks.
    tasks : sequence of Task
        Stationary two-armed tasks, all of the same number of trials.

    Returns
    -------
    list of float
        Rewards per episode, one entry per task.
    """
    learner.begin(tasks[0], 1)
    paths, total = np.ones(1), np.zeros(len(tasks))
    for t in range(tasks[0].trials):
        found = counts.states(t)
        flow = paths[:, None] * learner.policy_at(*found)
        total += [float((flow * _moments(task, *found)).sum()) for task in tasks]
        paths = np.zeros(counts.number(t + 1))
        for arm, moves in enumerate(counts.successors(found, t)):
            for place in moves:  # no two states lead to one by the same move, so that += adds every path
                paths[place] += flow[:, arm]
    return total.tolist()


def _moments(task: Task, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """E[p_k · Π_j p_j^{w_j} (1 − p_j)^{l_j}] over the task's prior, (states, 2)."""
    if kind(task) == "independent":
        own, gain = _beta(wins, losses), (1 + wins) / (2 + wins + losses)
        return own.prod(-1, keepdims=True) * gain
    k, rest = wins[:, 0] + losses[:, 1], losses[:, 0] + wins[:, 1]
    pairs = task.settings["pairs"]
    if pairs is None:
        return np.stack([_beta(k + 1, rest), _beta(k, rest + 1)], -1)
    likelihood = [p**k * (1 - p) ** rest for p in pairs]
    return np.mean([np.stack([value * p, value * (1 - p)], -1) for value, p in zip(likelihood, pairs, strict=True)], 0)


def _beta(wins, losses):
    """∫ p^w (1 − p)^l dp = w! l! / (w + l + 1)!."""
    log_factorial = gammaln(np.arange(int((wins + losses).max(initial=0)) + 2) + 1)
    return np.exp(log_factorial[wins] + log_factorial[losses] - log_factorial[wins + losses + 1])
