"""What keeps networks from the optimum, in numbers: goals, best single setting, hyperparameters, early or late."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from statsmodels.stats.multitest import multipletests

from pipeline.report.load import StudyResults
from pipeline.report.statistics import excess_curve, own_task, regret_table
from pipeline.tasks import TASKS

_GATED = {"du": 1.15, "de": 1.15, "dm": 1.15, "dh": 1.25, "di": 1.4}
_SIMPLE = {"du": 1.5, "de": 1.5, "dm": 1.5}
# Regret in units of the exact optimum that the best networks are meant to reach, core → task → ratio.
GOALS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"lstm": _GATED, "gru": _GATED, "lowrank": _SIMPLE, "vanilla": _SIMPLE}
)
DRAWN = ("learning_rate", "discount", "entropy_cost")  # hyperparameters that differ between settings
EARLY = 0.2  # the first fifth of an episode: most of the exploration
FEWEST = 6  # settings that learned, for a rank correlation
COLUMNS = ("core", "source", "task", "goal", "ratio", "ratio_low", "ratio_high", "verdict", "single", "single_se",
           *(f"single_{name}" for name in DRAWN), "excess", "early", "late_errors", "late_errors_optimum",
           *(f"{kind}_{name}" for name in DRAWN for kind in ("rho", "p")), "learned", "settings")  # fmt: skip


def limits(results: StudyResults) -> pd.DataFrame:
    """Collect the evidence, a row per core and task that has a goal.

    Returns
    -------
    DataFrame
        ``goal, ratio, ratio_low, ratio_high``: regret ÷ optimum; ``verdict``: reached (the whole interval), undecided
        (it holds the goal) or missed; ``single``: ratio of the setting that ranked first, on test episodes, with its
        standard error and hyperparameters; ``excess``: regret above the Bayes-optimal learner's on the same episodes
        (rewards); ``early``: the share of it that arises in the first fifth of the episode; ``late_errors`` and
        ``late_errors_optimum``: P(suboptimal choice) in the last fifth; ``rho_…, p_…``: Spearman correlation over the
        settings that learned, of regret with a hyperparameter; ``holm_…``: the p values corrected for all of the
        table (Holm 1979).
    """
    table, agents = regret_table(results), own_task(results)
    rows = []
    for r in table.itertuples():
        core = results.source(r.source).agent
        goal = GOALS.get(core, {}).get(r.task)
        if r.kind != "network" or goal is None or r.source not in results.names("network"):
            continue
        own = agents[agents["source"] == r.source]
        row = {"core": core, "source": r.source, "task": r.task, "goal": goal, "ratio": r.ratio}
        row |= {"ratio_low": r.ratio_low, "ratio_high": r.ratio_high, "verdict": verdict(r, goal)}
        row |= _single(own) | _when(results, r.source, r.task) | _correlations(own[own["learned"].astype(bool)])
        rows.append(row | {"learned": r.learned, "settings": r.settings})
    return _corrected(pd.DataFrame(rows, columns=list(COLUMNS)))


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Add ``holm_…``: every p of the table by Holm's correction for all of them (goals × hyperparameters)."""
    names = [f"p_{name}" for name in DRAWN]
    p = table[names].astype(float)
    known, held = p.notna().to_numpy(), np.full(p.shape, np.nan)
    if known.any():
        held[known] = multipletests(p.to_numpy()[known], method="holm")[1]
    return table.assign(**{f"holm_{name}": held[:, k] for k, name in enumerate(DRAWN)})


def verdict(row, goal: float) -> str:
    """Compare with a goal: ``reached``, the whole interval lies at or below it; ``missed``, above; else undecided."""
    if not np.isfinite([row.ratio_low, row.ratio_high]).all():
        return "undecided"
    return "reached" if row.ratio_high <= goal else "missed" if row.ratio_low > goal else "undecided"


def _single(own: pd.DataFrame) -> dict:
    """Take the setting that ranked first: its test regret is not flattered by having been chosen."""
    ranked = own.assign(rank=pd.to_numeric(own["rank"])).sort_values("rank")
    first, optimum = ranked.iloc[0], float(ranked["optimum_regret"].iloc[0])
    found = {"single": float(first["test_regret"]) / optimum, "single_se": float(first["test_regret_se"]) / optimum}
    return found | {f"single_{name}": float(first[name]) for name in DRAWN}


def _when(results: StudyResults, source: str, task: str) -> dict:
    """When in the episode the regret above the optimum arises, and what errors are left at its end."""
    curve, trials = excess_curve(results, source, task), TASKS[task].trials
    found = {"excess": np.nan, "early": np.nan}
    if len(curve):
        total = float(curve["value"].iloc[-1])
        first = curve.loc[curve["x"] <= EARLY * trials, "value"]
        resolved = total > 0 and len(first)  # no share of an excess that is none
        found = {"excess": total, "early": float(first.iloc[-1]) / total if resolved else np.nan}
    return found | {
        "late_errors": _late(results, source, task),
        "late_errors_optimum": _late(results, "bayes_optimal", task),
    }


def _late(results: StudyResults, source: str, task: str) -> float:
    own = results.curves
    if own.empty:
        return np.nan
    own = own[(own["curve"] == "suboptimal") & (own["subject"] == "all") & (own["task"] == task)]
    last = own.loc[(own["source"] == source) & (own["x"] > (1 - EARLY) * TASKS[task].trials), "value"]
    return float(last.mean()) if len(last) else np.nan


def _correlations(learned: pd.DataFrame) -> dict:
    """Spearman's ρ of regret with each hyperparameter over the settings that learned; NaN with too few or no spread."""
    found = {}
    for name in DRAWN:
        x, y = pd.to_numeric(learned[name]), pd.to_numeric(learned["test_regret"])
        enough = len(learned) >= FEWEST and x.max() > x.min() and y.max() > y.min()
        rho, p = spearmanr(x, y) if enough else (np.nan, np.nan)
        found |= {f"rho_{name}": float(rho), f"p_{name}": float(p)}
    return found
