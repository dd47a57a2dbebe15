"""Likelihoods of units and of whole subjects with their own parameters integrated out, by importance sampling."""

import numpy as np
from scipy.special import gammaln
from scipy.stats import chi2, norm, qmc

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.likelihood import likelihood
from pipeline.models.links import natural
from pipeline.models.modes import modes

FREEDOM = 5.0  # degrees of freedom of the proposals
WIDER = 1.5  # variance of a proposal relative to the distribution it stands in for
FLOOR = 1e-6  # of eigenvalues
LEAST = 50  # effective points below which a unit's integral is computed anew, with points of its own
LOCAL = 8  # of these, in pairs
EDGE = 30.0  # parameters on the scale of their links are held inside ±EDGE where likelihoods are evaluated
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


class Points:
    """Importance points in each unit's parameters, with the unit's log-likelihood at each: computed once.

    ``mean`` and ``spread`` (units, parameters) are those of the level above around which the points are laid: good for
    all φ but those whose spread is far smaller, for which points are laid afresh (`_local`). ``eta`` (units, points,
    parameters), ``loglik`` and ``log_density`` of the proposal (units, points); ``estimate`` and ``variance`` (units,
    parameters) summarise the likelihood alone by a normal distribution.
    """

    def __init__(self, card: ModelCard, trials: Trials, mean: np.ndarray, spread: np.ndarray, count: int, seed: int):
        self.card, self.trials, self.seed, size = card, trials, seed, len(card.parameters)
        precision = np.broadcast_to(spread, (trials.units, size)) ** -2.0
        self.mode, self.information = modes(card, trials, mean, mean, precision)
        self.slope = precision * (self.mode - mean)  # of the log-likelihood, at its conditional mode
        values, vectors = _spectrum(self.information + precision[:, :, None] * np.eye(size))
        posterior = np.einsum("upk,uk->up", vectors**2, 1 / values)
        self.variance = 1 / np.maximum(1 / posterior - precision, 1e-4)
        self.estimate = (self.mode / posterior - mean * precision) * self.variance
        standard, log_density = student(size, count, seed)
        self.eta, self.log_density = _placed(self.mode, values, vectors, standard, log_density)
        self.loglik = self._evaluate(self.eta)

    def _evaluate(self, eta: np.ndarray) -> np.ndarray:
        """Log-likelihood (units, points) at points (units, points, parameters)."""
        theta = natural(self.card, np.clip(eta, -EDGE, EDGE))
        return np.stack([likelihood(self.card, self.trials, theta[:, j])[0] for j in range(eta.shape[1])], 1)

    def marginal(self, mean: np.ndarray, spread: np.ndarray, only=None) -> np.ndarray:
        """Log marginal likelihood (units, draws), log ∫ p(y_u | η) N(η; φ) dη, of all units or those listed.

        φ is given by ``mean`` (draws, units, parameters) and ``spread``, of that shape or (draws, parameters).
        """
        spread = np.broadcast_to(spread[:, None] if spread.ndim == 2 else spread, mean.shape)
        base = self.loglik - self.log_density - np.log(self.eta.shape[1])
        units = np.arange(len(self.eta)) if only is None else np.asarray(only)
        found, effective = np.empty((2, len(units), len(mean)))
        for i, u in enumerate(units):  # Σ_p (η_p − m_p)²/σ_p² as two matrix products
            eta, precision, m = self.eta[u], spread[:, u] ** -2.0, mean[:, u]
            square = eta**2 @ precision.T - 2 * eta @ (m * precision).T + (m**2 * precision).sum(1)
            constant = -np.log(spread[:, u]).sum(1) - m.shape[1] * HALF_LOG_TWO_PI
            log_mean, effective[i] = _log_sum(base[u][:, None] - 0.5 * square)
            found[i] = log_mean + constant
        poor = effective < min(LEAST, self.eta.shape[1] / 4)
        draws = np.flatnonzero(poor.any(0))
        if len(draws):
            again = self._local(mean[draws], spread[draws])[units]
            found[:, draws] = np.where(poor[:, draws], again, found[:, draws])
        return found

    def _local(self, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Log marginal likelihood (units, draws), with points around the unit's conditional mode at every φ.

        The mode by one Newton step, the points in pairs from a normal distribution: with a small spread the integrand
        is nearly normal, and few are enough.
        """
        size = mean.shape[2]
        precision = spread**-2.0
        values, vectors = _spectrum(self.information + precision[..., None] * np.eye(size))
        pull = self.slope + precision * (mean - self.mode)
        center = self.mode + np.einsum("dupk,duk,duqk,duq->dup", vectors, 1 / values, vectors, pull, optimize=True)
        half = norm.ppf(np.clip(qmc.Sobol(size, seed=self.seed + 1).random(LOCAL // 2), 1e-9, 1 - 1e-9))
        standard = np.concatenate([half, -half])
        eta = center[:, :, None] + np.einsum("dupk,duk,jk->dujp", vectors, values**-0.5, standard, optimize=True)
        loglik = np.stack([self._evaluate(x) for x in eta])
        away = ((eta - mean[:, :, None]) / spread[:, :, None]) ** 2
        ratio = 0.5 * ((standard**2).sum(1) - away.sum(3))  # of prior to proposal, but for what follows
        constant = -np.log(spread).sum(2) - 0.5 * np.log(values).sum(2)
        return (_log_sum((loglik + ratio).transpose(2, 0, 1))[0] - np.log(LOCAL) + constant).T


class SubjectPoints:
    """Importance points in each subject's parameters, for subjects whose units have parameters of their own.

    The units' points are laid around ``center`` (subjects, parameters), near the subjects' posterior means, plus what
    conditions add, ``shift`` (units, parameters), with the SD between sessions ``session_sd`` (parameters,). The
    subjects' own, ``count`` of them, are laid for every φ, around the mode that the units' parabolas make.
    """

    def __init__(self, card, trials: Trials, center, session_sd, shift, seed: int, points: int = 256, count: int = 32):
        self.who, self.subjects, self.seed, self.count = trials.unit_subject, len(center), seed, count
        self.units = Points(card, trials, center[self.who] + shift, session_sd, points, seed)

    def marginal(self, mean, spread, session_sd, shift, only: int | None = None) -> np.ndarray:
        """Log marginal likelihood (subjects, draws) of all sessions of each subject, or of the number ``only``.

        log ∫ N(m; mean, spread) Π_u ∫ p(y_u | η) N(η; m + shift_u, session_sd) dη dm, for ``mean``, ``spread`` (draws,
        subjects, parameters), ``session_sd`` (draws, parameters) and ``shift`` (draws, units, parameters).
        """
        draws, _, size = mean.shape
        center, values, vectors = self._modes(mean, spread, session_sd, shift)
        standard, log_density = student(size, self.count, self.seed + 2)
        m, log_density = _placed(
            center.reshape(-1, size), values.reshape(-1, size), vectors.reshape(-1, size, size), standard, log_density
        )
        m, log_density = (x.reshape(draws, self.subjects, *x.shape[1:]) for x in (m, log_density))
        units = np.arange(len(self.who)) if only is None else np.flatnonzero(self.who == only)
        inner = np.zeros((draws, self.subjects, self.count))
        for k in range(self.count):
            loglik = self.units.marginal(m[:, self.who, k] + shift, session_sd, units)
            np.add.at(inner[:, :, k], (slice(None), self.who[units]), loglik.T)
        away = ((m - mean[:, :, None]) / spread[:, :, None]) ** 2
        prior = -0.5 * away.sum(3) - (np.log(spread).sum(2) + size * HALF_LOG_TWO_PI)[..., None]
        found = _log_sum((inner + prior - log_density).transpose(2, 1, 0))[0] - np.log(self.count)
        return found if only is None else found[only : only + 1]

    def _modes(self, mean, spread, session_sd, shift):
        """Modes of the subjects' parameters and the spectrum of their precision, (draws, subjects, …).

        The log-likelihood of a unit is replaced by its parabola at the mode, so that η integrates out: of m it knows
        T − T (I + T)⁻¹ T, T the precision between sessions.
        """
        u, size = self.units, mean.shape[2]
        t = (session_sd**-2.0)[:, None]  # (draws, 1, parameters)
        values, vectors = _spectrum(u.information + t[..., None] * np.eye(size))
        inverse = np.einsum("dupk,duk,duqk->dupq", vectors, 1 / values, vectors, optimize=True)
        known = t[..., None] * np.eye(size) - t[..., None] * inverse * t[:, :, None]
        place = u.mode - shift
        pull = t * np.einsum("dupq,uq->dup", inverse, u.slope) + np.einsum("dupq,duq->dup", known, place)
        above = spread**-2.0
        total, linear = above[..., None] * np.eye(size), above * mean
        np.add.at(total, (slice(None), self.who), known)
        np.add.at(linear, (slice(None), self.who), pull)
        values, vectors = _spectrum(total)
        return np.einsum("dspk,dsk,dsqk,dsq->dsp", vectors, 1 / values, vectors, linear, optimize=True), values, vectors


def _spectrum(precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, none below the floor, and eigenvectors."""
    values, vectors = np.linalg.eigh(precision)
    return np.maximum(values, FLOOR), vectors


def _placed(center, values, vectors, standard, log_density) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, points, parameters) of a t around centers, its scale from the spectrum of a precision; log density."""
    scale = vectors * np.sqrt(WIDER / values)[:, None, :]  # scale scaleᵀ = WIDER × covariance
    jacobian = 0.5 * (values.shape[1] * np.log(WIDER) - np.log(values).sum(1))
    return center[:, None] + np.einsum("npk,jk->njp", scale, standard), log_density - jacobian[:, None]


def _log_sum(terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log Σ exp over the first axis, and the effective number of terms, (Σ w)² / Σ w²."""
    top = terms.max(0)
    weights = np.exp(terms - top)
    total = weights.sum(0)
    return top + np.log(total), total**2 / np.einsum("j...,j...->...", weights, weights)


def student(size: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Quasi-random points (count, size) of a standard multivariate t, and their log density."""
    uniform = np.clip(qmc.Sobol(size + 1, seed=seed).random(count), 1e-9, 1 - 1e-9)
    points = norm.ppf(uniform[:, :size]) / np.sqrt(chi2.ppf(uniform[:, size:], FREEDOM) / FREEDOM)
    constant = gammaln((FREEDOM + size) / 2) - gammaln(FREEDOM / 2) - 0.5 * size * np.log(FREEDOM * np.pi)
    return points, constant - 0.5 * (FREEDOM + size) * np.log1p((points**2).sum(1) / FREEDOM)
