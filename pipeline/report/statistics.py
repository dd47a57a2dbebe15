"""The few numbers that a page computes itself, from the regret of every trained agent."""

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.report.load import StudyResults
from pipeline.tasks import TASKS

LEVEL = 0.95


def mean_interval(values, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean and its Student-t interval, x̄ ± t_{n−1} s / √n; no interval for a single value."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return (np.nan,) * 3
    mean = float(values.mean())
    if len(values) < 2:
        return mean, np.nan, np.nan
    half = student.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return mean, mean - half, mean + half


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
        ``task, source, kind, mean, low, high, optimum, chance, ratio, ratio_low, ratio_high, n`` (agents behind the
        mean), ``settings`` (trained), ``learned`` (of them), ``median`` (of all settings), ``episodes``. Networks:
        the best agents by the ranking episodes, mean and t interval over agents; learners: ± 1.96 standard errors over
        the test episodes.
    """
    rows = []
    frame = own_task(results)
    for (task, source), own in frame.groupby(["task", "source"], sort=False):
        kind = results.source(source).kind
        if kind == "network":
            best = own[own["best"].astype(bool)] if own["best"].any() else own
            mean, low, high = mean_interval(best["test_regret"])
            n = len(best)
        else:
            mean, error, n = float(own["test_regret"].iloc[0]), float(own["test_regret_se"].iloc[0]), 1
            low, high = mean - 1.96 * error, mean + 1.96 * error
        optimum = float(own["optimum_regret"].iloc[0])
        row = {
            "task": task,
            "source": source,
            "kind": kind,
            "mean": mean,
            "low": low,
            "high": high,
            "optimum": optimum,
            "chance": float(own["chance_regret"].iloc[0]),
            "n": n,
            "settings": len(own),
            "learned": int(own["learned"].astype(bool).sum()),
            "median": float(own["test_regret"].median()),
            "episodes": own["n_test_episodes"].iloc[0],
        }
        rows.append(
            row | {f"ratio{end}": row[key] / optimum for end, key in (("", "mean"), ("_low", "low"), ("_high", "high"))}
        )
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
        ],
    )
    order = {name: i for i, name in enumerate(results.plan.tasks)}
    names = {s.name: i for i, s in enumerate(results.sources)}
    key = found["task"].map(order) * 1000 + found["source"].map(names)
    return found.iloc[key.argsort(kind="stable")].reset_index(drop=True)


def reward_bounds(task: str, chance: float, optimum: float) -> tuple[float, float]:
    """Mean reward per trial at chance and at the optimum, for two arms whose probabilities average one half.

    E[max_k p_k] = ½ + R_chance / T, hence r* = ½ + (R_chance − R_opt) / T.
    """
    return 0.5, 0.5 + (chance - optimum) / TASKS[task].trials


def crossing(curve: pd.DataFrame, level: float = 0.5) -> float:
    """Find the first x ≥ 0 at which a reversal-aligned curve reaches ``level``; nan if it never does."""
    after = curve[(curve["x"] >= 0) & (curve["value"] >= level)].sort_values("x")
    return float(after["x"].iloc[0]) if len(after) else np.nan
