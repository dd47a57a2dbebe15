"""Estimates as rows of the tidy tables that reports, claims and other languages read."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import t as student

from pipeline.behaviour import CURVES, STATISTICS
from pipeline.behaviour.arrays import Episodes, shared
from pipeline.behaviour.bootstrap import POPULATION, SELECTED, Estimate
from pipeline.behaviour.kernels import half_life
from pipeline.behaviour.logistic import Fit, combine, freedom
from pipeline.behaviour.measures import Measure
from pipeline.behaviour.regressions import Cell
from pipeline.behaviour.two_step import KINDS, RATIO, reward_over_interaction

POPULATION_NOTE = f"between-subject interval: subjects as drawn from a population; {SELECTED}"
FIXED_NOTE = "fixed subjects: describes these only, no population"
SHARED_NOTE = "the same episodes for all: errors are added up within an episode"


def _who(e: Episodes, subject: str) -> dict:
    return {"source": e.source, "species": e.species, "task": e.task, "subject": subject}


def common(e: Episodes) -> int:
    """How many episodes all subjects share, one session each (`pipeline.behaviour.arrays.shared`); 0 if they do not."""
    return len(e.subject) // len(e.subjects) if len(e.subjects) > 1 and shared(e) else 0


def _speaks_of(e: Episodes, population: bool) -> str:
    """Say what the interval of a mean over subjects holds, and of whom it speaks."""
    return "; ".join([POPULATION_NOTE if population else FIXED_NOTE, *([SHARED_NOTE] if common(e) else [])])


def _freedom(e: Episodes, fits: list[Fit], fit: Fit | None) -> int:
    """Degrees of freedom of one subject's ``fit``, or of the mean over subjects."""
    return freedom([fit], False) if fit else freedom(fits, len(e.subjects) >= POPULATION, common(e))


def summary_rows(e: Episodes, measures: list[Measure], estimates: list[Estimate]) -> list[dict]:
    """Rows of the summary table; statistics that nobody has (the task or data do not define them) are left out."""
    rows = []
    for estimate in estimates:
        total = len(e.subjects) if estimate.subject == "all" else 1
        for i, measure in enumerate(measures):
            if np.isnan(estimates[0].value[i]):
                continue
            lacking = total - int(estimate.subjects[i])
            dropped = f"{lacking} of {total} subjects have no such trials and are left out" if lacking else ""
            rows.append(
                _who(e, estimate.subject)
                | {
                    "statistic": STATISTICS[measure.name].name,
                    "value": estimate.value[i],
                    "low": estimate.low[i],
                    "high": estimate.high[i],
                    "n_subjects": int(estimate.subjects[i]),
                    "n_sessions": int(estimate.sessions),
                    "n_episodes": estimate.episodes,
                    "n_trials": int(estimate.count[i]),
                    "unit": estimate.unit,
                    "note": "; ".join(filter(None, (estimate.note, dropped))),
                }
            )
    return rows


def curve_rows(e: Episodes, measures: list[Measure], estimates: list[Estimate], start: int) -> list[dict]:
    """Rows of the trial curves; ``start`` is where the measures' values begin in each estimate."""
    rows = []
    for measure in measures:
        cut = slice(start, start + len(measure.x))
        start = cut.stop
        curve = CURVES[measure.name].name
        for one in estimates:
            columns = zip(measure.x, one.value[cut], one.low[cut], one.high[cut], one.count[cut])
            rows += [
                _who(e, one.subject)
                | {"curve": curve, "x": int(x), "value": value, "low": low, "high": high, "n": int(n)}
                for x, value, low, high, n in columns
                if n > 0
            ]
    return rows


def kernel_curves(e: Episodes, fits: list[Fit], lags: int, level: float) -> list[dict]:
    """Rows of the reward and choice kernels by lag; n is the number of trials."""
    rows = []
    for subject, estimate, _, low, high, fit in _subjects(e, fits, level):
        trials = fit.trials if fit else sum(f.trials for f in fits)
        for first, curve in ((1, "reward_kernel"), (1 + lags, "choice_kernel")):
            columns = zip(range(1, lags + 1), *(v[first : first + lags] for v in (estimate, low, high)))
            rows += [
                _who(e, subject) | {"curve": curve, "x": k, "value": value, "low": a, "high": b, "n": trials}
                for k, value, a, b in columns
                if np.isfinite(value)
            ]
    return rows


def lag_curves(e: Episodes, fits: list[Fit], lags: int, level: float) -> list[dict]:
    """Rows of the lagged two-step regression, one curve per kind of past trial; n is the number of trials."""
    rows = []
    for subject, estimate, _, low, high, fit in _subjects(e, fits, level):
        trials = fit.trials if fit else sum(f.trials for f in fits)
        for j, kind in enumerate(KINDS):
            columns = zip(range(1, lags + 1), *(v[1 + j * lags :][:lags] for v in (estimate, low, high)))
            rows += [
                _who(e, subject)
                | {"curve": CURVES[kind].name, "x": k, "value": value, "low": a, "high": b, "n": trials}
                for k, value, a, b in columns
                if np.isfinite(value)
            ]
    return rows


