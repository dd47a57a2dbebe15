"""Leave-one-unit-out cross-validation of a hierarchical fit, with the unit's own parameters integrated out.

Left out is a session where subjects have several, else a subject; for a lone subject with one session an episode. What
is predicted is a *new* session (subject), so its parameters η are drawn from the level above, φ = (mean, SD)::

    p(y_u | φ) = ∫ p(y_u | η) N(η; mean, SD) dη ≈ mean_j p(y_u | η_j) N(η_j; φ) / q(η_j)
    elpd_u = log p(y_u | y_-u) = log Σ_d w_d p(y_u | φ_d),   w_d ∝ 1 / p(y_u | φ_d)  (Pareto-smoothed)

with φ_d from the NUTS posterior and q a Student t around the unit's conditional mode. Pareto smoothing on the
conditional likelihood, with η among the draws, fails for almost every unit. Where k > .7 and the unit is a subject,
the posterior of φ without that subject is computed afresh (`_refit`); k is then that of the new weights.
"""

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from scipy.stats import chi2, norm, qmc

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials, pack
from pipeline.models.diagnose import PARETO_K, flat, smooth
from pipeline.models.laplace import group_grid, modes, objective

COLUMNS = ("unit", "elpd", "pareto_k", "n_trials", "method")
FREEDOM = 5.0  # degrees of freedom of the proposals
WIDER = 1.5  # variance of a proposal relative to the distribution it stands in for


def leave_one_out(
    card: ModelCard, trials: Trials, table: pd.DataFrame, idata, seed: int, draws: int = 1000, points: int = 512
):
    """Leave each unit out.

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
    draws, points : int
        Posterior draws (thinned) and importance points per unit.

    Returns
    -------
    pointwise : DataFrame
        unit, elpd, pareto_k, n_trials, method (``psis`` | ``refit``).
    facts : dict
        elpd_loo, its standard error, p_loo, loo_unit, loo_n, pareto_k_max, pareto_k_bad.
    """
    subject = flat(idata, "subject_parameters")
    thin = np.unique(np.linspace(0, len(subject) - 1, min(draws, len(subject))).astype(int))
    lone = len(trials.subjects) == 1 and not trials.nested
    points_of = None
    if lone:
        unit, trials = "episode", pack(table, card, "episode")
        loglik = np.stack([objective(card, trials, np.repeat(s, trials.units, 0))[0] for s in subject[thin]], 1)
    elif trials.nested:
        unit, spread = "session", flat(idata, "session_sd")[thin]
        mean = subject[thin][:, trials.unit_subject]
    else:
        unit, spread = "subject", flat(idata, "group_sd")[thin]
        mean = np.repeat(flat(idata, "group_mean")[thin][:, None], trials.units, 1)
    if not lone:
        points_of = Points(card, trials, mean.mean(0), np.sqrt((spread**2).mean(0)), points, seed)
        loglik = points_of.marginal(mean, spread)
    weights, k = smooth(-loglik)
    elpd = logsumexp(weights + loglik, axis=1)
    method = np.full(trials.units, "psis", object)
    bad = k > PARETO_K
    if bad.any() and unit == "subject":
        for u in np.flatnonzero(bad):
            again, again_k = _refit(card, points_of, u, seed)
            if again_k < k[u]:
                elpd[u], k[u], method[u] = again, again_k, "refit"
    pointwise = pd.DataFrame(
        {"unit": trials.unit_label, "elpd": elpd, "pareto_k": k, "n_trials": trials.unit_trials, "method": method}
    )
    scored = trials.unit_trials > 0
    facts = {
        "elpd_loo": float(elpd.sum()),
        "elpd_loo_se": float(np.sqrt(scored.sum() * elpd[scored].var(ddof=1))) if scored.sum() > 1 else None,
        "p_loo": float((logsumexp(loglik, axis=1) - np.log(loglik.shape[1]) - elpd).sum()),
        "loo_unit": unit,
        "loo_n": int(scored.sum()),
        "pareto_k_max": float(k.max()),
        "pareto_k_bad": int((k > PARETO_K).sum()),
    }
    return pointwise[scored].reset_index(drop=True), facts


