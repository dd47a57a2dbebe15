"""The exact Bayes-optimal learner of every task: which one, and the pooled count for dependent arms.

A task is recognised by its world and its settings, so that a new distribution of the same family needs nothing here.
"""

import numpy as np

from pipeline.agents.learner import CountLearner, Learner
from pipeline.errors import UserError
from pipeline.tasks import Task


class StructuredArms(CountLearner):
    """The exact optimum for two arms with p2 = 1 − p1 and a prior that favours neither: the majority rule.

    A win of arm 1 and a loss of arm 2 both have probability p1, whichever arm was chosen; the pooled count
    k = wins₁ + losses₂ of n trials is sufficient, and its distribution does not depend on the choices. No choice
    can buy information, so the greedy policy is optimal. For any prior symmetric about ½ (D_u, D_e, D_m, D_h alike)
    E[p1 | k, n] > ½ exactly when k > n / 2: choose arm 1 if k > n − k, arm 2 if k < n − k, either at a tie.

    References
    ----------
    Wang et al. (2017), arXiv:1611.05763, experiment 2, for the task; Feldman (1962), Ann. Math. Stat. 33:847, for
    the optimality of the greedy rule.
    """

    name = "bayes_optimal"
    options = 2

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Majority rule on the pooled count, (…, 2)."""
        evidence = wins[..., 0] + losses[..., 1] - wins[..., 1] - losses[..., 0]
        first = (1 + np.sign(evidence)) / 2
        return np.stack([first, 1 - first], -1)


def bayes_optimal(task: Task) -> Learner:
    """Make the exact Bayes-optimal learner for the prior of ``task``.

    Raises
    ------
    UserError
        If no exact optimum is known for such a task.
    """
    family = kind(task)
    if family == "independent":
        from pipeline.agents.bayes_independent import IndependentArms

        return IndependentArms(task)
    if family == "structured":
        return StructuredArms(task)
    if family == "restless":
        from pipeline.agents.bayes_restless import VolatilityFilter

        return VolatilityFilter(task)
    if family == "two_step":
        from pipeline.agents.bayes_two_step import ContingencyFilter

        return ContingencyFilter(task)
    if family == "informative_arm":
        from pipeline.agents.bayes_informative import InformativeOptimum

        return InformativeOptimum(task)
    from pipeline.agents.bayes_reversal import ReversalFilter

    return ReversalFilter(task)


FAMILIES = {
    "Reversal": "reversal",
    "RestlessArms": "restless",
    "TwoStep": "two_step",
    "InformativeArm": "informative_arm",
}


def kind(task: Task) -> str:
    """Name the family of a task's prior: independent, structured, reversal, restless, two_step or informative_arm.

    Raises
    ------
    UserError
        If no exact optimum is known for such a task.
    """
    world = task.world.split(":")[-1]
    if world == "StationaryArms" and task.settings["structured"]:
        return "structured"
    if world == "StationaryArms" and task.settings["pairs"] is None:
        return "independent"
    if world in FAMILIES:
        return FAMILIES[world]
    raise UserError(f"bayes_optimal: no exact optimum is known here for task {task.name!r} ({world}, "
                    f"{dict(task.settings)}); there is one for independent uniform arms, for p2 = 1 − p1, and for "
                    "the reversal, restless, two-step and informative-arm tasks")  # fmt: skip
