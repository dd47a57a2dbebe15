"""Hierarchical bootstrap over subjects, then sessions; never over trials.

Each measure is a function of sums, so a replicate is a sum weighted with the multinomial weights of resampled units,
and all measures share the weights: 2,000 replicates are a few matrix products.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from pipeline.behaviour.arrays import Episodes, shared
from pipeline.behaviour.measures import Measure

POPULATION = 8  # from this many subjects on, subjects are resampled; below, they are fixed
SELECTED = "if subjects were selected, the interval describes the selection"
DRAWN = f"subjects resampled as drawn from a population; {SELECTED}"


@dataclass(frozen=True)
class Estimate:
    """Values of all subjects, or of one, with percentile intervals; arrays are (q,) over all measures."""

    subject: str  # "all" or a label
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray  # trials (or episodes, reversals) behind each value
    subjects: np.ndarray  # subjects that have a value
    sessions: int
    episodes: int
    unit: str  # what was resampled
    note: str


def bootstrap(
    measures: Sequence[Measure],
    e: Episodes,
    generator: np.random.Generator,
    replicates: int = 2000,
    level: float = 0.95,
) -> list[Estimate]:
    """Estimate every measure for all subjects together and for each, with bootstrap intervals.

    Eight or more subjects: subjects are resampled, then sessions within each drawn subject. Where each has one session
    and all met the same episodes (`shared`), subjects and episodes are resampled crosswise, one draw of episodes for
    all: what the episodes have in common does not average out over subjects. With few subjects the percentile interval
    is too narrow, so that the interval for all subjects is widened about the estimate by √(n / (n − 1)) t_{n−1} / z.

    Fewer subjects: they are fixed and their sessions resampled, so that the interval describes these subjects and no
    population; with one session each, episodes are resampled in place of sessions, the same episodes for every subject
    if all have equally many.

    Parameters
    ----------
    measures : sequence of Measure
        What to estimate.
    e : Episodes
        Where the measures' sums come from.
    generator : numpy Generator
        Draws the units.
    replicates : int
        Bootstrap samples.
    level : float
        Coverage of the percentile interval.

    Returns
    -------
    list of Estimate
        First "all", then each subject; values concatenated over the measures.

    References
    ----------
    Owen 2007, Ann Appl Stat 1:386 (crossed, "pigeonhole" bootstrap).
    Saravanan, Berman & Sober 2020, Neurons Behav Data Anal Theory 3(5) (hierarchical bootstrap).
    """
    sums = np.concatenate([m.sums for m in measures], 1)
    number = len(e.subjects)
    sessions = np.bincount(e.session_subject, minlength=number)
    by_session = np.add.reduceat(sums, np.searchsorted(e.session, np.arange(len(e.session_subject))), 0)
    units = [by_session[e.session_subject == s] if sessions[s] > 1 else sums[e.subject == s] for s in range(number)]
    totals = np.stack([u.sum(0) for u in units])
    values = evaluate(measures, totals)

    population = number >= POPULATION
    draws = _Draws(generator, replicates, joint=not population and (sessions == 1).all())
    collected = _Collected(measures, replicates)
    singles = []
    for s, label in enumerate(e.subjects):
        resampled = draws.sums(units[s])
        replicate_values = evaluate(measures, resampled)
        if not population:
            collected.add(slice(None), resampled, replicate_values)
        unit, note = _single(sessions[s], len(units[s]))
        low, high = interval(replicate_values if len(units[s]) > 1 else replicate_values * np.nan, level)
        singles.append(Estimate(label, values[s], low, high, _counts(measures, totals[s]), ~np.isnan(values[s]) * 1,
                                sessions[s], int((e.subject == s).sum()), unit, note))  # fmt: skip
    crossed = population and shared(e)
    if population:
        common = _Draws(generator, replicates).weights(len(units[0])) if crossed else None
        drawn = generator.integers(number, size=(replicates, number))
        for s in range(number):
            replicate = np.nonzero(drawn == s)[0]  # a subject drawn twice has its sessions resampled twice
            if crossed:
                resampled = (common[replicate] @ units[s].astype(np.float32)).astype(float)
                collected.add(replicate, resampled, evaluate(measures, resampled))
            elif sessions[s] > 1:
                resampled = _Draws(generator, len(replicate)).sums(units[s])
                collected.add(replicate, resampled, evaluate(measures, resampled))
            else:
                collected.add(replicate, totals[s], values[s])

    all_values = _Collected(measures, 1)
    for s in range(number):
        all_values.add(slice(None), totals[s], values[s])
    unit, note = _together(number, sessions, population, crossed, len(e.subject))
    replicate_values, value = collected.values() * (1 if unit != "none" else np.nan), all_values.values()[0]
    low, high = interval(replicate_values, level)
    if population:
        low, high = widened(low, high, value, number, level, replicate_values)
    together = Estimate("all", value, low, high, _counts(measures, totals.sum(0)),
                        (~np.isnan(values)).sum(0), len(e.session_subject), len(e.subject), unit, note)  # fmt: skip
    return [together, *singles]


def evaluate(measures: Sequence[Measure], sums: np.ndarray) -> np.ndarray:
    """Values of all measures from their concatenated sums, (…, M) → (…, q)."""
    edges = np.cumsum([m.sums.shape[1] for m in measures])[:-1]
    return np.concatenate([m.value(part) for m, part in zip(measures, np.split(sums, edges, -1))], -1)


def interval(replicates: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over the leading axis, leaving out undefined replicates; nan where all are undefined."""
    q = [(1 - level) / 2, (1 + level) / 2]
    found = np.full((2, replicates.shape[1]), np.nan)
    undefined = np.isnan(replicates)
    clean = ~undefined.any(0)
    found[:, clean] = np.quantile(replicates[:, clean], q, axis=0)
    for column in np.nonzero(~clean & ~undefined.all(0))[0]:
        found[:, column] = np.quantile(replicates[~undefined[:, column], column], q)
    return found[0], found[1]


