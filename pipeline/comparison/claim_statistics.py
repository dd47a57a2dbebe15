"""What a claim may be about: registry `STATISTICS`, functions from a source's tables to a number with its interval.

Regret and reward stand here, what is made of behaviour in `claim_statistics_behaviour`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from pipeline.comparison import claim_statistics_behaviour as behaviour
from pipeline.comparison.claim_source import LARGE, ClaimStatistic, Measured, NotRun, Source, measured

__all__ = ["STATISTICS", "ClaimStatistic", "Measured", "NotRun", "Source", "regret_over"]
EXACT = ("optimum", "chance", "ideal")  # references that are computed from the task's prior, not played
REWARD = ("test_reward", "test_reward_se")


@dataclass(frozen=True)
class Mean:
    """Mean of a source's best agents: standard error with its degrees of freedom."""

    value: float
    error: float
    freedom: float
    n: int
    episode_error: float  # of one agent's mean over the test episodes, which all agents share

    @property
    def part(self) -> tuple[float, float]:
        """Error and degrees of freedom."""
        return self.error, self.freedom

    @property
    def shared(self) -> float:
        """Error of the shared test episodes that does not average out over agents; 0 if ``error`` holds it already."""
        return 0.0 if self.n == 1 or not np.isfinite(self.episode_error) else self.episode_error

    @property
    def note(self) -> str:
        """Say where the interval comes from, if not from agents."""
        return "" if self.n > 1 else "one agent: interval over test episodes"


def _rows(source: Source, name: str, test: str) -> pd.DataFrame:
    rows = source.other(name).rows("evaluation", test)
    if not len(rows):
        trained = source.other(name).task
        elsewhere = trained and trained != test
        raise NotRun(
            f"{name} was not evaluated on {test}" + (": no train-by-test matrix in this run" if elsewhere else "")
        )
    rows = rows.drop_duplicates("subject")
    if len(rows) > 1 and "best" in rows and (rows["best"] == 1).any():
        rows = rows[rows["best"] == 1]
    return rows


def _mean(source: Source, name: str, test: str, column: str = "test_regret", error: str = "test_regret_se") -> Mean:
    rows = _rows(source, name, test)
    x = rows[column].to_numpy(float)
    errors = pd.to_numeric(rows[error if error in rows else "test_regret_se"]).to_numpy(float)
    episode = float(np.sqrt(np.nanmean(errors**2))) if np.isfinite(errors).any() else np.nan
    if len(x) > 1:
        return Mean(x.mean(), x.std(ddof=1) / np.sqrt(len(x)), len(x) - 1, len(x), episode)
    return Mean(x.mean(), episode, float(pd.to_numeric(rows["n_test_episodes"]).iloc[0]) - 1, 1, episode)


def ideal_regret(source: Source, test: str) -> tuple[float, float]:
    """Look up the regret on ``test`` of the ideal agent of this source's training prior, and its standard error."""
    every = source.tables.get("ideals")
    if every is not None and len(every) and source.task:
        row = every[(every["training_task"] == source.task) & (every["task"] == test)]
        if len(row):
            return float(row["regret"].iloc[0]), float(pd.to_numeric(row["standard_error"]).fillna(0).iloc[0])
    raise NotRun(f"the regret on {test} of the ideal agent of {source.name}'s training prior is not known")


def _reference(source: Source, reference: str, test: str, ours: Mean) -> tuple[float, tuple[float, float]]:
    """Regret of a reference with its (error, freedom).

    A source is met on the same test episodes as ours. ``optimum``, ``chance`` and ``ideal`` are exact over the task's
    prior (or simulated on episodes of their own): against them the sampling of the episodes counts; our agents share
    it, so that it does not average out over agents. Of a difference between two sources on the same episodes the
    episodes' own part cancels; what remains is what an episode does to one policy more than to the other, and that is
    held only as far as it shows in the spread over agents (the tables hold no regret per episode).
    """
    name = source.fill(reference)
    if name in EXACT:
        value, own = ideal_regret(source, test) if name == "ideal" else _bound(source, name, test)
        return value, (float(np.hypot(ours.shared, own)), LARGE)
    if name == source.name:
        raise NotRun(f"{name} is the reference itself")
    theirs = _mean(source, name, test)
    return theirs.value, theirs.part


