"""Whom a claim is about: a source with every table of a run, and the number with its interval that it yields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.tasks import TASKS

LEVEL = 0.95
ABLATED = "_noreward"
IDEAL = "bayes_optimal"  # learner whose own number stands beside ours
LARGE = 1e6  # degrees of freedom of an error that is as good as known


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
    """One source and everything that was measured.

    ``tables`` maps ``evaluation``, ``summary``, ``regressions``, ``volatility``, ``ideals`` and ``posterior`` to the
    stacked tables of all sources; each may be empty or missing.
    """

    name: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def core(self) -> str:
        """``lstm`` of ``lstm_du`` and of ``lstm_two_step_noreward``."""
        return self.name.split("_")[0]

    @property
    def task(self) -> str:
        """``two_step`` of ``lstm_two_step`` and of ``lstm_two_step_noreward``: the task it was trained on; else ""."""
        name = self.name.removesuffix(ABLATED).partition("_")[2]
        return name if name in TASKS else ""

    def fill(self, text: str) -> str:
        """Put this source's core and training task in the place of ``{core}`` and ``{task}``."""
        return text.replace("{core}", self.core).replace("{task}", self.task)

    def other(self, name: str) -> "Source":
        """Another source of the same run."""
        return Source(name, self.tables)

    def rows(self, table: str, test: str = "", **equal: str) -> pd.DataFrame:
        """Own rows of a table; on task ``test`` if it is named, and where columns equal the texts given."""
        every = self.tables.get(table)
        if every is None or not len(every):
            return pd.DataFrame()
        wanted = {"source": self.name} | equal | ({"task": test} if test and "task" in every else {})
        for column, text in wanted.items():
            every = every[(every[column] == text).to_numpy(bool)]
        return every


@dataclass(frozen=True)
class ClaimStatistic:
    """One entry of the registry; ``needs`` and ``may`` are the names of its arguments."""

    name: str
    function: Callable[..., Measured]
    needs: tuple[str, ...]
    description: str
    may: tuple[str, ...] = ()


def welch(*parts: tuple[float, float]) -> tuple[float, float]:
    """Add independent parts (error, freedom): the error of their sum and its degrees of freedom (Welch 1947)."""
    variances = np.array([error**2 for error, _ in parts])
    freedom = np.array([f for _, f in parts])
    total = variances.sum()
    return float(np.sqrt(total)), float(total**2 / (variances**2 / freedom).sum()) if total > 0 else 1.0


def measured(value: float, parts: list[tuple[float, float]], n: int, note: str = "") -> Measured:
    """Give a value its Student's t interval from independent parts (error, freedom)."""
    error, freedom = welch(*parts)
    half = student.ppf((1 + LEVEL) / 2, max(freedom, 1)) * error
    return Measured(value, value - half, value + half, n, note)
