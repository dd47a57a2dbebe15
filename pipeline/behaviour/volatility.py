"""Learning rate against volatility: a Rescorla–Wagner fit to every episode, and its regression on the volatility.

The analysis of Wang et al. (2017), experiment 4, from a trial table and nothing else: α and β of every episode by
maximum likelihood (`pipeline.behaviour.episode_fits`), then within each subject the regression of α on the volatility
ν of the episode, and the comparison of the episodes whose ν lay in the gap that training left out with those below and
above it. Tests of a subject are over its episodes; the mean over subjects has an interval over subjects and, where all
met the same episodes, over these.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.behaviour import WANG, Statistic
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.by_volatility import BLANK, GAP, INNER, statistics
from pipeline.errors import UserError

BETA_LIMIT = 50.0
FEW = 8
EPISODE = ["subject", "session", "episode"]
NUMBERS = ("value", "standard_error", "low", "high", "p_value")

COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "volatility": ("source", "species", "task", "subject", "statistic", "value", "standard_error", "low",
                       "high", "p_value", "n_episodes", "n_subjects", "note"),
        "episodes": ("source", "task", "subject", "session", "episode", "volatility", "alpha", "beta",
                     "log_likelihood", "at_bound", "one_option", "n_trials"),
    }
)  # fmt: skip

_STATISTICS = (
    Statistic("alpha_slope", "Slope", "b1 of α = b0 + b1 ν over episodes (least squares)", "per unit of ν", WANG),
    Statistic("alpha_intercept", "Intercept", "b0 of the same", "learning rate", WANG),
    Statistic("alpha_r_squared", "R²", "share of the variance of α that ν explains", "share", WANG),
    Statistic("alpha_low", "α, low third", "mean α of episodes with ν up to the gap", "learning rate", WANG),
    Statistic("alpha_middle", "α, held-out third", "mean α of episodes with ν in the gap", "learning rate", WANG),
    Statistic("alpha_high", "α, high third", "mean α of episodes with ν from the gap on", "learning rate", WANG),
    Statistic("middle_minus_low", "Held-out − low", "difference of these means (Welch's t)", "learning rate", WANG),
    Statistic("high_minus_middle", "High − held-out", "difference of these means (Welch's t)", "learning rate", WANG),
    Statistic("heldout_slope", "Slope, held-out third", "b1 over episodes with ν in the gap", "per unit of ν", WANG),
    Statistic("heldout_r_squared", "R², held-out third", "R² over episodes with ν in the gap", "share", WANG),
    Statistic("share_at_bound", "At a bound", "share of episodes with α at 0 or 1, or β at 0 or its limit", "share"),
    Statistic("share_one_option", "One option only", "share of episodes in which one option was always chosen",
              "share"),
    Statistic("share_no_alpha", "No α", "share of episodes with β = 0 or no free choice: α is not defined", "share"),
)  # fmt: skip
VOLATILITY: Mapping[str, Statistic] = MappingProxyType({s.name: s for s in _STATISTICS})
TESTED = ("alpha_slope", "middle_minus_low", "high_minus_middle", "heldout_slope")  # where 0 is the null over subjects


class NoVolatility(UserError):
    """A table whose episodes do not differ in volatility: there is nothing to relate."""


def analyse(
    table: pd.DataFrame, gap: tuple[float, float] = GAP, beta_limit: float = BETA_LIMIT, level: float = 0.95
) -> dict[str, pd.DataFrame]:
    """Fit every episode, and relate its learning rate to its volatility.

    Parameters
    ----------
    table : DataFrame
        Trial table of one source with the column ``volatility``, constant within an episode; two options.
    gap : (float, float)
        Volatilities that training left out: the low third ends, and the high third begins, where training did. Tests
        of the held-out third are over episodes strictly inside.
    beta_limit : float
        Largest inverse temperature of an episode's fit.
    level : float
        Coverage of the intervals.

    Returns
    -------
    dict
        ``volatility``: one row per task, subject (``all`` first: mean over subjects) and statistic of `VOLATILITY`.
        The main statistics keep fits at a bound (a learner of a very volatile world has α = 1); each is there again
        with the suffix ``_inner`` without them and without episodes in which one option was always chosen. A
        subject's intervals and p-values are over its episodes (least squares; Welch's t; Fisher's z for R²), those of
        ``all`` over subjects (Student's t on n − 1 degrees of freedom); a lone subject's row is repeated as ``all``.
        Where all subjects met the same episodes (equal volatilities, episode by episode), the luck of these does not
        average out over subjects: the root mean square of the subjects' own standard errors is added as a second,
        independent part, with Welch's degrees of freedom. That counts the subjects' own noise twice, which errs on the
        side of a wider interval.
        ``episodes``: one row per episode with its fit.

    Raises
    ------
    NoVolatility
        If there is no volatility, or a single one.
    UserError
        If it varies within an episode, there are more options than two, or a setting is out of range.
    """
    if not 0 < level < 1:
        raise UserError(f"volatility: level is {level}; it lies between 0 and 1 (did you write 95 for .95?)")
    if not gap[0] < gap[1]:
        raise UserError(f"volatility: the gap is {gap}; its first end must lie below its second")
    source = str(table["source"].iloc[0]) if len(table) else "(none)"
    if "volatility" not in table or table["volatility"].nunique() < 2:
        found = "no column 'volatility'" if "volatility" not in table else "fewer than two values of 'volatility'"
        raise NoVolatility(
            f"volatility: the trial table of {source} has {found}; a learning rate can be related to volatility only "
            "where it varies between episodes (the restless bandits)"
        )
    fitted, rows = [], []
    for task in table["task"].unique():
        part = table[(table["task"] == task).to_numpy(bool)]
        own = fits(part, beta_limit)
        fitted.append(own)
        who = {name: str(part[name].iloc[0]) for name in ("source", "species", "task")}
        rows += _rows(own, who, gap, level)
    return {
        "volatility": pd.DataFrame(rows, columns=list(COLUMNS["volatility"])),
        "episodes": pd.concat(fitted, ignore_index=True)[list(COLUMNS["episodes"])],
    }


def not_run(table: pd.DataFrame, reason: str, source: str = "") -> dict[str, pd.DataFrame]:
    """Give valid tables where there is nothing to analyse: no episode, and one row that says why."""
    first = table.iloc[0] if len(table) else {}
    who = {name: str(first.get(name, "")) for name in ("source", "species", "task")}
    who["source"] = who["source"] or source
    row = who | {"subject": "all", "statistic": "not_run", "n_episodes": 0, "n_subjects": 0, "note": reason}
    return {
        "volatility": pd.DataFrame([row]).reindex(columns=list(COLUMNS["volatility"])),
        "episodes": pd.DataFrame(columns=list(COLUMNS["episodes"])),
    }


def fits(table: pd.DataFrame, beta_limit: float = BETA_LIMIT) -> pd.DataFrame:
    """Fit every episode of a trial table of one task; rows with `COLUMNS` ``episodes``."""
    from pipeline.behaviour.episode_fits import fit_episodes

    e = episodes(table)
    if e.options != 2:
        raise UserError(f"volatility: {e.source} has {e.options} options on {e.task}; these episode fits are for two")
    grouped = table.groupby(EPISODE, sort=True, observed=True)["volatility"]
    lowest, highest = grouped.min(), grouped.max()
    if (lowest != highest).any():
        where = ", ".join(map(str, lowest.index[(lowest != highest).to_numpy(bool)][0]))
        raise UserError(
            f"volatility: it varies within an episode of {e.source} (subject, session, episode {where}); "
            "this analysis relates one learning rate per episode to one volatility"
        )
    found = fit_episodes(e.choice, e.reward, e.free, beta_limit)
    frame = lowest.astype(float).reset_index().assign(source=e.source, task=e.task)
    return frame.assign(
        alpha=found.alpha, beta=found.beta, log_likelihood=found.log_likelihood,
        at_bound=found.at_bound.astype(int), one_option=found.one_option.astype(int), n_trials=found.trials,
    )  # fmt: skip


def _rows(fitted: pd.DataFrame, who: Mapping, gap: tuple[float, float], level: float) -> list[dict]:
    """Rows of one task: mean over subjects, then each subject."""
    subjects = list(dict.fromkeys(fitted["subject"]))
    single = {s: statistics(fitted[(fitted["subject"] == s).to_numpy(bool)], gap, level) for s in subjects}
    note, common = "over episodes within this subject", _shared(fitted)
    rows = []
    for name in single[subjects[0]]:
        estimates = [single[s][name] for s in subjects]
        *numbers, said = _over_subjects(name, estimates, common, level)
        if len(subjects) == 1:
            numbers, said = estimates[0][:5], f"one subject: {note}"
        rows.append(
            {**who, "subject": "all", "statistic": name, **dict(zip(NUMBERS, numbers)),
             "n_episodes": sum(x[5] for x in estimates), "n_subjects": len(subjects), "note": said}
        )  # fmt: skip
    for subject, found in single.items():
        for name, (*numbers, n) in found.items():
            rows.append(
                {**who, "subject": subject, "statistic": name, **dict(zip(NUMBERS, numbers)), "n_episodes": n,
                 "n_subjects": 1, "note": note}
            )  # fmt: skip
    return rows


def _shared(fitted: pd.DataFrame) -> bool:
    """Whether several subjects met the same episodes: equal volatilities under equal session and episode numbers."""
    by_subject = fitted.pivot_table(index=EPISODE[1:], columns="subject", values="volatility", aggfunc="first")
    worlds = by_subject.to_numpy(float)
    return worlds.shape[1] > 1 and bool((worlds == worlds[:, :1]).all())


def _over_subjects(name: str, estimates: list[tuple], common: bool, level: float) -> tuple:
    """Mean over subjects, its error, Student's t interval, p of no effect where that is a question, and a note.

    With ``common`` episodes the variance of the mean is s²/n + mean(SE²), on Welch's degrees of freedom, of which the
    second part has as many as the subjects have episodes.
    """
    found = [x for x in estimates if np.isfinite(x[0])]
    values, own = np.array([x[0] for x in found], float), np.array([x[1] for x in found], float)
    n = len(found)
    over = "subjects and the episodes that they share" if common else "subjects"
    note = f"mean of {n} subjects; interval over {over}"
    if n < len(estimates):
        note += f"; {len(estimates) - n} of {len(estimates)} without a value left out"
    if n < FEW:
        note += f"; fewer than {FEW}: it speaks of these subjects (networks: selected as the best)"
        note += ", on these episodes, and of no population" if common else " and of no population"
    if not n:
        return *BLANK, note
    if n == 1:
        return values[0], *BLANK[1:], note
    parts, freedom = np.array([values.var(ddof=1) / n, 0.0]), np.array([n - 1.0, 1.0])
    if common and np.isfinite(own).any():
        parts[1] = np.nanmean(own**2)
        freedom[1] = max(np.mean([x[5] for x in found]) - 2, 1)
    error = np.sqrt(parts.sum())
    if error == 0:
        return values.mean(), 0.0, values.mean(), values.mean(), np.nan, note
    degrees = parts.sum() ** 2 / (parts**2 / freedom).sum()
    half = student.ppf((1 + level) / 2, degrees) * error
    tested = name.removesuffix(INNER) in TESTED
    p = float(2 * student.sf(abs(values.mean()) / error, degrees)) if tested else np.nan
    return values.mean(), error, values.mean() - half, values.mean() + half, p, note
