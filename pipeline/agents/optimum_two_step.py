"""Exact expected regret of chance and of the optimum in the two-step task."""

import numpy as np
from scipy.stats import binom

from pipeline.agents.bayes_two_step import odds
from pipeline.tasks import Task


def loss(task: Task) -> float:
    """Return the difference of reward probability between the two first-stage actions, (2·common − 1)(high − low)."""
    high, low = task.settings["pays"]
    return (2 * task.settings["common"] - 1) * (high - low)


def chance_regret(task: Task) -> float:
    """Return the expected regret of uniform choice at the first stage, T · loss / 2, in rewards per episode."""
    return task.trials * loss(task) / 2


def optimal_regret(task: Task) -> tuple[float, float]:
    """Return the expected regret of the greedy filter (the optimum), in rewards per episode, and its standard error, 0.

    The outcome of a trial speaks for the truth with probability q, whichever state was reached and whatever was chosen
    (see `ContingencyFilter`), so that after n trials the number of outcomes that speak for it is binomial, and

        R = loss · Σ_{n < T} [ P(K_n < n/2) + ½ P(K_n = n/2) ],    K_n ~ Binomial(n, q).

    Raises
    ------
    UserError
        If the reward probabilities are not q and 1 − q.
    """
    odds(task)
    q = task.settings["pays"][0]
    wrong = 0.0
    for n in range(task.trials):
        k = np.arange(n + 1)
        wrong += float(binom.pmf(k, n, q) @ np.where(2 * k < n, 1.0, np.where(2 * k == n, 0.5, 0.0)))
    return loss(task) * wrong, 0.0
