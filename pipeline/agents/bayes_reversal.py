"""The exact optimum for the object-reversal task: a filter over the hidden state."""

import numpy as np

from pipeline.agents.learner import Learner, greedy
from pipeline.tasks import Task


class ReversalFilter(Learner):
    """Filter schedule, initially better object and reversal exactly; choose the object more likely to pay.

    Hidden are the schedule p (each equally likely), the initially better object b (equally likely) and the trial r of
    the first reversed outcome (uniform on ``first`` … ``last``). Since p2 = 1 − p1, a win of object 0 and a loss of
    object 1 are the same event y_t = 1, of probability p if object 0 is better at trial t and 1 − p if not. The filter
    carries the joint posterior of (p, b, reversed or not); before trial t the mass moves to "reversed" by the hazard

        P(r = t | r ≥ t) = 1 / (last − t + 1),   first ≤ t ≤ last,

    which sums over r exactly, because the likelihood after a reversal does not depend on when it came. As both choices
    show the same y_t, no choice can buy information, and the greedy policy on P(object 0 pays) is optimal.

    Parameters
    ----------
    task : Task
        With settings ``schedules``, ``first`` and ``last``.

    References
    ----------
    Costa et al. (2016), Neuron 92:505, for the task; Costa et al. (2015), J. Neurosci. 35:2407, for Bayesian reversal
    learning in it.
    """

    name = "bayes_optimal"
    options = 2

    def __init__(self, task: Task):
        super().__init__(task)
        self.first, self.last = task.settings["first"], task.settings["last"]
        high = np.asarray(task.settings["schedules"], float)
        # P(object 0 pays): schedule × object initially better × not yet or already reversed.
        before = np.stack([high, 1 - high], -1)
        self.pays = np.stack([before, 1 - before], -1)

    def begin(self, task: Task, episodes: int) -> None:
        """Return to the prior; ``belief`` is (episodes, schedules, 2, 2), summing to 1 per episode."""
        self.require_options(task)
        self.belief = np.zeros((episodes, *self.pays.shape))
        self.belief[..., 0] = 1 / self.pays[..., 0].size
        self.trial = 1
        self._advance()

    def policy(self, observation=None) -> np.ndarray:
        """Greedy on the predictive probability that each object pays, (1, episodes, 2)."""
        first = self.predictive()
        return greedy(np.stack([first, 1 - first], -1))[None]

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Condition on the outcome and step to the next trial; action and reward are (1, episodes)."""
        outcome = ((action == 0) == (reward == 1))[0, :, None, None, None]
        self.belief = self.belief * np.where(outcome, self.pays, 1 - self.pays)
        self.belief /= self.belief.sum((1, 2, 3), keepdims=True)
        self.trial += 1
        self._advance()

    def predictive(self) -> np.ndarray:
        """Probability that object 0 pays on the current trial, (episodes,)."""
        return (self.belief * self.pays).sum((1, 2, 3))

    def _advance(self) -> None:
        if self.first <= self.trial <= self.last:
            moved = self.belief[..., 0] / (self.last - self.trial + 1)
            self.belief[..., 0] -= moved
            self.belief[..., 1] += moved
            if self.trial == self.last:
                self.belief[..., 0] = 0  # rounding may leave a trace
