"""Gittins index of Bernoulli arms with a uniform prior, and the learner that follows it."""

from functools import lru_cache

import numpy as np

from pipeline.agents.learner import CountLearner, greedy
from pipeline.errors import UserError
from pipeline.tasks import Task


class Gittins(CountLearner):
    """Choose the arm with the largest Gittins index.

    Optimal for independent arms and rewards discounted by γ^t for ever: not for 100 trials counted equally (that is
    the dynamic programme of `pipeline.agents.bayes_independent`), which it approaches as γ → 1.

    Parameters
    ----------
    task : Task
        Any with rewards 0 and 1.
    discount : float
        Discount factor γ, between 0 and 1.

    Raises
    ------
    UserError
        If γ is out of range.

    References
    ----------
    Gittins (1979), J. R. Stat. Soc. B 41:148.
    """

    name = "gittins"

    def __init__(self, task: Task, discount: float = 0.99):
        if not 0 < discount <= 0.999:  # the truncated horizon grows as 1 / (1 − γ)
            raise UserError(f"learner 'gittins': discount is {discount!r}; it must lie above 0 and at most at .999 "
                            "(did you write 99 for .99?)")  # fmt: skip
        super().__init__(task)
        self.discount = discount
        self.index = indices(discount, task.trials)

    def begin(self, task: Task, episodes: int) -> None:
        """Forget all counts; make sure that the table of indices covers the episode."""
        self.index = indices(self.discount, max(task.trials, self.task.trials))
        super().begin(task, episodes)

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Greedy policy on the index of each arm, (…, options)."""
        return greedy(self.index[wins, losses])


@lru_cache
def indices(discount: float, trials: int, grid: int = 1001, tail: float = 1e-4) -> np.ndarray:
    """Gittins index ν(wins, losses) of an arm with p ~ Beta(1 + wins, 1 + losses), wins + losses < ``trials``.

    Calibration against a known arm: with retirement reward λ per trial,

        v(w, l; λ) = max{λ, (1 − γ) m + γ [m v(w+1, l; λ) + (1 − m) v(w, l+1; λ)]},   m = (1 + w) / (2 + w + l),

    and ν is the λ at which going on and retiring are worth the same. v is solved backwards for a grid of λ, from so far
    ahead that γ^n falls below ``tail`` (where v = max(λ, m), itself nearly right after so many trials); ν is then
    interpolated linearly between the two λ that enclose it.

    Parameters
    ----------
    discount : float
        γ.
    trials : int
        Length of the table.
    grid : int
        Number of λ in 0 … 1.
    tail : float
        Discount at which the future is cut off.

    Returns
    -------
    array (trials + 1, trials + 1)
        ν[wins, losses]; NaN where wins + losses ≥ trials.
    """
    ahead = trials + int(np.ceil(np.log(tail) / np.log(discount)))
    table = np.full((trials + 1, trials + 1), np.nan)
    rates = np.linspace(0, 1, grid)
    advantage = [np.empty((grid, n + 1)) for n in range(trials)]  # going on minus retiring, per λ and number of wins
    for chunk in np.array_split(np.arange(grid), max(grid // 16, 1)):  # small enough for the processor's cache
        retire = rates[chunk, None]
        value = np.maximum(retire, (1 + np.arange(ahead + 1)) / (2 + ahead))
        for n in range(ahead - 1, -1, -1):
            mean = (1 + np.arange(n + 1)) / (2 + n)
            proceed = (1 - discount) * mean + discount * (mean * value[:, 1:] + (1 - mean) * value[:, :-1])
            if n < trials:
                advantage[n][chunk] = proceed - retire
            value = np.maximum(retire, proceed)
    for n in range(trials):
        wins = np.arange(n + 1)
        # Going on is worth at least as much below ν and less above it.
        above = np.clip((advantage[n] >= 0).sum(0), 1, grid - 1)
        left, right = advantage[n][above - 1, wins], advantage[n][above, wins]
        table[wins, n - wins] = rates[above - 1] + (rates[above] - rates[above - 1]) * left / (left - right)
    return table
