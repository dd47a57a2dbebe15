"""What a claim may be about in behaviour: summaries, regressions, learning rate against volatility, posteriors.

Numbers of several networks are means over them. Their interval has two independent parts (Welch): Student's t over
networks, and the luck of the test episodes, which all of them meet and which therefore does not average out: the root
mean square of the single networks' own errors. That counts each network's own noise twice, which errs on the side of a
wider interval. Fewer than 8 are the best of those trained, and the interval speaks of these on these episodes; of no
population. Beside ours stands that of the
exact Bayes-optimal learner on the same task, where it ran: a pattern that an ideal observer lacks asks for another
reading than one that it shows.
"""

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.behaviour.bootstrap import POPULATION
from pipeline.comparison.claim_source import (
    IDEAL,
    LARGE,
    LEVEL,
    ClaimStatistic,
    Measured,
    NotRun,
    Source,
    measured,
    welch,
)

CONVERGED, EFFECTIVE = 1.01, 400  # largest R-hat, smallest effective sample size of a fit (Vehtari et al. 2021)
NORMAL = student.ppf((1 + LEVEL) / 2, LARGE)  # standard errors in half of an interval


def _test(source: Source, test: str) -> str:
    return source.fill(test) if test else source.task


def _parts(values: np.ndarray, shared: float) -> list[tuple[float, float]]:
    """Errors, with their degrees of freedom, of a mean over agents: their spread, and the episodes that they share."""
    n = len(values)
    return [(float(values.std(ddof=1) / np.sqrt(n)), n - 1), (shared, LARGE)]


def _shared(errors: np.ndarray, rows: pd.DataFrame) -> float:
    """Error that the shared test episodes leave in a mean over networks; 0 for others, whose episodes are their own."""
    networks = "species" not in rows or set(rows["species"]) == {"network"}
    known = np.asarray(errors, float)[np.isfinite(np.asarray(errors, float))]
    return float(np.sqrt(np.mean(known**2))) if networks and len(known) else 0.0


def _of_these(n: int) -> str:
    few = f"the interval speaks of these {n} agents (networks: the best) on these episodes, of no population"
    return few if n < POPULATION else ""


def _over_agents(values: np.ndarray, shared: float, note: str = "") -> Measured:
    n = len(values)
    return measured(float(values.mean()), _parts(values, shared), n, "; ".join(filter(None, (note, _of_these(n)))))


def _with_ideal(ours: Measured, source: Source, test: str, function, *arguments: str) -> Measured:
    """Add the number of the exact Bayes-optimal learner on the same task to the note."""
    test = _test(source, test)
    if source.name == IDEAL or not test:
        return ours
    try:
        theirs = function(source.other(IDEAL), *arguments, test=test).value
    except NotRun:
        return ours
    note = f"the Bayes-optimal learner itself: {theirs:.3g}"
    return Measured(ours.value, ours.low, ours.high, ours.n, "; ".join(filter(None, (ours.note, note))))


def _summary(source: Source, name: str, subject: str, test: str) -> tuple[Measured, list[tuple[float, float]]]:
    """Give a summary with its interval, and the error behind it in parts."""
    found = source.rows("summary", test, statistic=name)
    one = found[found["subject"].astype(str) == (subject or "all")] if len(found) else found
    if not len(one):
        raise NotRun(f"{source.name} has no {name} of subject {subject or 'all'}")
    agents = found[found["subject"].astype(str) != "all"]
    if not subject and "species" in found and set(found["species"]) == {"network"} and len(agents) > 1:
        values, half = agents["value"].to_numpy(float), (agents["high"] - agents["low"]).to_numpy(float) / 2
        shared = _shared(half / NORMAL, agents)
        return _over_agents(values, shared), _parts(values, shared)
    row = one.iloc[0]
    n, freedom = int(row["n_subjects"]), LARGE
    if n >= POPULATION:  # the bootstrap widens such an interval by Student's t
        freedom = n - 1
    error = (float(row["high"]) - float(row["low"])) / 2 / student.ppf((1 + LEVEL) / 2, freedom)
    return Measured(float(row["value"]), float(row["low"]), float(row["high"]), n), [(error, freedom)]


def summary(source: Source, name: str, subject: str = "", test: str = "") -> Measured:
    """Behavioural summary of a source: networks, over agents; others, or a named subject, the bootstrap interval."""
    ours, _ = _summary(source, name, subject, _test(source, test))
    return _with_ideal(ours, source, test, lambda s, test: _summary(s, name, "", test)[0])


def summary_minus(source: Source, name: str, reference: str, test: str = "") -> Measured:
    """Difference of a behavioural summary between two sources on the same task; the errors are taken as independent."""
    task = _test(source, test)
    (ours, own), (theirs, other) = (_summary(s, name, "", task) for s in (source, source.other(source.fill(reference))))
    return measured(ours.value - theirs.value, [*own, *other], ours.n, ours.note)