def ratio_rows(e: Episodes, name: str, terms: tuple[str, ...], fits: list[Fit], level: float) -> list[dict]:
    """Rows of the reward effect relative to the interaction: of the mean coefficients, then of each subject."""
    rows = []
    for subject, estimate, covariance, _, _, fit in _subjects(e, fits, level):
        degrees = _freedom(e, fits, fit)
        value, error, low, high = reward_over_interaction(terms, estimate, covariance, degrees, level)
        extra = _scope(e, subject, fits, fit)
        if not np.isfinite(value):
            extra["note"] = "no ratio: the interaction is within 2 standard errors of 0"
        rows.append(
            _who(e, subject)
            | {"regression": name, "term": RATIO, "estimate": value, "standard_error": error, "low": low, "high": high}
            | extra
        )
    return rows


def fit_rows(e: Episodes, name: str, terms: list[str], fits: list[Fit], level: float) -> list[dict]:
    """Rows of one regression: mean over subjects, then each subject, one row per term."""
    rows = []
    for subject, estimate, covariance, low, high, fit in _subjects(e, fits, level):
        extra = _scope(e, subject, fits, fit)
        columns = zip(terms, estimate, np.sqrt(np.diag(covariance)), low, high)
        rows += [
            _who(e, subject)
            | {"regression": name, "term": term, "estimate": b, "standard_error": error, "low": a, "high": c}
            | extra
            for term, b, error, a, c in columns
        ]
    return rows


def half_life_rows(e: Episodes, fits: list[Fit], lags: int, level: float) -> list[dict]:
    """Rows of the half-life, in trials, of the exponential through each reward kernel."""
    rows = []
    cut = slice(1, 1 + lags)
    for subject, estimate, covariance, _, _, fit in _subjects(e, fits, level):
        value, error = half_life(estimate[cut], covariance[cut, cut])
        extra = _scope(e, subject, fits, fit)
        # On the log scale, where the fit was made: a half-life is positive.
        degrees = _freedom(e, fits, fit)
        factor = np.exp(student.ppf((1 + level) / 2, degrees) * error / value)
        if not np.isfinite(value):
            extra["note"] = "no half-life: the reward kernel is near 0 or does not decay"
        rows.append(
            _who(e, subject)
            | {"regression": "history", "term": "reward_half_life", "estimate": value, "standard_error": error}
            | {"low": value / factor, "high": value * factor}
            | extra
        )
    return rows


def cell_rows(e: Episodes, found: list[list[Cell]], level: float) -> list[dict]:
    """Rows of the stay probabilities: mean over subjects, then each subject."""
    rows = []
    for name in sorted({cell.name for own in found for cell in own}):
        own = [cell for one in found for cell in one if cell.name == name]
        population = len(e.subjects) >= POPULATION and len(own) > 1
        p, variance, low, high, n = combine([cell.fit for cell in own], population, level, common(e))
        mean = Cell(name, p[0], np.sqrt(variance[0, 0]), max(low[0], 0.0), min(high[0], 1.0),
                    sum(c.trials for c in own), n)  # fmt: skip
        rows.append(_cell_row(e, "all", mean, "subject", f"mean of {n} subjects; {_speaks_of(e, population)}"))
    note = "Wilson interval on the effective number of trials"
    for label, own in zip(e.subjects, found):
        rows += [_cell_row(e, label, cell, _clusters(e, label), note) for cell in own]
    return rows


def _cell_row(e: Episodes, subject: str, cell: Cell, clusters: str, note: str) -> dict:
    return _who(e, subject) | {
        "regression": "stay_probability",
        "term": cell.name,
        "estimate": cell.probability,
        "standard_error": cell.standard_error,
        "low": cell.low,
        "high": cell.high,
        "n_trials": cell.trials,
        "n_clusters": cell.clusters,
        "clusters": clusters,
        "separated": int(cell.probability in (0, 1)),
        "note": note,
    }


def _subjects(e: Episodes, fits: list[Fit], level: float) -> Iterator[tuple]:
    """Mean over subjects (without a fit), then each subject: label, estimate, covariance, low, high, fit."""
    mean, covariance, low, high, _ = combine(fits, len(e.subjects) >= POPULATION, level, common(e))
    yield "all", mean, covariance, low, high, None
    for label, fit in zip(e.subjects, fits):
        yield label, fit.estimate, fit.covariance, *fit.interval(level), fit


def _scope(e: Episodes, subject: str, fits: list[Fit], fit: Fit | None) -> dict:
    """Trials, clusters, separation and note of one row of a regression."""
    if fit is not None:
        return {"n_trials": fit.trials, "n_clusters": fit.clusters, "clusters": _clusters(e, subject),
                "separated": int(fit.separated), "note": fit.note}  # fmt: skip
    kept = sum(np.isfinite(f.estimate).all() for f in fits)
    apart = sum(f.separated for f in fits)
    note = f"mean of {kept} subjects; {_speaks_of(e, len(e.subjects) >= POPULATION)}"
    if kept < len(fits):
        note += f"; {len(fits) - kept} of {len(fits)} without an estimate left out"
    if apart:
        note += f"; {apart} separated (Firth estimates)"
    return {"n_trials": sum(f.trials for f in fits), "n_clusters": int(kept), "clusters": "subject",
            "separated": int(apart > 0), "note": note}  # fmt: skip


def _clusters(e: Episodes, subject: str) -> str:
    own = e.session_subject == int(np.nonzero(e.subjects == subject)[0][0])
    return "session" if own.sum() > 1 else "episode"
