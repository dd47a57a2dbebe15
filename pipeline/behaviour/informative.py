"""Choices in the task with an informative arm: whether it is taken first, and whether what it told is then used.

From the trial table alone: the better option is the target, and the informative arm is the last option.
"""

import numpy as np

from pipeline.behaviour.arrays import Episodes
from pipeline.behaviour.measures import Measure, ratio

TASK = "informative_arm"


def kinds(e: Episodes) -> dict[str, np.ndarray]:
    """Judged choices of the informative arm, of the target, and of any other arm, each (episodes, trials)."""
    informative = e.judged & (e.choice == e.options - 1)
    return {
        "informative": informative,
        "target": e.correct & ~informative,
        "other": e.judged & ~e.correct & ~informative,
    }


def informative_summaries(e: Episodes) -> list[Measure]:
    """Summaries of this task; none on any other.

    ``optimal_episodes`` counts episodes that follow the optimal policy from beginning to end: the informative arm on
    trial 1, the target on every later trial. An episode with a trial that is missing, forced or not judged is left out.
    """
    if e.task != TASK:
        return []
    found, whole = kinds(e), e.judged.all(1)
    optimal = found["informative"][:, 0] & found["target"][:, 1:].all(1)
    return [
        ratio("informative_trial_1", found["informative"][:, 0], e.judged[:, 0]),
        ratio("optimal_episodes", optimal & whole, whole),
    ]


def informative_curves(e: Episodes) -> list[Measure]:
    """Share of each kind of choice by trial, (trials,) each; none on any other task."""
    if e.task != TASK:
        return []
    trial = np.arange(1, e.choice.shape[1] + 1)
    return [ratio(f"{name}_choice", chosen, e.judged, trial) for name, chosen in kinds(e).items()]
