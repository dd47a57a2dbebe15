"""The exact optimum for two independent Bernoulli arms with uniform priors and a known number of trials (D_i)."""

from functools import lru_cache

import numpy as np

from pipeline.agents import counts
from pipeline.agents.learner import CountLearner
from pipeline.errors import UserError
from pipeline.tasks import Task

FIRST, SECOND, EITHER = 0, 1, 2


class IndependentArms(CountLearner):
    """Choose what maximises the expected reward of all remaining trials, by dynamic programming.

    With p_k ~ U[0, 1], independent, the posterior after w wins and l losses is Beta(1 + w, 1 + l), so the four counts
    (w₀, l₀, w₁, l₁) are a sufficient state, and with m_k = (1 + w_k) / (2 + w_k + l_k)

        V_t = max_k { m_k (1 + V_{t+1}[w_k + 1]) + (1 − m_k) V_{t+1}[l_k + 1] },   V_T = 0.

    Both arms equally good: either with probability .5.

    Parameters
    ----------
    task : Task
        Two arms; its number of trials is the horizon T. In a shorter task the learner still counts on T trials.

    References
    ----------
    Bradt, Johnson & Karlin (1956), Ann. Math. Stat. 27:1060; Bellman (1956), Sankhyā 16:221.
    """

    name = "bayes_optimal"
    options = 2

    def __init__(self, task: Task):
        super().__init__(task)
        self.choices, self.expected_reward = solve(task.trials)

    def begin(self, task: Task, episodes: int) -> None:
        """Forget all counts.

        Raises
        ------
        UserError
            If the episode is longer than the horizon.
        """
        if task.trials > self.task.trials:
            raise UserError(f"bayes_optimal for task {self.task.name!r} plans {self.task.trials} trials ahead; "
                            f"task {task.name!r} has {task.trials}")  # fmt: skip
        super().begin(task, episodes)

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Look the optimal choice up, (…, 2); the states may lie at different trials."""
        trial = (wins + losses).sum(-1)
        choice = np.empty(trial.shape, np.int8)
        for t in np.unique(trial):  # in the session loop all are at the same trial
            at = trial == t
            choice[at] = self.choices[t][counts.locate(wins[at], losses[at], int(t))]
        first = np.where(choice == EITHER, 0.5, choice == FIRST)
        return np.stack([first, 1 - first], -1)


@lru_cache(maxsize=4)
def solve(trials: int, tolerance: float = 1e-11) -> tuple[list[np.ndarray], float]:
    """Optimal choice in every state, and the expected reward of an episode.

    Returns
    -------
    choices : list of int8 arrays
        Per number of trials done, one entry per state in the order of `counts.states`: 0, 1, or 2 for a tie.
    expected_reward : float
        V₀, rewards per episode.
    """
    value = np.zeros(counts.number(trials))
    choices: list[np.ndarray] = [np.empty(0, np.int8)] * trials
    for t in range(trials - 1, -1, -1):
        found = counts.states(t)
        mean = (1 + found.wins) / (2 + found.wins + found.losses)
        first, second = (
            mean[:, arm] * (1 + value[win]) + (1 - mean[:, arm]) * value[loss]
            for arm, (win, loss) in enumerate(counts.successors(found, t))
        )
        choices[t] = np.where(np.abs(first - second) < tolerance, EITHER, first < second).astype(np.int8)
        value = np.maximum(first, second)
    return choices, float(value[0])