def _terms(source: Source, name: str, terms: tuple[str, ...], test: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Estimates and standard errors of terms of one regression, (agents, terms), and the rows of the first term.

    ``_`` in a term stands for a space, too: ``reward_1,_common`` is the cell "reward 1, common".
    """
    found = source.rows("regressions", test, regression=name)
    found = found[found["subject"].astype(str) != "all"] if len(found) else found
    columns = []
    for term in terms:
        label = found["term"].astype(str) if len(found) else pd.Series(dtype=str)
        own = found[((label == term) | (label.str.replace(" ", "_") == term)).to_numpy(bool)] if len(found) else found
        own = own[np.isfinite(own["estimate"].to_numpy(float))] if len(own) else own
        if not len(own):
            raise NotRun(f"{source.name} has no estimate of {term} in the regression {name}")
        own = own.drop_duplicates("subject")
        columns.append(own.set_index(own["subject"].astype(str)))
    kept = sorted(set.intersection(*(set(c.index) for c in columns)))
    if not kept:
        raise NotRun(f"no agent of {source.name} has estimates of {' and '.join(terms)} in the regression {name}")
    estimate, error = (np.stack([c.loc[kept, k].to_numpy(float) for c in columns], 1)
                       for k in ("estimate", "standard_error"))  # fmt: skip
    return estimate, error, columns[0].loc[kept]


def _regression(source: Source, name: str, term: str, test: str) -> Measured:
    estimate, error, rows = _terms(source, name, (term,), test)
    if len(estimate) == 1:
        row = rows.iloc[0]
        return Measured(float(estimate[0, 0]), float(row["low"]), float(row["high"]), 1, "one agent: its own interval")
    apart = int((rows["separated"].astype(float) > 0).sum()) if "separated" in rows else 0
    note = f"{apart} of {len(estimate)} separated (Firth estimates)" if apart and name != "stay_probability" else ""
    return _over_agents(estimate[:, 0], _shared(error[:, 0], rows), note)


def regression(source: Source, name: str, term: str, test: str = "") -> Measured:
    """One term of a regression, or one stay probability, mean over agents."""
    ours = _regression(source, name, term, _test(source, test))
    return _with_ideal(ours, source, test, lambda s, test: _regression(s, name, term, test))


def _regression_minus(source: Source, name: str, term: str, other: str, test: str) -> Measured:
    estimate, error, rows = _terms(source, name, (term, other), test)
    difference = estimate[:, 0] - estimate[:, 1]
    if len(difference) == 1:
        return measured(float(difference[0]), [(float(e), LARGE) for e in error[0]], 1, "one agent: its own interval")
    # The tables hold no covariance of the two terms; an episode that moves both the same way only makes this too wide.
    return _over_agents(difference, _shared(np.hypot(*error.T), rows))


def regression_minus(source: Source, name: str, term: str, other: str, test: str = "") -> Measured:
    """Difference of two terms of a regression (two stay probabilities) within agents, mean over agents."""
    ours = _regression_minus(source, name, term, other, _test(source, test))
    return _with_ideal(ours, source, test, lambda s, test: _regression_minus(s, name, term, other, test))


def relative_effect(source: Source, name: str, term: str, to: str, reference: str = "", test: str = "") -> Measured:
    """Size of one effect relative to another, |b_term| / b_to, of means over agents; over that of ``reference``.

    Fieller's (1954) interval of the signed ratio, folded at 0 into that of its size. Where the interval of b_to holds
    0 the ratio has none. With a reference, its own relative error enters by the recovered variances of Donner & Zou
    (2012), and b_to of the reference must be positive.
    """
    task = _test(source, test)
    value, low, high, n = _ratio(source, name, term, to, task)
    if reference:
        scale, error = _scale(source.other(source.fill(reference)), name, term, to, task)
        reach = NORMAL * error * abs(value)
        low, high = value - np.hypot(value - low, reach), value + np.hypot(high - value, reach)
        value, low, high = value / scale, low / scale, high / scale
    if value < 0:
        value, low, high = -value, -high, -low
    if np.isfinite(low):
        low, high = max(low, 0.0), max(abs(low), high)
    return Measured(value, low, high, n, _of_these(n) if n > 1 else "")


def _ratio(source: Source, name: str, term: str, to: str, test: str) -> tuple[float, float, float, int]:
    """Ratio of two means over agents with Fieller's interval, and the number of agents.

    The tables hold no covariance of the two terms within an agent: the part of the shared episodes has none.
    """
    estimate, error, rows = _terms(source, name, (term, to), test)
    n = len(estimate)
    a, b = estimate.mean(0)
    if n == 1:
        return *fieller(a, b, np.diag(error[0] ** 2), NORMAL), n
    between, shared = np.cov(estimate, rowvar=False) / n, np.diag([_shared(e, rows) ** 2 for e in error.T])
    contrast = np.array([1, -a / b if b else 0])  # of which the interval asks whether it is 0
    parts = [(float(np.sqrt(contrast @ v @ contrast)), f) for v, f in ((between, n - 1), (shared, LARGE))]
    return *fieller(a, b, between + shared, student.ppf((1 + LEVEL) / 2, welch(*parts)[1])), n


def fieller(a: float, b: float, covariance: np.ndarray, critical: float) -> tuple[float, float, float]:
    """Ratio a / b with Fieller's interval; nan ends where the interval of b holds 0.

    The ends are the ratios ρ at which |a − ρ b| is ``critical`` standard errors, the roots of
    ρ² (b² − t² v_bb) − 2 ρ (a b − t² v_ab) + a² − t² v_aa = 0 (Fieller 1954, J R Stat Soc B 16:175).
    """
    square = critical**2
    first = b**2 - square * covariance[1, 1]
    if first <= 0:
        return (a / b if b else np.nan), np.nan, np.nan
    middle, last = a * b - square * covariance[0, 1], a**2 - square * covariance[0, 0]
    root = np.sqrt(max(middle**2 - first * last, 0.0))
    return a / b, float((middle - root) / first), float((middle + root) / first)


def _scale(reference: Source, name: str, term: str, to: str, test: str) -> tuple[float, float]:
    """Size of the reference's effect relative to its other one, and its relative standard error."""
    estimate, error, rows = _terms(reference, name, (term, to), test)
    (a, b), n = estimate.mean(0), len(estimate)
    if b <= 0 or a == 0:
        raise NotRun(f"{reference.name} shows no {to} (or no {term}) to set ours against")
    errors = error[0]
    if n > 1:
        errors = np.array([welch(*_parts(x, _shared(e, rows)))[0] for x, e in zip(estimate.T, error.T)])
    return abs(a) / b, float(np.hypot(*(errors / (a, b))))


def _volatility(source: Source, statistic: str, test: str) -> Measured:
    rows = source.rows("volatility", test, subject="all", statistic=statistic)
    if not len(rows) or not np.isfinite(float(rows.iloc[0]["value"])):
        raise NotRun(f"{source.name} has no {statistic} in the volatility analysis")
    row = rows.iloc[0]
    n = int(row["n_subjects"])
    p = float(pd.to_numeric(row["p_value"]))
    note = _of_these(n) if n > 1 else f"one agent: interval over {int(row['n_episodes'])} episodes"
    note = "; ".join(filter(None, (note, f"p = {p:.2g}" if np.isfinite(p) else "")))
    return Measured(*(float(row[k]) for k in ("value", "low", "high")), n, note)


def volatility(source: Source, statistic: str, test: str = "") -> Measured:
    """One statistic of the learning rate against volatility (`pipeline.behaviour.volatility`), mean over agents."""
    ours = _volatility(source, statistic, _test(source, test))
    return _with_ideal(ours, source, test, lambda s, test: _volatility(s, statistic, test))


def _converged(source: Source, model: str) -> None:
    fit, why = source.rows("posterior", model=model), ""
    if "passed" in fit and fit["passed"].notna().all():
        why = "" if fit["passed"].astype(bool).all() else "its diagnostics failed"
    else:
        checks = (("r_hat", "largest R-hat", CONVERGED, 1),
                  ("ess_bulk", "smallest bulk effective sample size", EFFECTIVE, -1),
                  ("ess_tail", "smallest tail effective sample size", EFFECTIVE, -1))  # fmt: skip
        for column, words, limit, sign in checks:
            worst = (sign * pd.to_numeric(fit[column])).max() if column in fit else np.nan
            if worst > sign * limit:
                why = f"{words} {abs(worst):.4g}, {'above' if sign > 0 else 'below'} {limit}"
    if why:
        raise NotRun(f"the fit of {model} to {source.name} did not converge ({why})")


def posterior(source: Source, model: str, parameter: str, level: str = "group", subject: str = "") -> Measured:
    """Posterior mean and 94 % highest-density interval of one parameter of a fit that passed its diagnostics.

    The badge is asked where the table has it (``passed``); else every row of the fit must have R-hat ≤ 1.01 and bulk
    and tail effective sample sizes ≥ 400.
    """
    rows = source.rows("posterior", model=model, parameter=parameter, level=level)
    rows = rows[rows["subject"].astype(str) == subject] if subject and len(rows) else rows
    if not len(rows):
        raise NotRun(f"{source.name} has no fit of {model} with a {level} {parameter}")
    row = rows.iloc[0]
    _converged(source, model)
    n = len(source.rows("posterior", model=model, parameter=parameter, level="subject"))
    return Measured(*(float(row[k]) for k in ("mean", "low", "high")), n)


STATISTICS = (
    ClaimStatistic("summary", summary, ("name",), "a behavioural summary statistic", ("subject", "test")),
    ClaimStatistic("summary_minus", summary_minus, ("name", "reference"), "the same minus that of a source", ("test",)),
    ClaimStatistic("regression", regression, ("name", "term"), "a regression's term, or a stay probability", ("test",)),
    ClaimStatistic("regression_minus", regression_minus, ("name", "term", "other"),
                   "difference of two of them within agents", ("test",)),
    ClaimStatistic("relative_effect", relative_effect, ("name", "term", "to"),
                   "|term| / to of a regression, over the same of the source named as reference",
                   ("reference", "test")),
    ClaimStatistic("volatility", volatility, ("statistic",),
                   "learning rate of an episode against its volatility", ("test",)),
    ClaimStatistic("posterior", posterior, ("model", "parameter"),
                   "a parameter of a fitted model", ("level", "subject")),
)  # fmt: skip