def _bound(source: Source, name: str, test: str) -> tuple[float, float]:
    rows = _rows(source, source.name, test)
    exact = pd.to_numeric(rows[f"{name}_regret"]).dropna()
    if exact.empty:
        raise NotRun(f"the {name} regret on {test} is not known")
    column = f"{name}_standard_error"
    own = float(pd.to_numeric(rows[column]).fillna(0).iloc[0]) if column in rows else 0.0
    return float(exact.iloc[0]), own


def _beside(source: Source, reference: str, test: str, contrast) -> str:
    """Say what the same contrast is for the ideal agents of the two training priors; "" if there are no two priors."""
    other = source.other(source.fill(reference))
    if not source.task or not other.task or source.task == other.task:
        return ""
    try:
        value = contrast(ideal_regret(source, test)[0], ideal_regret(other, test)[0])
    except NotRun:
        return ""
    return f"the ideal agents of the same two training distributions: {value:.3g}"


def regret(source: Source, test: str) -> Measured:
    """Mean expected regret of the best agents, Student's t interval over agents."""
    ours = _mean(source, source.name, source.fill(test))
    return measured(ours.value, [ours.part], ours.n, ours.note)


def regret_minus(source: Source, test: str, reference: str) -> Measured:
    """Regret of the best agents minus that of a reference, Welch's interval (agents; the reference's own error)."""
    test = source.fill(test)
    ours = _mean(source, source.name, test)
    value, part = _reference(source, reference, test, ours)
    beside = _beside(source, reference, test, lambda a, b: a - b)
    return measured(ours.value - value, [ours.part, part], ours.n, "; ".join(filter(None, (ours.note, beside))))


def regret_over(source: Source, test: str, reference: str) -> Measured:
    """Regret of the best agents over that of a reference; error by the delta method."""
    test = source.fill(test)
    ours = _mean(source, source.name, test)
    value, (error, freedom) = _reference(source, reference, test, ours)
    ratio = ours.value / value
    # Against an exact reference the second part is our own episodes' error, which enters as (error / reference).
    scale = 1 if source.fill(reference) in EXACT else ratio
    parts = [(ours.error / value, ours.freedom), (scale * error / value, freedom)]
    beside = _beside(source, reference, test, lambda a, b: a / b)
    return measured(ratio, parts, ours.n, "; ".join(filter(None, (ours.note, beside))))


def learned_share(source: Source, test: str) -> Measured:
    """Share of the way from chance to the optimum, (chance − regret) / (chance − optimum): 0 chance, 1 optimal."""
    test = source.fill(test)
    ours = _mean(source, source.name, test)
    chance, part = _reference(source, "chance", test, ours)
    optimum, _ = _reference(source, "optimum", test, ours)
    span = chance - optimum
    parts = [(error / span, freedom) for error, freedom in (ours.part, part)]
    return measured((chance - ours.value) / span, parts, ours.n, ours.note)


def reward(source: Source, test: str) -> Measured:
    """Mean reward per test episode of the best agents.

    The interval holds the spread over agents and the luck of the test episodes, which the agents share:
    ``test_reward_se``, or where there is none the error of the regret, the same if the arms' outcomes are certain.
    """
    ours = _mean(source, source.name, source.fill(test), *REWARD)
    return measured(ours.value, [ours.part, (ours.shared, LARGE)], ours.n, ours.note)


def reward_over(source: Source, test: str, bound: str) -> Measured:
    """Mean reward per test episode of the best agents over a number, e.g. the optimum; interval as of `reward`."""
    ours, value = reward(source, test), float(bound)
    return Measured(ours.value / value, ours.low / value, ours.high / value, ours.n, ours.note)


STATISTICS: Mapping[str, ClaimStatistic] = MappingProxyType(
    {
        s.name: s
        for s in (
            ClaimStatistic("regret", regret, ("test",), "mean expected regret of the best agents on task test"),
            ClaimStatistic("regret_minus", regret_minus, ("test", "reference"),
                           "the same minus that of a reference: a source, optimum, chance or ideal (the ideal agent of "
                           "the training distribution, on task test)"),
            ClaimStatistic("regret_over", regret_over, ("test", "reference"), "the same over that of a reference"),
            ClaimStatistic("learned_share", learned_share, ("test",), "(chance − regret) / (chance − optimum)"),
            ClaimStatistic("reward", reward, ("test",), "mean reward per episode of the best agents on task test"),
            ClaimStatistic("reward_over", reward_over, ("test", "bound"), "the same over the number bound"),
            *behaviour.STATISTICS,
        )
    }
)  # fmt: skip
