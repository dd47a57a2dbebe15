"""The few numbers that a page computes itself, from the regret of every trained agent."""

import numpy as np
import pandas as pd

from pipeline.agents.bayes import kind
from pipeline.comparison.claim_statistics import NotRun, Source, regret_over
from pipeline.report.load import StudyResults
from pipeline.report.style import number
from pipeline.tasks import TASKS

OPTIMAL = "bayes_optimal"
MATRIX = (
    "core",
    "source",
    "training_task",
    "task",
    "mean",
    "low",
    "high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "optimum",
    "ideal",
    "n",
    "episodes",
)
REFLEX_TRIED = {"independent", "structured", "reversal"}  # families of tasks
LEARNED = 90  # percent of the way from chance to the exact optimum (`pipeline.training.evaluate.LEARNED`)


def simulated_optimum(results: StudyResults) -> str:
    """Say that the optimum's regret is simulated, with its standard error; empty where it is exact."""
    frame = results.evaluation
    if frame.empty:
        return ""
    found = pd.to_numeric(frame["optimum_standard_error"], errors="coerce").max()
    if not found > 0:
        return ""
    return f"The optimum's expected regret is simulated here, with a standard error of {number(found, 2)} (reward)."


def reflex(results: StudyResults) -> str:
    """Say how far a reflex goes, on the pages of tasks on which it was tried."""
    families = {kind(TASKS[t]) for t in results.plan.tasks if t in TASKS}
    return ", further than win-stay/lose-shift gets anywhere" if families <= REFLEX_TRIED else ""


def own_task(results: StudyResults, matched: bool | None = False) -> pd.DataFrame:
    """Select the rows of networks on the task they were trained on, and of learners on every task.

    ``matched``: False, without the cores of equal parameter count, which are compared apart; True, they alone among
    the networks; None, all.
    """
    frame = results.evaluation
    trained = frame["training_task"].astype("object").where(frame["training_task"].notna(), frame["task"])
    apart = frame["source"].isin([s.name for s in results.sources if matched is not None and s.matched != matched])
    if matched:
        apart &= frame["source"].isin(results.names("network", None, None))
    return frame[(trained == frame["task"]) & frame["test_regret"].notna() & ~apart].reset_index(drop=True)


def measured(results: StudyResults, source: str, evaluation: pd.DataFrame) -> Source:
    """Make a source as the statistics of the claims take it, over the evaluation rows given."""
    return Source(source, {"evaluation": evaluation, "summary": results.summary})


def regret_table(results: StudyResults, matched: bool | None = False) -> pd.DataFrame:
    """Regret of every source on every test task, one row each.

    Returns
    -------
    DataFrame
        ``task, source, kind, mean, low, high, optimum, chance, n`` (agents behind the mean), ``settings`` (trained),
        ``learned`` (of them), ``median`` (of all settings), ``episodes``, ``ratio, ratio_low, ratio_high`` (to the
        exact optimum), ``same`` (ratio to the Bayes-optimal learner on the same test episodes). Networks: the best
        agents by the ranking episodes. The interval is that of the claims (`claim_statistics.regret_over`): Student's
        t over agents and the sampling error of the test episodes, which the agents share; learners: the latter.
        ``matched``: as in `own_task`.
    """
    rows = []
    frame = own_task(results, matched)
    for (task, source), own in frame.groupby(["task", "source"], sort=False):
        kind = results.source(source).kind
        optimum = float(own["optimum_regret"].iloc[0])
        ours = measured(results, source, frame)
        ratio = regret_over(ours, test=task, reference="optimum")
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
        rows.append(row | ends | {"same": _same_episodes(ours, task)})
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


