"""The exact optimum for the two-step task of Wang et al. 2017: a filter over which state pays."""

import numpy as np

from pipeline.agents.learner import greedy
from pipeline.agents.two_step import SecondStage
from pipeline.errors import UserError
from pipeline.tasks import Task


class ContingencyFilter(SecondStage):
    """Keep the exact posterior that S2 is the good state; choose the action that commonly leads to the better bet.

    With reward probabilities q (good) and 1 − q (other), a reward at S2 and an omission at S3 are the same event of
    probability q if S2 is good and 1 − q if not. With k such events among n trials,

        P(S2 good | k, n) = 1 / (1 + x^{−(2k − n)}),    x = q / (1 − q),

    and every trial moves the log odds by ± log x whichever state is reached: no choice can buy information, and
    the greedy policy (a1 if P > ½, a2 if P < ½, either at a tie) is optimal. The second-stage action is of no
    consequence; it is chosen uniformly.

    Parameters
    ----------
    task : Task
        With the setting ``pays`` = (q, 1 − q).

    Raises
    ------
    UserError
        If the two probabilities do not add up to 1: then the states differ in what they tell, and greed is no proof.

    References
    ----------
    Wang et al. (2017), arXiv:1611.05763, experiment 5.
    """

    name = "bayes_optimal"

    def __init__(self, task: Task):
        super().__init__(task)
        self.evidence_of_a_win = np.log(odds(task))

    def start(self, episodes: int) -> None:
        """Return to even odds; ``log_odds`` of S2 being good is (1, episodes)."""
        self.log_odds = np.zeros((1, episodes))

    def first_stage(self) -> np.ndarray:
        """Greedy on the posterior, (1, episodes, 2)."""
        return greedy(np.stack([self.log_odds, -self.log_odds], -1), 1e-9)

    def learn(self, choice: np.ndarray, state: np.ndarray, reward: np.ndarray) -> None:
        """Condition on the outcome; all (1, episodes)."""
        for_second_state_0 = (state == 0) == (reward == 1)
        self.log_odds += np.where(for_second_state_0, 1, -1) * self.evidence_of_a_win

    def posterior(self) -> np.ndarray:
        """Probability that S2 is the good state, (1, episodes)."""
        return 1 / (1 + np.exp(-self.log_odds))


def odds(task: Task) -> float:
    """Odds q / (1 − q) of the good state.

    Raises
    ------
    UserError
        If the reward probabilities of a task are not q and 1 − q with ½ < q < 1.
    """
    high, low = task.settings["pays"]
    if abs(high + low - 1) > 1e-12 or not 0.5 < high < 1:
        raise UserError(
            f"bayes_optimal for task {task.name!r}: pays is {tuple(task.settings['pays'])}; the exact optimum is known "
            "for q and 1 − q with q between .5 and 1 (both states are then equally telling)"
        )
    return high / (1 - high)
