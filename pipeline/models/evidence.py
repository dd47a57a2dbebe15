"""Marginal likelihood of a model for one source, approximately: what confusion matrices of models compare."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.modes import modes, objective
from pipeline.models.priors import has_groups, scales

if TYPE_CHECKING:
    from pipeline.models.laplace import LaplaceFit

HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def evidence(card: ModelCard, trials: Trials, fit: "LaplaceFit") -> dict[str, float]:
    """Approximate log marginal likelihood of one model for one source, by Laplace's method on every level.

    The likelihood of each unit is replaced by a parabola at the mode of the EM–Laplace fit (value, gradient, full
    information), so that units and subjects integrate out exactly given φ = (group means, SDs, effects); φ is then
    integrated by a normal approximation at its mode, SDs on a log scale (Tierney & Kadane 1986). Poor where parameters
    are weakly identified: for telling models apart by the hundred, never a result beside leave-one-out.

    Returns
    -------
    dict
        ``log_evidence``, log p(y); ``log_likelihood``, log p(y | φ) at the mode of φ; ``hyperparameters``, how many φ
        holds; ``integrated_bic``, −2 log p(y | φ) + hyperparameters × log(free choices) (Huys et al. 2011);
        ``method``, "EM–Laplace approximation".
    """
    expansion = _Expansion(card, trials, fit)
    levels = _Coordinates(card, trials)
    start = levels.join(fit)

    def loss(points):
        return -(expansion.log_likelihood(*levels.split(points)) + levels.log_prior(points))

    steps = 1e-4 * np.eye(levels.size)

    def gradient(point):
        values = loss(np.concatenate([point + steps, point - steps]))
        return (values[: levels.size] - values[levels.size :]) / 2e-4

    found = minimize(lambda x: loss(x[None])[0], start, jac=gradient, method="BFGS", options={"gtol": 1e-3})
    best, wide = found.x, 1e-3 * np.eye(levels.size)
    hessian = np.stack([(gradient(best + e) - gradient(best - e)) / 2e-3 for e in wide])
    size = np.maximum(np.linalg.eigvalsh((hessian + hessian.T) / 2), 1e-2)
    log_likelihood = float(expansion.log_likelihood(*levels.split(best[None]))[0])
    return {
        "log_evidence": float(-found.fun + levels.size * HALF_LOG_TWO_PI - 0.5 * np.log(size).sum()),
        "log_likelihood": log_likelihood,
        "hyperparameters": levels.size,
        "integrated_bic": float(-2 * log_likelihood + levels.size * np.log(max(trials.scored, 1))),
        "method": "EM–Laplace approximation",
    }


class _Coordinates:
    """φ as one vector: group means, log group SDs, log session SDs, effects; those that the source has."""

    def __init__(self, card: ModelCard, trials: Trials):
        self.prior, s, count = scales(card), trials.structure, len(card.parameters)
        groups = len(s.groups) if has_groups(trials) else 0
        self.shapes = ((groups, count), (groups, count), (int(trials.nested), count), (len(s.contrasts), count))
        self.ends = np.cumsum([0, *(np.prod(shape) for shape in self.shapes)])
        self.size = int(self.ends[-1])

    def join(self, fit: "LaplaceFit") -> np.ndarray:
        """Vector of an EM–Laplace fit; SDs off the floor, where their posterior on a log scale has no mode."""
        prior = self.prior
        sigma = np.log(np.maximum(fit.group_sd, 0.2 * prior["group_sd"]))
        tau = np.log(np.maximum(fit.session_sd[None], 0.2 * prior["session_sd"]))
        parts = (fit.group_mean, sigma, tau, fit.condition_effect)
        return np.concatenate([np.ravel(part[: shape[0]]) for part, shape in zip(parts, self.shapes)])

    def parts(self, points: np.ndarray) -> list[np.ndarray]:
        """Part by part, each (points, rows, parameters)."""
        each, count = zip(self.ends, self.ends[1:], self.shapes), len(points)
        return [points[:, a:b].reshape(count, *shape) for a, b, shape in each]

    def split(self, points: np.ndarray):
        """Group means, group SDs, session SDs and effects; of a lone subject, mean and SD of the prior."""
        mean, log_sigma, log_tau, effect = self.parts(points)
        if not self.shapes[0][0]:
            blank = np.zeros((len(points), 1, 1))
            return self.prior["mean"] + blank, self.prior["sd"] + blank, np.exp(log_tau), effect
        return mean, np.exp(log_sigma), np.exp(log_tau), effect

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """Log prior density of points (points, size), on the coordinates of the vector."""
        mean, log_sigma, log_tau, effect = self.parts(points)
        prior, total = self.prior, 0.0
        for x, centre, sd in ((mean, prior["mean"], prior["sd"]), (effect, 0, prior["condition_sd"])):
            total = total + (-0.5 * ((x - centre) / sd) ** 2 - np.log(sd) - HALF_LOG_TWO_PI).sum((1, 2))
        for x, scale in ((log_sigma, prior["group_sd"]), (log_tau, prior["session_sd"])):
            half = np.log(2) - HALF_LOG_TWO_PI - np.log(scale) + x  # half-normal, times dσ / d log σ
            total = total + (half - 0.5 * (np.exp(x) / scale) ** 2).sum((1, 2))
        return total


class _Expansion:
    """Parabolas in place of the units' log-likelihoods, and the levels below φ integrated out."""

    def __init__(self, card: ModelCard, trials: Trials, fit: "LaplaceFit"):
        prior, nested = scales(card), trials.nested
        place = trials.structure.subject_group[trials.unit_subject]
        above = (fit.subject[trials.unit_subject] if nested else fit.group_mean[place]) + (
            trials.structure.design @ fit.condition_effect
        )
        spread = fit.session_sd if nested else fit.group_sd[place]
        # A parabola where an SD is estimated as 0 would know nothing of what happens where it is not.
        wide = np.broadcast_to(np.maximum(spread, 0.3 * prior["session_sd" if nested else "group_sd"]), above.shape)
        self.trials = trials
        self.at, self.information = modes(card, trials, fit.unit, above, wide**-2.0)
        self.value, self.gradient = objective(card, trials, self.at)

    def log_likelihood(self, mean, sigma, tau, effect) -> np.ndarray:
        """Log p(y | φ), (points,), for φ of (points, rows, parameters) each."""
        s, who, nested = self.trials.structure, self.trials.unit_subject, self.trials.nested
        mean, sigma = mean[:, s.subject_group], sigma[:, s.subject_group]
        spread = np.broadcast_to(tau, (len(tau), len(who), tau.shape[2])) if nested else sigma[:, who]
        place = self.at - np.einsum("uc,dcp->dup", s.design, effect)  # mode less what the condition adds
        precision = spread**-2.0
        size, vectors = np.linalg.eigh(self.information + precision[..., None] * np.eye(self.at.shape[1]))
        size = np.maximum(size, 1e-3)
        inverse = np.einsum("dupk,duk,duqk->dupq", vectors, 1 / size, vectors)
        height = self.value - np.log(spread).sum(2) - 0.5 * np.log(size).sum(2)
        height = height + 0.5 * np.einsum("up,dupq,uq->du", self.gradient, inverse, self.gradient)
        pull = precision * np.einsum("dupq,uq->dup", inverse, self.gradient)
        # precision with which a unit tells of its mean m: T − T (I + T)⁻¹ T
        known = precision[..., None] * np.eye(self.at.shape[1]) - precision[..., None] * inverse * precision[:, :, None]
        if not nested:
            away = mean[:, who] - place
            parabola = (pull * away).sum(2) - 0.5 * np.einsum("dup,dupq,duq->du", away, known, away)
            return (height + parabola).sum(1)
        pushed = pull + np.einsum("dupq,duq->dup", known, place)
        height = height - (pull * place).sum(2) - 0.5 * np.einsum("dup,dupq,duq->du", place, known, place)
        above = sigma**-2.0
        total, linear = above[..., None] * np.eye(self.at.shape[1]), above * mean
        np.add.at(total, (slice(None), who), known)
        np.add.at(linear, (slice(None), who), pushed)
        found = height.sum(1) - (np.log(sigma) + 0.5 * above * mean**2).sum((1, 2))
        solved = np.linalg.solve(total, linear[..., None])[..., 0]
        return found + (0.5 * (linear * solved).sum(2) - 0.5 * np.linalg.slogdet(total)[1]).sum(1)