class Points:
    """Importance points in each unit's parameters, with the unit's log-likelihood at each: computed once.

    ``eta`` (units, points, parameters), ``loglik`` and ``log_density`` of the proposal (units, points); ``estimate``
    and ``variance`` (units, parameters) summarise the likelihood alone by a normal distribution.
    """

    def __init__(self, card: ModelCard, trials: Trials, mean: np.ndarray, spread: np.ndarray, count: int, seed: int):
        size = len(card.parameters)
        precision = np.tile(spread**-2.0, (trials.units, 1))
        mode, information = modes(card, trials, mean, mean, precision)
        values, vectors = np.linalg.eigh(information + precision[:, :, None] * np.eye(size))
        scale = vectors * np.sqrt(WIDER / np.maximum(values, 1e-6))[:, None, :]  # scale scaleᵀ = WIDER × covariance
        posterior = np.einsum("upk,uk->up", vectors**2, 1 / np.maximum(values, 1e-6))
        self.variance = 1 / np.maximum(1 / posterior - spread**-2.0, 1e-4)
        self.estimate = (mode / posterior - mean * spread**-2.0) * self.variance
        standard, log_density = student(size, count, seed)
        self.eta = mode[:, None] + np.einsum("upk,jk->ujp", scale, standard)
        self.log_density = log_density - 0.5 * (size * np.log(WIDER) - np.log(np.maximum(values, 1e-6)).sum(1))[:, None]
        self.loglik = np.stack([objective(card, trials, self.eta[:, j])[0] for j in range(count)], 1)

    def marginal(self, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Log marginal likelihood (units, draws) at φ: mean (draws, units, parameters), spread (draws, parameters)."""
        base = self.loglik - self.log_density - np.log(self.eta.shape[1])
        precision = spread**-2.0
        constant = -np.log(spread).sum(1) - 0.5 * spread.shape[1] * np.log(2 * np.pi)
        found = np.empty((len(self.eta), len(spread)))
        for u, eta in enumerate(self.eta):  # Σ_p (η_p − m_p)²/σ_p² as two matrix products
            square = eta**2 @ precision.T - 2 * eta @ (mean[:, u] * precision).T + (mean[:, u] ** 2 * precision).sum(1)
            found[u] = logsumexp(base[u][:, None] - 0.5 * square, axis=0) + constant
        return found


def student(size: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Quasi-random points (count, size) of a standard multivariate t, and their log density."""
    from scipy.special import gammaln

    uniform = np.clip(qmc.Sobol(size + 1, seed=seed).random(count), 1e-9, 1 - 1e-9)
    points = norm.ppf(uniform[:, :size]) / np.sqrt(chi2.ppf(uniform[:, size:], FREEDOM) / FREEDOM)
    constant = gammaln((FREEDOM + size) / 2) - gammaln(FREEDOM / 2) - 0.5 * size * np.log(FREEDOM * np.pi)
    return points, constant - 0.5 * (FREEDOM + size) * np.log1p((points**2).sum(1) / FREEDOM)


def _refit(card: ModelCard, points: Points, left_out: int, seed: int, count: int = 2048):
    """Predict one subject from the others: elpd and Pareto k.

    Draws of φ come from the posterior in which each remaining subject is summarised by a normal likelihood, parameter
    by parameter: σ from a grid, μ given σ exactly. They are then weighted by the marginal likelihoods proper over the
    normal ones.
    """
    rest = np.arange(len(points.eta)) != left_out
    generator = np.random.default_rng(seed)
    mean, spread = np.empty((2, count, len(card.parameters)))
    log_proposal = np.zeros(count)
    for i, p in enumerate(card.parameters):
        estimate, variance = points.estimate[rest, i], points.variance[rest, i]
        grid, probability, middle, precision = group_grid(p, estimate, variance)
        at = generator.choice(len(grid), count, p=probability)
        spread[:, i] = grid[at]
        mean[:, i] = middle[at] + generator.standard_normal(count) / np.sqrt(precision[at])
        log_proposal += norm.logpdf(estimate, mean[:, i, None], np.sqrt(grid[at, None] ** 2 + variance)).sum(1)
    marginal = points.marginal(np.repeat(mean[:, None], len(rest), 1), spread)
    weights, k = smooth((marginal[rest].sum(0) - log_proposal)[None])
    return logsumexp(weights[0] + marginal[left_out]), k[0]
