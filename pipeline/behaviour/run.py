"""All behavioural analyses of one trial table, as three tidy tables."""

import difflib
from collections.abc import Mapping

import pandas as pd

from pipeline.behaviour import REGRESSIONS, rows
from pipeline.behaviour.arrays import Episodes, episodes
from pipeline.behaviour.bootstrap import bootstrap
from pipeline.behaviour.curves import curves
from pipeline.behaviour.kernels import history_kernels
from pipeline.behaviour.regressions import cells, stay_regression, stays
from pipeline.behaviour.summaries import summaries
from pipeline.behaviour.two_step import differences, lag_regression, terms
from pipeline.errors import UserError
from pipeline.seeds import generator

WHO = ("source", "species", "task", "subject")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "summary": (*WHO, "statistic", "value", "low", "high", "n_subjects", "n_sessions", "n_episodes", "n_trials",
                "unit", "note"),
    "curves": (*WHO, "curve", "x", "value", "low", "high", "n"),
    "regressions": (*WHO, "regression", "term", "estimate", "standard_error", "low", "high", "n_trials", "n_clusters",
                    "clusters", "separated", "note"),
}  # fmt: skip

DEFAULTS: Mapping[str, float] = {
    "seed": 1,  # of the bootstrap
    "replicates": 2000,  # bootstrap samples
    "level": 0.95,  # coverage of every interval
    "lags": 6,  # of the history kernels
    "before": 20,  # trials shown before the first reversed one
    "after": 30,  # and after it
}


def analyse(table: pd.DataFrame, settings: Mapping | None = None, **named) -> dict[str, pd.DataFrame]:
    """Summaries, curves and regressions of a trial table, whoever behaved.

    Parameters
    ----------
    table : DataFrame
        One source, as `pipeline.trials.check` accepts it; zero rows give empty tables with their columns.
    settings : mapping, optional
        Any of `DEFAULTS`.
    **named
        The same, by name.

    Returns
    -------
    dict
        ``summary``, ``curves`` and ``regressions``: tidy tables with `COLUMNS`; subject "all" first, then each subject.

    Raises
    ------
    UserError
        If a setting is unknown or out of range.
    """
    chosen = _settings(dict(settings or {}) | named)
    found: dict[str, list[dict]] = {name: [] for name in COLUMNS}
    for task in table["task"].unique():
        e = episodes(table[(table["task"] == task).to_numpy(bool)])
        for name, part in _one_task(e, **chosen).items():
            found[name] += part
    return {name: pd.DataFrame(part, columns=list(COLUMNS[name])) for name, part in found.items()}


def _settings(settings: Mapping) -> dict:
    found = dict(DEFAULTS) | dict(settings)
    for name in found:
        if name not in DEFAULTS:
            near = difflib.get_close_matches(name, DEFAULTS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(f"behaviour: unknown setting {name!r}; known are {', '.join(DEFAULTS)}{hint}")
    if not 0 < found["level"] < 1:
        raise UserError(f"behaviour: level is {found['level']}; it lies between 0 and 1 (did you write 95 for .95?)")
    for name in ("replicates", "lags", "before", "after"):
        if int(found[name]) != found[name] or found[name] < (name in ("replicates", "lags")):
            raise UserError(
                f"behaviour: {name} is {found[name]}; it must be a whole number, 1 or more (before, after: 0)"
            )
    return found


def _one_task(e: Episodes, *, seed, replicates, level, lags, before, after) -> dict[str, list[dict]]:
    numbers, by_trial = summaries(e), curves(e, before, after)
    draws = generator(seed, "behaviour", e.source, e.task)
    estimates = bootstrap([*numbers, *by_trial], e, draws, replicates, level)
    pairs = stays(e)
    regressions, lagged = [], []
    for regression in REGRESSIONS.values():
        if any(getattr(e, column) is None for column in regression.needs):
            continue
        if regression.lags:
            fits = lag_regression(e, regression.lags)
            lagged += rows.lag_curves(e, fits, regression.lags, level)
        elif regression.scale == "probability":
            fits = differences(pairs, len(e.subjects))
        else:
            fits = stay_regression(pairs, regression, len(e.subjects))
        names = terms(regression)
        regressions += rows.fit_rows(e, regression.name, list(names), fits, level)
        if "reward:transition" in names:
            regressions += rows.ratio_rows(e, regression.name, names, fits, level)
    regressions += rows.cell_rows(e, cells(pairs, len(e.subjects), level), level)
    by_x = rows.curve_rows(e, by_trial, estimates, len(numbers)) + lagged
    if e.options == 2:  # the history regression asks which of two options is chosen
        kernels = history_kernels(e, lags)
        names = ["intercept", *(f"{kind}_{k}" for kind in ("reward", "choice") for k in range(1, lags + 1))]
        regressions += rows.fit_rows(e, "history", names, kernels, level)
        regressions += rows.half_life_rows(e, kernels, lags, level)
        by_x += rows.kernel_curves(e, kernels, lags, level)
    return {"summary": rows.summary_rows(e, numbers, estimates), "curves": by_x, "regressions": regressions}
