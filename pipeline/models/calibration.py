"""Recovery and simulation-based calibration of any fit that can be asked for draws.

Truths are drawn from the prior, data are simulated from them and fitted. Under a correct fit the truth is one more draw
from the posterior: its rank among the draws is uniform, and intervals hold it as often as they say (Talts et al. 2018;
`pipeline.models.ranks`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from pipeline.models.ranks import (
    LEVEL,
    covers,
    effective_size,
    interval,
    proportion_interval,
    rank,
    split_r_hat,
    thin,
)

RANKED = 31  # draws, nearly independent, among which a truth is ranked: 32 possible ranks
LARGEST_R_HAT = 1.1  # of the halves of one short chain
RECOVERY = ("model", "structure", "parameter", "level", "n_datasets", "n", "correlation", "bias", "bias_se", "coverage",
            "coverage_low", "coverage_high", "expected", "passed", "refitted", "failed")  # fmt: skip
RANKS = ("model", "structure", "quantity", "parameter", "level", "dataset", "rank", "draws", "failed")
JOINT = "log_likelihood"


@dataclass(frozen=True)
class Quantity:
    """What is ranked: a parameter at a level, or the joint log-likelihood, a function of parameters and data."""

    level: str  # group_mean | group_sd | session_sd | condition | subject | joint
    parameter: str = ""

    @property
    def name(self) -> str:
        """Name in the tables."""
        return f"{self.level}_{self.parameter}" if self.parameter else JOINT


@dataclass(frozen=True)
class Draws:
    """Draws (draws, quantities) of one fit, and how many of the transitions between them diverged."""

    draws: np.ndarray
    divergences: int = 0

    def sound(self) -> bool:
        """Whether they will do: no divergence, halves alike, and as many effective draws as are ranked."""
        if self.divergences or not np.isfinite(self.draws).all():
            return False
        return bool((effective_size(self.draws) >= RANKED).all() and (split_r_hat(self.draws) <= LARGEST_R_HAT).all())


class Problem(Protocol):
    """What is checked: how truths and data are made, and how they are fitted."""

    model: str
    structure: str
    quantities: tuple[Quantity, ...]

    def make(self, datasets: int) -> Iterable[tuple[np.ndarray, object]]:
        """Truths (quantities,) from the prior and the data simulated from them, one data set after the other."""

    def fit(self, data: object, number: int, careful: bool) -> Draws:
        """Draw from the posterior of one data set; ``careful``: once more, with smaller steps and longer."""


def ranked(problem: Problem, datasets: int, progress=None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit data sets drawn from the prior; compare truths with posteriors.

    A data set whose fit is not sound is fitted once more, with care. What is then still not sound is kept and counted
    (``failed``): leaving it out would make the rest look calibrated or not by the selection alone.

    Parameters
    ----------
    problem : Problem
    datasets : int
    progress : callable, optional
        Told the number of data sets done, refitted and failed.

    Returns
    -------
    recovery : DataFrame
        `RECOVERY`, a row per parameter and level: over data sets, the correlation of truth and posterior mean; bias
        (posterior mean − truth) and its standard error, on the scale of the link; coverage of the central 94 % interval
        with its exact binomial 95 % interval, and whether it passes (`pipeline.models.ranks.covers`).
    ranks : DataFrame
        `RANKS`, a row per quantity and data set: rank of the truth among ``draws`` thinned draws.
    """
    truths, means, inside, ranks, failed, refitted = [], [], [], [], [], 0
    for number, (truth, data) in enumerate(problem.make(datasets)):
        found = problem.fit(data, number, False)
        if not found.sound():
            found, refitted = problem.fit(data, number, True), refitted + 1
        failed.append(not found.sound())
        low, high = interval(found.draws)
        truths.append(truth)
        means.append(found.draws.mean(0))
        inside.append((low <= truth) & (truth <= high))
        ranks.append(rank(truth, thin(found.draws, RANKED)))
        if progress is not None:
            progress(number + 1, refitted, sum(failed))
    who = {"model": problem.model, "structure": problem.structure}
    named = [i for i, q in enumerate(problem.quantities) if q.parameter]
    rows = []
    for i in named:
        row = _recovered(*(np.array(x)[:, i] for x in (truths, means, inside)), len(named))
        q = problem.quantities[i]
        rows.append(
            who | {"parameter": q.parameter, "level": q.level} | row | {"refitted": refitted, "failed": sum(failed)}
        )
    table = pd.DataFrame(
        {"dataset": np.arange(1, datasets + 1), "draws": RANKED, "failed": np.array(failed, int)} | who
    )
    parts = [
        table.assign(quantity=q.name, parameter=q.parameter, level=q.level, rank=np.array(ranks)[:, i])
        for i, q in enumerate(problem.quantities)
    ]
    return pd.DataFrame(rows, columns=RECOVERY), pd.concat(parts, ignore_index=True)[list(RANKS)]


def _recovered(truth: np.ndarray, mean: np.ndarray, inside: np.ndarray, tests: int) -> dict:
    count, held = len(truth), int(inside.sum())
    low, high = proportion_interval(held, count)
    error = mean - truth
    return {
        "n_datasets": count,
        "n": count,
        "correlation": float(np.corrcoef(truth, mean)[0, 1]) if count > 1 else np.nan,
        "bias": float(error.mean()),
        "bias_se": float(error.std(ddof=1) / np.sqrt(count)) if count > 1 else np.nan,
        "coverage": held / count,
        "coverage_low": low,
        "coverage_high": high,
        "expected": LEVEL,
        "passed": int(covers(held, count, tests)),
    }
