"""Expected regret on the restless bandit: of chance exactly, of the ideal observer by simulation."""

import numpy as np

from pipeline.agents.bayes_restless import VolatilityFilter
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import Task

BATCH = 250
BATCHES = 40  # 10,000 episodes: a standard error of .07 rewards per episode, in about half a minute


def chance_regret(task: Task) -> float:
    """Return the exact expected regret of uniform choice, T (E max(p, 1 − p) − ½) = T / 4.

    Reflected steps leave U[0, 1] as it is, so that p1 is uniform on every trial, whatever the volatility, and
    E max(p, 1 − p) = ¾.
    """
    return task.trials / 4


def optimal_regret(task: Task, batches: int = BATCHES) -> tuple[float, float]:
    """Return the expected regret of the filter that infers ν, and its standard error, in rewards per episode.

    Simulated, on episodes as the task is tested with: p1 and ν are continuous, and outcomes do not merge into counts.

    Parameters
    ----------
    task : Task
        A restless task.
    batches : int
        Batches of 250 episodes.
    """
    learner, regret = VolatilityFilter(task), []
    for batch in range(batches):
        draw = generator(1, "reference", learner.name, task.name, batch)
        regret.append(play(learner, task, BATCH, draw).regret()[0])
    found = np.concatenate(regret)
    return float(found.mean()), float(found.std(ddof=1) / np.sqrt(found.size))
