"""What a claim may be about: registry `STATISTICS`, functions from a source's tables to a number with its interval."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.tasks import TASKS

LEVEL = 0.95


class NotRun(Exception):
    """Raised where this run lacks what the statistic needs; the message says what."""


@dataclass(frozen=True)
class Measured:
    """A number with its interval and the number of agents or subjects behind it."""

    value: float
    low: float
    high: float
    n: int
    note: str = ""


@dataclass(frozen=True)
class Source:
    """One source and everything that was measured."""

    name: str
    evaluations: pd.DataFrame
    summaries: pd.DataFrame

    @property
    def core(self) -> str:
        """``lstm`` of ``lstm_du`` and of ``lstm_du_noreward``."""
        return self.name.split("_")[0]

    @property
    def task(self) -> str:
        """``du`` of ``lstm_du`` and of ``lstm_du_noreward``: the task it was trained on."""
        return [*self.name.split("_"), ""][1]

    def fill(self, text: str) -> str:
        """Put this source's core and training task in the place of ``{core}`` and ``{task}``."""
        return text.replace("{core}", self.core).replace("{task}", self.task)


@dataclass(frozen=True)
class Mean:
    """Mean regret of a source's best agents: standard error with its degrees of freedom."""

    value: float
    error: float
    freedom: float
    n: int
    episode_error: float  # of one agent's mean over the test episodes, which all agents share


@dataclass(frozen=True)
class ClaimStatistic:
    """One entry of the registry; ``needs`` and ``may`` are the names of its arguments."""

    name: str
    function: Callable[..., Measured]
    needs: tuple[str, ...]
    description: str
    may: tuple[str, ...] = ()


def _rows(source: Source, name: str, test: str) -> pd.DataFrame:
    every = source.evaluations
    rows = every[(every["source"] == name) & (every["task"] == test)] if len(every) else every
    if not len(rows):
        trained = [part for part in name.split("_") if part in TASKS]
        elsewhere = trained and trained[0] != test
        raise NotRun(
            f"{name} was not evaluated on {test}" + (": no train-by-test matrix in this run" if elsewhere else "")
        )
    rows = rows.drop_duplicates("subject")
    if len(rows) > 1 and "best" in rows and (rows["best"] == 1).any():
        rows = rows[rows["best"] == 1]
    return rows


def _mean(source: Source, name: str, test: str) -> Mean:
    rows = _rows(source, name, test)
    x = rows["test_regret"].to_numpy(float)
    errors = pd.to_numeric(rows["test_regret_se"]).to_numpy(float)
    episode = float(np.sqrt(np.nanmean(errors**2))) if np.isfinite(errors).any() else np.nan
    if len(x) > 1:
        return Mean(x.mean(), x.std(ddof=1) / np.sqrt(len(x)), len(x) - 1, len(x), episode)
    return Mean(x.mean(), episode, float(pd.to_numeric(rows["n_test_episodes"]).iloc[0]) - 1, 1, episode)


def _welch(*parts: tuple[float, float]) -> tuple[float, float]:
    """Add independent parts (error, freedom): the error of their sum and its degrees of freedom (Welch 1947)."""
    variances = np.array([error**2 for error, _ in parts])
    freedom = np.array([f for _, f in parts])
    total = variances.sum()
    return float(np.sqrt(total)), float(total**2 / (variances**2 / freedom).sum()) if total > 0 else 1.0


def _reference(source: Source, reference: str, test: str, ours: Mean) -> tuple[float, tuple[float, float]]:
    """Regret of a reference with its (error, freedom).

    A source is met on the same test episodes as ours. ``optimum`` and ``chance`` are exact over the task's prior:
    against them the sampling of the episodes counts; our agents share it, so that it does not average out over agents.
    """
    name = source.fill(reference)
    if name in ("optimum", "chance"):
        exact = pd.to_numeric(_rows(source, source.name, test)[f"{name}_regret"]).dropna()
        if exact.empty:
            raise NotRun(f"the {name} regret on {test} is not known")
        shared = 0.0 if ours.n == 1 or not np.isfinite(ours.episode_error) else ours.episode_error
        return float(exact.iloc[0]), (shared, 1e6)
    if name == source.name:
        raise NotRun(f"{name} is the reference itself")
    theirs = _mean(source, name, test)
    return theirs.value, (theirs.error, theirs.freedom)


