"""The ideal agents of the train-by-test matrix: made for one prior, tested on another.

A network that is perfect on its training distribution cannot be asked for more than this elsewhere: what it loses
beyond the ideal agent of its own prior is a failure to learn, what that agent loses against the optimum of the test is
the price of a wrong prior.
"""

from collections.abc import Sequence

import pandas as pd

from pipeline.agents.optimum import reference

COLUMNS = ("training_task", "task", "regret", "standard_error", "exact")


def ideals(tasks: Sequence[str]) -> pd.DataFrame:
    """Return the expected regret of the Bayes-optimal agent of each task's prior on every task.

    With π*_a the policy that minimises E_a[R_T] under the prior of task a, row (a, b) holds E_b[R_T | π*_a]; the
    diagonal is the optimum. It is exact where `pipeline.agents.optimum.reference` is (all stationary two-armed
    bandits). For arms with p2 = 1 − p1 the majority rule is optimal under every symmetric prior: these agents are one.

    Parameters
    ----------
    tasks : sequence of str
        Names of tasks that look alike (same options and trials).

    Returns
    -------
    DataFrame
        `COLUMNS`; regrets in rewards per episode, ``standard_error`` 0 and ``exact`` 1 where nothing was simulated.

    Raises
    ------
    UserError
        If a task is not known, or no exact optimum is known for it.
    """
    rows = []
    for training_task in tasks:
        for task in tasks:
            found = reference("bayes_optimal", task, training_task)
            rows.append((training_task, task, found.value, found.standard_error, int(found.exact)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
