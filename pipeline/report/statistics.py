"""The few numbers that a page computes itself, from the regret of every trained agent."""

import numpy as np
import pandas as pd

from pipeline.comparison.claim_statistics import NotRun, Source, regret_over
from pipeline.report.load import StudyResults
from pipeline.tasks import TASKS

OPTIMAL = "bayes_optimal"
LEARNED = 90  # percent of the way from chance to the exact optimum (`pipeline.training.evaluate.LEARNED`)


def own_task(results: StudyResults) -> pd.DataFrame:
    """Select the rows of networks on the task they were trained on, and of learners on every task."""
    frame = results.evaluation
    trained = frame["training_task"].astype("object").where(frame["training_task"].notna(), frame["task"])
    return frame[(trained == frame["task"]) & frame["test_regret"].notna()].reset_index(drop=True)


def regret_table(results: StudyResults) -> pd.DataFrame:
    """Regret of every source on every test task, one row each.

    Returns
    -------
    DataFrame
        ``task, source, kind, mean, low, high, optimum, chance, n`` (agents behind the mean), ``settings`` (trained),
        ``learned`` (of them), ``median`` (of all settings), ``episodes``, ``ratio, ratio_low, ratio_high`` (to the
        exact optimum), ``same`` (ratio to the Bayes-optimal learner on the same test episodes). Networks: the best
        agents by the ranking episodes. The interval is that of the claims (`claim_statistics.regret_over`): Student's
        t over agents and the sampling error of the test episodes, which the agents share; learners: the latter.
    """
    rows = []
    frame = own_task(results)
    for (task, source), own in frame.groupby(["task", "source"], sort=False):
        kind = results.source(source).kind
        optimum = float(own["optimum_regret"].iloc[0])
        measured = Source(source, frame, results.summary)
        ratio = regret_over(measured, test=task, reference="optimum")
        row = {
            "task": task,
            "source": source,
            "kind": kind,
            "mean": ratio.value * optimum,
            "low": ratio.low * optimum,
            "high": ratio.high * optimum,
            "optimum": optimum,
            "chance": float(own["chance_regret"].iloc[0]),
            "n": ratio.n,
            "settings": len(own),
            "learned": int(own["learned"].astype(bool).sum()),
            "median": float(own["test_regret"].median()),
            "episodes": own["n_test_episodes"].iloc[0],
        }
        ends = {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
        rows.append(row | ends | {"same": _same_episodes(measured, task)})
    found = pd.DataFrame(
        rows,
        columns=[
            "task",
            "source",
            "kind",
            "mean",
            "low",
            "high",
            "optimum",
            "chance",
            "n",
            "settings",
            "learned",
            "median",
            "episodes",
            "ratio",
            "ratio_low",
            "ratio_high",
            "same",
        ],
    )
    order = {name: i for i, name in enumerate(results.plan.tasks)}
    names = {s.name: i for i, s in enumerate(results.sources)}
    key = found["task"].map(order) * 1000 + found["source"].map(names)
    return found.iloc[key.argsort(kind="stable")].reset_index(drop=True)


def _same_episodes(source: Source, task: str) -> float:
    """Regret over that of the exact Bayes-optimal learner on the same test episodes; nan where it did not run."""
    if source.name == OPTIMAL:
        return 1.0
    try:
        return regret_over(source, test=task, reference=OPTIMAL).value
    except NotRun:
        return np.nan


def reward_bounds(task: str, chance: float, optimum: float) -> tuple[float, float]:
    """Mean reward per trial at chance and at the optimum, for two arms whose probabilities average one half.

    E[max_k p_k] = ½ + R_chance / T, hence r* = ½ + (R_chance − R_opt) / T.
    """
    return 0.5, 0.5 + (chance - optimum) / TASKS[task].trials


def crossing(curve: pd.DataFrame, level: float = 0.5) -> float:
    """Find the first x ≥ 0 at which a reversal-aligned curve reaches ``level``; nan if it never does."""
    after = curve[(curve["x"] >= 0) & (curve["value"] >= level)].sort_values("x")
    return float(after["x"].iloc[0]) if len(after) else np.nan