def _measured(value: float, parts: list[tuple[float, float]], n: int) -> Measured:
    error, freedom = _welch(*parts)
    half = student.ppf((1 + LEVEL) / 2, max(freedom, 1)) * error
    return Measured(value, value - half, value + half, n, "" if n > 1 else "one agent: interval over test episodes")


def regret(source: Source, test: str) -> Measured:
    """Mean expected regret of the best agents, Student's t interval over agents."""
    ours = _mean(source, source.name, source.fill(test))
    return _measured(ours.value, [(ours.error, ours.freedom)], ours.n)


def regret_minus(source: Source, test: str, reference: str) -> Measured:
    """Regret of the best agents minus that of a reference, Welch's interval (agents; the reference's own error)."""
    test = source.fill(test)
    ours = _mean(source, source.name, test)
    value, part = _reference(source, reference, test, ours)
    return _measured(ours.value - value, [(ours.error, ours.freedom), part], ours.n)


def regret_over(source: Source, test: str, reference: str) -> Measured:
    """Regret of the best agents over that of a reference; error by the delta method."""
    test = source.fill(test)
    ours = _mean(source, source.name, test)
    value, (error, freedom) = _reference(source, reference, test, ours)
    ratio = ours.value / value
    # Against an exact reference the second part is our own episodes' error, which enters as (error / reference).
    scale = 1 if source.fill(reference) in ("optimum", "chance") else ratio
    return _measured(ratio, [(ours.error / value, ours.freedom), (scale * error / value, freedom)], ours.n)


def learned_share(source: Source, test: str) -> Measured:
    """Share of the way from chance to the optimum, (chance − regret) / (chance − optimum): 0 chance, 1 optimal."""
    test = source.fill(test)
    ours = _mean(source, source.name, test)
    chance, part = _reference(source, "chance", test, ours)
    optimum, _ = _reference(source, "optimum", test, ours)
    span = chance - optimum
    parts = [(error / span, freedom) for error, freedom in ((ours.error, ours.freedom), part)]
    return _measured((chance - ours.value) / span, parts, ours.n)


def summary(source: Source, name: str, subject: str = "all") -> Measured:
    """Behavioural summary of a source, or of one of its subjects, with its bootstrap interval."""
    every = source.summaries
    chosen = every[(every["source"] == source.name) & (every["statistic"] == name)] if len(every) else every
    chosen = chosen[chosen["subject"].astype(str) == subject] if len(chosen) else chosen
    if not len(chosen):
        raise NotRun(f"{source.name} has no {name} of subject {subject}")
    row = chosen.iloc[0]
    return Measured(float(row["value"]), float(row["low"]), float(row["high"]), int(row["n_subjects"]))


STATISTICS: Mapping[str, ClaimStatistic] = MappingProxyType(
    {
        s.name: s
        for s in (
            ClaimStatistic("regret", regret, ("test",), "mean expected regret of the best agents on task test"),
            ClaimStatistic("regret_minus", regret_minus, ("test", "reference"),
                           "the same minus that of a reference: a source, optimum or chance"),
            ClaimStatistic("regret_over", regret_over, ("test", "reference"), "the same over that of a reference"),
            ClaimStatistic("learned_share", learned_share, ("test",), "(chance − regret) / (chance − optimum)"),
            ClaimStatistic("summary", summary, ("name",), "a behavioural summary statistic", ("subject",)),
        )
    }
)  # fmt: skip