def matrix_table(results: StudyResults) -> pd.DataFrame:
    """Regret of the best networks of every training on every test, one row each.

    Returns
    -------
    DataFrame
        ``core, source, training_task, task, mean, low, high, ratio, ratio_low, ratio_high`` (to the optimum of the
        test), ``optimum, ideal`` (the ideal agent of the training prior on this test; NaN where it is not known),
        ``n`` (agents), ``episodes``. Intervals as in `regret_table`.
    """
    frame = results.transfer[results.transfer["test_regret"].notna()] if len(results.transfer) else results.transfer
    known = {(r.training_task, r.task): float(r.regret) for r in results.ideals.itertuples() if not pd.isna(r.regret)}
    rows = []
    for source in results.sources:
        if source.kind != "network" or source.matched or not source.reward_input:
            continue
        own = frame[frame["source"] == source.name] if len(frame) else frame
        for task in results.plan.tasks:
            part = own[own["task"] == task] if len(own) else own
            if part.empty:
                continue
            optimum = float(part["optimum_regret"].iloc[0])
            ratio = regret_over(measured(results, source.name, frame), test=task, reference="optimum")
            row = {"core": source.agent, "source": source.name, "training_task": source.task, "task": task}
            row |= {"mean": ratio.value * optimum, "low": ratio.low * optimum, "high": ratio.high * optimum}
            row |= {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high, "optimum": optimum}
            row |= {"ideal": known.get((source.task, task), np.nan), "n": ratio.n}
            rows.append(row | {"episodes": part["n_test_episodes"].iloc[0]})
    return pd.DataFrame(rows, columns=list(MATRIX))


def excess_curve(results: StudyResults, source: str, task: str) -> pd.DataFrame:
    """Cumulative regret of a source above the exact Bayes-optimal learner's on the same episodes, by trial.

    Returns
    -------
    DataFrame
        ``x`` (trial), ``value, low, high`` (rewards per episode; the interval is the source's own, and does not count
        the optimum's, which shares the episodes); empty where either curve is missing.
    """
    curves = results.curves
    if curves.empty:
        return pd.DataFrame(columns=["x", "value", "low", "high"])
    own = curves[(curves["curve"] == "regret") & (curves["subject"] == "all") & (curves["task"] == task)]
    ours, best = (own[own["source"] == name].set_index("x").sort_index() for name in (source, OPTIMAL))
    found = ours[["value", "low", "high"]].sub(best["value"], axis=0).dropna(subset=["value"])
    return found.rename_axis("x").reset_index()


def _same_episodes(source: Source, task: str) -> float:
    """Regret over that of the exact Bayes-optimal learner on the same test episodes; nan where it did not run."""
    if source.name == OPTIMAL:
        return 1.0
    try:
        return regret_over(source, test=task, reference=OPTIMAL).value
    except NotRun:
        return np.nan


def reward_bounds(task: str, chance: float, optimum: float, best: float | None = None) -> tuple[float, float]:
    """Mean reward per trial at chance and at the optimum.

    r = r_best − R / T, where r_best = E[max_k μ_k]. For two arms whose probabilities average one half chance pays ½, so
    that r_best = ½ + R_chance / T; for another task ``best`` gives it, in rewards per trial.
    """
    trials = TASKS[task].trials
    best = 0.5 + chance / trials if best is None else best
    return best - chance / trials, best - optimum / trials


def best_per_trial(task: str, evaluation: pd.DataFrame) -> float | None:
    """Mean reward per trial of always choosing the best option, from evaluation rows; None for two arms.

    Reward and regret of a row add up to it, up to the luck of the outcomes, of which tasks with more arms have none.
    """
    if TASKS[task].options == 2 or evaluation.empty:
        return None
    total = evaluation["test_reward"].astype(float) + evaluation["test_regret"].astype(float)
    return float(total.mean() / TASKS[task].trials)


def crossing(curve: pd.DataFrame, level: float = 0.5) -> float:
    """Find the first x ≥ 0 at which a reversal-aligned curve reaches ``level``; nan if it never does."""
    after = curve[(curve["x"] >= 0) & (curve["value"] >= level)].sort_values("x")
    return float(after["x"].iloc[0]) if len(after) else np.nan
