"""Stay-probability regressions (registry `pipeline.behaviour.REGRESSIONS`) and the cell probabilities behind them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import norm

from pipeline.behaviour import Regression
from pipeline.behaviour.arrays import Episodes
from pipeline.behaviour.kernels import clusters
from pipeline.behaviour.logistic import Fit, logit


@dataclass(frozen=True)
class Stays:
    """Pairs of consecutive free trials, one row per pair."""

    stay: np.ndarray  # (pairs,) 1 if the second choice repeats the first
    predictors: dict[str, np.ndarray]  # each (pairs,)
    reward: np.ndarray  # (pairs,) reward of the first trial, uncentred
    subject: np.ndarray
    cluster: np.ndarray


def stays(e: Episodes) -> Stays:
    """Pairs (t, t + 1), both free and consecutive, with the predictors of trial t.

    ``reward`` is centred on the middle of the range in this table (±½ for outcomes 0 and 1), ``transition`` is +½
    common, −½ rare, ``trial`` is the number of trial t + 1 in tens, centred on the middle of the episode.
    """
    pair = e.pair if e.transition is None else e.pair & ~np.isnan(e.transition[:, :-1])
    episode, column = np.nonzero(pair)
    reward = e.reward[episode, column]
    middle = (np.nanmin(e.reward) + np.nanmax(e.reward)) / 2 if e.free.any() else 0.0
    predictors = {
        "intercept": np.ones(len(episode)),
        "reward": reward - middle,
        "trial": (column + 2 - (e.choice.shape[1] + 1) / 2) / 10,
    }
    if e.transition is not None:
        predictors["transition"] = e.transition[episode, column] - 0.5
    return Stays(e.stay[episode, column].astype(float), predictors, reward, e.subject[episode], clusters(e)[episode])


def stay_regression(s: Stays, regression: Regression, subjects: int) -> list[Fit]:
    """Logistic regression of staying on the declared terms, for each subject; see `pipeline.behaviour.logistic.logit`.

    A term ``a:b`` is the product of predictors a and b.
    """
    columns = [np.prod([s.predictors[name] for name in term.split(":")], 0) for term in regression.terms]
    design = np.stack(columns, 1)
    names = {name for term in regression.terms for name in term.split(":")}
    pattern = np.zeros(len(design), np.int64)
    for name in sorted(names):
        levels, code = np.unique(s.predictors[name], return_inverse=True)
        pattern = pattern * len(levels) + code
    edges = np.searchsorted(s.subject, np.arange(subjects + 1))
    cuts = [slice(a, b) for a, b in pairwise(edges)]
    return [logit(design[c], s.stay[c], pattern[c], s.cluster[c]) for c in cuts]


@dataclass(frozen=True)
class Cell:
    """Stay probability of one subject after one kind of trial."""

    name: str
    probability: float
    standard_error: float
    low: float
    high: float
    trials: int
    clusters: int
    cluster: np.ndarray | None = None  # (clusters,) their numbers
    influence: np.ndarray | None = None  # (clusters,) parts of the error, whose squares add up to its square

    @property
    def fit(self) -> Fit:
        """The same as a fit of one coefficient."""
        influence = None if self.influence is None else self.influence[:, None]
        return Fit(np.array([self.probability]), np.array([[self.standard_error**2]]), self.trials, self.clusters,
                   cluster=self.cluster, influence=influence)  # fmt: skip


def cells(s: Stays, subjects: int, level: float = 0.95) -> list[list[Cell]]:
    """P(stay) of each subject (outer list) after each reward level (and transition); empty cells are left out.

    The standard error is that of a ratio of cluster totals; the interval is Wilson's on the effective number of trials
    p(1 − p)/SE² (the number of trials where p is 0 or 1), so that it stays inside [0, 1].

    References
    ----------
    Wilson 1927, J Am Stat Assoc 22:209; Korn & Graubard 1998, Surv Methodol 24:193 (effective sample size).
    """
    kinds = {f"reward {r:g}": s.reward == r for r in np.unique(s.reward)}
    if "transition" in s.predictors:
        common = s.predictors["transition"] > 0
        kinds = {
            f"{name}, {label}": m & c
            for name, m in kinds.items()
            for label, c in (("common", common), ("rare", ~common))
        }
    edges = np.searchsorted(s.subject, np.arange(subjects + 1))
    found = []
    for a, b in pairwise(edges):
        own = []
        for name, mask in kinds.items():
            chosen = mask[a:b]
            if chosen.any():
                own.append(_cell(name, s.stay[a:b][chosen], s.cluster[a:b][chosen], level))
        found.append(own)
    return found


def _cell(name: str, stay: np.ndarray, cluster: np.ndarray, level: float) -> Cell:
    n, p = len(stay), stay.mean()
    numbers, group = np.unique(cluster, return_inverse=True)
    groups = len(numbers)
    influence = np.sqrt(groups / (groups - 1)) * np.bincount(group, stay - p) / n if groups > 1 else None
    error = np.sqrt((influence**2).sum()) if groups > 1 else np.nan
    effective = min(n, p * (1 - p) / error**2) if error > 0 else n
    z = norm.ppf((1 + level) / 2)
    centre = (p + z**2 / (2 * effective)) / (1 + z**2 / effective)
    half = z / (1 + z**2 / effective) * np.sqrt(p * (1 - p) / effective + z**2 / (4 * effective**2))
    return Cell(name, p, error, max(centre - half, 0.0), min(centre + half, 1.0), n, groups, numbers, influence)
