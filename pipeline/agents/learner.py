"""What all learners without training share: one subject, fresh memory per episode, counts of wins and losses."""

import numpy as np

from pipeline.errors import UserError
from pipeline.tasks import Task


def greedy(values: np.ndarray, tolerance: float = 1e-12) -> np.ndarray:
    """Policy of a maximiser: 1 on the largest of ``values`` (…, options), shared equally among ties."""
    best = values >= values.max(-1, keepdims=True) - tolerance
    return best / best.sum(-1, keepdims=True)


class Learner:
    """One subject without weights; a subclass states ``name``, `begin`, `policy` and `observe`.

    Parameters
    ----------
    task : Task
        The task that the learner is made for. It may then `begin` another: nothing else reaches it but its
        own choices and their rewards.
    """

    name = "learner"
    species = "learner"

    options: int | None = None  # number of options that it can deal with; None: any

    def __init__(self, task: Task):
        self.task = task
        self.require_options(task)

    def require_options(self, task: Task) -> None:
        """Refuse a task with another number of options than the learner is defined for.

        Raises
        ------
        UserError
            Naming learner, task and both numbers.
        """
        if self.options not in (None, task.options):
            raise UserError(f"learner {self.name!r} is defined for {self.options} options; "
                            f"task {task.name!r} has {task.options}")  # fmt: skip

    @property
    def subjects(self) -> tuple[str, ...]:
        """The one subject; subjects are letters and digits only."""
        return (self.name.replace("_", "") + "1",)


class CountLearner(Learner):
    """A learner whose policy depends only on how often each option paid and how often it did not.

    Subclasses give `policy_at`; the same function serves the session loop and the exact expected regrets of
    `pipeline.agents.optimum`, so that the two cannot drift apart.
    """

    def begin(self, task: Task, episodes: int) -> None:
        """Forget all counts; they are (1, episodes, options)."""
        self.require_options(task)
        self.wins = np.zeros((1, episodes, task.options), np.int64)
        self.losses = np.zeros_like(self.wins)

    def policy(self, observation=None) -> np.ndarray:
        """Probability of each option, (1, episodes, options)."""
        return self.policy_at(self.wins, self.losses)

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Count the outcome; action and reward are (1, episodes).

        Raises
        ------
        UserError
            If a reward is neither 0 nor 1: counts say nothing about graded rewards.
        """
        won = reward == 1
        if not (won | (reward == 0)).all():
            raise UserError(f"learner {self.name!r} counts wins and losses: reward {reward[~(won | (reward == 0))][0]} "
                            "is neither 0 nor 1; for graded rewards use rescorla_wagner")  # fmt: skip
        chosen = action[..., None] == np.arange(self.wins.shape[-1])
        self.wins += chosen & won[..., None]
        self.losses += chosen & ~won[..., None]

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Probability of each option after these counts, all (…, options)."""
        raise NotImplementedError
