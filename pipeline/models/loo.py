"""Leave-one-out cross-validation of a hierarchical fit, with the parameters of what is left out integrated out.

Two questions are asked. How well is a **new session** of a known subject predicted (where subjects have several), and
how well a **new subject** of the same group? Of a lone subject with a single session, episodes are left out, which
share its parameters. Given the levels above, φ, what is left out has the likelihood ::

    p(y_u | φ) = ∫ p(y_u | η) N(η; mean, SD) dη ≈ mean_j p(y_u | η_j) N(η_j; φ) / q(η_j)
    elpd_u = log p(y_u | y_-u) = log Σ_d w_d p(y_u | φ_d),   w_d ∝ 1 / p(y_u | φ_d)  (Pareto-smoothed)

with φ_d from the NUTS posterior and q a Student t around the conditional mode; of a subject with several sessions, the
subject's parameters and those of all of its sessions are integrated out (`pipeline.models.importance`). Pareto
smoothing on the conditional likelihood, with η among the draws, fails for almost every unit.

Where k > .7 the posterior is computed afresh without what is left out: for subjects with one session each first without
sampling (`pipeline.models.refit.by_grid`, weighted exactly, k that of the new weights), else by NUTS with its choices
not scored, the main level and the worst first, up to a number of refits; then elpd_u = log mean_d p(y_u | φ_d), and k
that of the terms averaged. What is left above .7 is flagged.
"""

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from pipeline.models.badge import LOO_COLUMNS, LOO_FACTS
from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.diagnose import PARETO_K, smooth
from pipeline.models.levels import Level, draws_of, levels_of
from pipeline.models.refit import Refits


def leave_one_out(
    card: ModelCard, trials: Trials, table: pd.DataFrame, idata, seed: int, refits: Refits | None = None
) -> tuple[pd.DataFrame, dict]:
    """Leave each session and each subject out.

    Parameters
    ----------
    card : ModelCard
    trials : Trials
        As fitted.
    table : DataFrame
        The trial table, read again where the unit is an episode.
    idata : InferenceData
        The NUTS posterior.
    seed : int
        For the quasi-random points.
    refits : Refits, optional
        How to sample without a unit; none: what importance weights cannot do is flagged.

    Returns
    -------
    pointwise : DataFrame
        level (session | subject | episode), unit, elpd, pareto_k, n_trials, method (psis | grid | refit).
    facts : dict
        `pipeline.models.badge.LOO_FACTS`: elpd_loo … of the main level, named by ``loo_unit`` (sessions where
        subjects have several, else subjects, of a lone subject episodes); elpd_loo_subject … for a new subject, None
        where there is but one; the number of refits.
    """
    levels = levels_of(card, trials, table, idata, seed)
    results = [_psis(level, idata) for level in levels]
    for level, result in zip(levels, results):
        for u in np.flatnonzero(result["k"] > PARETO_K):
            found = level.by_grid(u)
            if found is not None and found[1] < result["k"][u]:
                result["elpd"][u], result["k"][u], result["method"][u] = *found, "grid"
    if refits is not None:
        _refit(levels, results, refits)
    facts = dict.fromkeys(LOO_FACTS) | {"loo_refits": refits.count if refits else 0}
    frames = []
    for i, (level, result) in enumerate(zip(levels, results)):
        own = _facts(level, result)
        if i == 0:
            facts |= own | {"loo_unit": level.name}
        if level.name == "subject":
            facts |= {_of_subjects(name): value for name, value in own.items()}
        frame = {"level": level.name, "unit": level.units, "elpd": result["elpd"], "pareto_k": result["k"]}
        frame = pd.DataFrame(frame | {"n_trials": level.n_trials, "method": result["method"]}, columns=LOO_COLUMNS)
        frames.append(frame[level.n_trials > 0])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=LOO_COLUMNS), facts


def _of_subjects(name: str) -> str:
    """Name of a fact where it is about new subjects."""
    for old, new in (("elpd_loo", "elpd_loo_subject"), ("p_loo", "p_loo_subject"), ("loo_n", "loo_subject_n")):
        if name.startswith(old):
            return name.replace(old, new)
    return name.replace("pareto_k", "pareto_k_subject")


def _psis(level: Level, idata) -> dict[str, np.ndarray]:
    """Leave every unit out by Pareto-smoothed importance weights."""
    loglik = level.marginal(draws_of(idata, level.draws))
    weights, k = smooth(-loglik)
    inside = logsumexp(loglik, axis=1) - np.log(loglik.shape[1])
    method = np.full(len(k), "psis", object)
    return {"elpd": logsumexp(weights + loglik, axis=1), "k": k, "inside": inside, "method": method}


def _refit(levels: list[Level], results: list[dict], refits: Refits) -> None:
    """Sample without what importance weights could not leave out; the main level first, the worst first."""
    bad = [
        (i, -result["k"][u], u)
        for i, (level, result) in enumerate(zip(levels, results))
        for u in np.flatnonzero((result["k"] > PARETO_K) & (level.n_trials > 0))
    ]
    for i, _, u in sorted(bad):
        idata = refits.without(levels[i].owner == u)
        if idata is not None:
            terms = levels[i].marginal(draws_of(idata, levels[i].refit_draws), u)[0]
            results[i]["elpd"][u] = logsumexp(terms) - np.log(len(terms))
            results[i]["k"][u], results[i]["method"][u] = smooth(terms[None])[1][0], "refit"


def _facts(level: Level, result: dict) -> dict:
    scored = level.n_trials > 0
    elpd, k = result["elpd"][scored], result["k"][scored]
    return {
        "elpd_loo": float(elpd.sum()),
        "elpd_loo_se": float(np.sqrt(len(elpd) * elpd.var(ddof=1))) if len(elpd) > 1 else None,
        "p_loo": float((result["inside"][scored] - elpd).sum()),
        "loo_n": len(elpd),
        "pareto_k_max": float(k.max()),
        "pareto_k_bad": int((k > PARETO_K).sum()),
    }