def widened(low, high, value, number: int, level: float, replicates) -> tuple[np.ndarray, np.ndarray]:
    """Widen a percentile interval over ``number`` subjects about the estimate by √(n / (n − 1)) t_{n−1} / z.

    A bootstrap of n subjects has the variance of a sample divided by n, not n − 1, and knows nothing of the t
    distribution. Where all replicates lie within 0 … 1 (probabilities) the interval stays there.
    """
    tail = (1 + level) / 2
    factor = np.sqrt(number / (number - 1)) * student.ppf(tail, number - 1) / norm.ppf(tail)
    low, high = value - factor * (value - low), value + factor * (high - value)
    bounded = (np.nan_to_num(replicates, nan=0.5) >= 0).all(0) & (np.nan_to_num(replicates, nan=0.5) <= 1).all(0)
    return np.where(bounded, np.maximum(low, 0), low), np.where(bounded, np.minimum(high, 1), high)


class _Draws:
    """Weights of units drawn with replacement; ``joint`` gives groups of equal size the same weights."""

    def __init__(self, generator: np.random.Generator, replicates: int, joint: bool = False):
        self.generator, self.replicates, self.kept = generator, replicates, {} if joint else None

    def weights(self, units: int) -> np.ndarray:
        """How often each unit is drawn, (replicates, units)."""
        if self.kept is not None and units in self.kept:
            return self.kept[units]
        drawn = self.generator.integers(units, size=(self.replicates, units), dtype=np.int32)
        drawn += np.arange(self.replicates, dtype=np.int32)[:, None] * units
        weights = np.bincount(drawn.ravel(), minlength=self.replicates * units).reshape(-1, units)
        weights = weights.astype(np.float32)  # half the time of the product; sums of counts stay exact below 2^24
        if self.kept is not None:
            self.kept = {units: weights}
        return weights

    def sums(self, sums: np.ndarray) -> np.ndarray:
        """Add up the sums of resampled units, (units, M) → (replicates, M)."""
        return (self.weights(len(sums)) @ sums.astype(np.float32)).astype(float)


class _Collected:
    """Adds subjects up, replicate by replicate: sums for pooled measures, values for the others."""

    def __init__(self, measures: Sequence[Measure], replicates: int):
        self.measures = measures
        columns = np.repeat([m.pooled for m in measures], [len(m.x) for m in measures])
        self.mean_columns = np.nonzero(~columns)[0]
        self.sums = np.zeros((replicates, sum(m.sums.shape[1] for m in measures)))
        self.total = np.zeros((replicates, len(self.mean_columns)))
        self.number = np.zeros_like(self.total)

    def add(self, replicate, sums: np.ndarray, values: np.ndarray) -> None:
        """Add one subject to the named replicates (repeats count)."""
        own = values[..., self.mean_columns]
        parts = ((self.sums, sums), (self.total, np.nan_to_num(own)), (self.number, ~np.isnan(own)))
        for target, part in parts:
            if isinstance(replicate, slice):
                target[replicate] += part
            else:
                np.add.at(target, replicate, part)

    def values(self) -> np.ndarray:
        """Values of all measures, (replicates, q)."""
        found = evaluate(self.measures, self.sums)
        with np.errstate(invalid="ignore"):
            found[:, self.mean_columns] = self.total / self.number
        return found


def _counts(measures: Sequence[Measure], sums: np.ndarray) -> np.ndarray:
    edges = np.cumsum([m.sums.shape[1] for m in measures])[:-1]
    return np.concatenate(
        [np.broadcast_to(m.count(part), len(m.x)) for m, part in zip(measures, np.split(sums, edges))]
    )


def _single(sessions: int, units: int) -> tuple[str, str]:
    if units < 2:
        return "none", "one episode: no interval"
    if sessions > 1:
        return "sessions", "describes this subject only"
    return "episodes", "one session: episodes within it; describes this subject only"


def _together(number: int, sessions: np.ndarray, population: bool, crossed: bool, episodes: int) -> tuple[str, str]:
    if population:
        if crossed:
            return "subjects and shared episodes", f"one session per subject, the same episodes for all; {DRAWN}"
        if (sessions > 1).any():
            return "subjects and sessions", DRAWN
        return "subjects", f"one session per subject; {DRAWN}"
    if episodes == number:
        return "none", "one episode per subject: no interval"
    few = f"{number} fixed subject{'s' if number > 1 else ''}: describes these only, no population"
    if (sessions > 1).all():
        return "sessions within subjects", few
    if (sessions == 1).all():
        return "episodes", f"episodes within {few}"
    return "sessions within subjects", f"{few}; episodes where a subject has one session"
