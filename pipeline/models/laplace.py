"""Fast approximate fits: maximum likelihood per unit, and an EM–Laplace fit of the hierarchy.

The EM–Laplace fit gives the sampler its starting point and its coordinates, and carries recovery sweeps. It is an
approximation, biased where parameters are weakly identified: it is never reported as a result.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.models.card import ModelCard, Parameter
from pipeline.models.data import Trials
from pipeline.models.likelihood import likelihood
from pipeline.models.links import natural, slope

BOX = {"logit": (-12.0, 12.0), "log": (-6.0, 5.0), "identity": (-20.0, 20.0)}  # where a search may go


def objective(card: ModelCard, trials: Trials, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood (units,) and gradient (units, parameters) on the transformed scale."""
    theta = natural(card, eta)
    loglik, gradient = likelihood(card, trials, theta)
    return loglik, gradient * slope(card, theta)


def curvature(card: ModelCard, trials: Trials, eta: np.ndarray, width: float = 1e-4) -> np.ndarray:
    """Observed information −∂²loglik/∂η² (units, parameters, parameters), by central differences of the gradient."""
    count = eta.shape[1]
    information = np.empty((*eta.shape, count))
    for j in range(count):
        shift = width * np.eye(count)[j]
        above, below = objective(card, trials, eta + shift)[1], objective(card, trials, eta - shift)[1]
        information[:, :, j] = (below - above) / (2 * width)
    return (information + information.transpose(0, 2, 1)) / 2


def modes(
    card: ModelCard, trials: Trials, eta, center, precision, iterations: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mode of every unit under a normal prior, by damped Newton steps for all units at once.

    Maximises loglik_u(η) − ½ Σ_p precision_up (η_p − center_up)².

    Parameters
    ----------
    card : ModelCard
    trials : Trials
    eta, center, precision : arrays (units, parameters)
        Start, prior mean and prior precision; precision 0 gives maximum likelihood within `BOX`.
    iterations : int
        Most Newton steps.

    Returns
    -------
    eta : array (units, parameters)
        The modes.
    information : array (units, parameters, parameters)
        Information of the likelihood alone at the modes (without the prior).
    """
    low, high = (np.array([BOX[p.link][side] for p in card.parameters]) for side in (0, 1))

    def value(at):
        loglik, gradient = objective(card, trials, at)
        return loglik - 0.5 * (precision * (at - center) ** 2).sum(1), gradient - precision * (at - center)

    eta = np.clip(np.array(eta, float), low, high)
    best, gradient = value(eta)
    for _ in range(iterations):
        information = curvature(card, trials, eta)
        total = information + precision[:, :, None] * np.eye(eta.shape[1])
        size, direction = np.linalg.eigh(total)
        size = np.maximum(np.abs(size), 1e-3)
        step = np.einsum("upk,uk,uqk,uq->up", direction, 1 / size, direction, gradient)
        step *= np.minimum(1, 2 / np.maximum(np.linalg.norm(step, axis=1), 1e-300))[:, None]
        moved = np.zeros(len(eta), bool)
        for _ in range(12):
            trial = np.where(moved[:, None], eta, np.clip(eta + step, low, high))
            new, new_gradient = value(trial)
            better = ~moved & (new > best)
            gain = np.where(better, new - best, 0)
            eta = np.where(better[:, None], trial, eta)
            gradient = np.where(better[:, None], new_gradient, gradient)
            best = np.where(better, new, best)
            moved |= better | (np.abs(step).max(1) < 1e-7)
            if moved.all():
                break
            step /= 2
        if not (gain > 1e-10).any() and np.abs(step).max() < 1e-3:
            break
    return eta, curvature(card, trials, eta)


def maximum_likelihood(
    card: ModelCard, trials: Trials, starts: int = 4, generator=None
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum-likelihood parameters of every unit, from several starts.

    Returns
    -------
    theta : array (units, parameters)
        Natural values; at the edge of `BOX` where the likelihood rises without bound.
    loglik : array (units,)
        The maximum of the log-likelihood.
    """
    generator = np.random.default_rng(0) if generator is None else generator
    prior = np.array([p.mean for p in card.parameters]), np.array([p.sd for p in card.parameters])
    shape = (trials.units, len(card.parameters))
    best, kept = np.full(trials.units, -np.inf), np.zeros(shape)
    for i in range(starts):
        start = np.tile(prior[0], (shape[0], 1)) + (i > 0) * 0.7 * prior[1] * generator.standard_normal(shape)
        eta, _ = modes(card, trials, start, np.zeros(shape), np.zeros(shape))
        loglik = objective(card, trials, eta)[0]
        kept[loglik > best] = eta[loglik > best]
        best = np.maximum(best, loglik)
    return natural(card, kept), best


@dataclass(frozen=True)
class Summary:
    """What the data alone say of units or subjects: ``estimate`` and ``variance`` (…, parameters)."""

    estimate: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class LaplaceFit:
    """EM–Laplace fit on the transformed scale: an approximation.

    ``unit`` and ``unit_sd`` (units, parameters) are modes and SDs given the level above, ``information`` (units,
    parameters, parameters) that of the likelihood alone; ``subject``, ``subject_sd`` (subjects, parameters);
    ``group_mean``, ``group_sd``, ``session_sd`` (parameters,).
    """

    unit: np.ndarray
    unit_sd: np.ndarray
    information: np.ndarray
    subject: np.ndarray
    subject_sd: np.ndarray
    group_mean: np.ndarray
    group_sd: np.ndarray
    session_sd: np.ndarray
    of_unit: Summary
    of_subject: Summary


def group_grid(parameter: Parameter, estimate: np.ndarray, variance: np.ndarray, cells: int = 400):
    """Posterior of one parameter's group SD on a grid, with the group mean integrated out.

    Subjects enter as normal estimates: estimate_s ~ N(μ, σ² + variance_s), with the priors of the card on μ and σ.

    Returns
    -------
    grid, probability : arrays (cells,)
        Values of σ (evenly spaced in log σ) and their posterior probabilities.
    mean, precision : arrays (cells,)
        Of the normal posterior of μ at each σ.
    """
    grid = np.geomspace(1e-3, 5, cells) * parameter.group_sd
    total = grid[:, None] ** 2 + variance
    precision = (1 / total).sum(1) + parameter.sd**-2.0
    mean = ((estimate / total).sum(1) + parameter.mean / parameter.sd**2) / precision
    log_mass = (
        np.log(grid) - 0.5 * (grid / parameter.group_sd) ** 2 - 0.5 * np.log(total).sum(1) - 0.5 * np.log(precision)
    )
    log_mass += 0.5 * mean**2 * precision - 0.5 * (estimate**2 / total).sum(1)
    mass = np.exp(log_mass - log_mass.max())
    return grid, mass / mass.sum(), mean, precision


def _spread(total: np.ndarray, count: float, scale: np.ndarray) -> np.ndarray:
    """Mode of a SD: maximise −count log σ − total/(2σ²) − σ²/(2 scale²) (half-normal prior)."""
    square = (-count + np.sqrt(count**2 + 4 * total / scale**2)) * scale**2 / 2
    return np.sqrt(np.maximum(square, 1e-4))


def em(card: ModelCard, trials: Trials, iterations: int = 25) -> LaplaceFit:
    """Fit the hierarchy by EM, with a Laplace approximation of every unit.

    η_unit ~ N(m_subject, τ), m_subject ~ N(μ, σ), with the priors of the card on μ, σ, τ; without several units per
    subject η_subject ~ N(μ, σ). Parameters independent a priori.
    """
    prior = {
        name: np.array([getattr(p, name) for p in card.parameters]) for name in ("mean", "sd", "group_sd", "session_sd")
    }
    who, many = trials.unit_subject, len(trials.subjects)
    mu, sigma, tau = prior["mean"].copy(), prior["group_sd"].copy(), prior["session_sd"].copy()
    subject = np.tile(mu, (many, 1))
    eta = subject[who]
    for _ in range(iterations):
        above, spread = (subject[who], tau) if trials.nested else (np.tile(mu, (trials.units, 1)), sigma)
        eta, information = modes(card, trials, eta, above, np.tile(spread**-2.0, (trials.units, 1)), iterations=4)
        variance = _variance(information, spread)
        before = np.concatenate([mu, sigma, tau])
        if trials.nested:
            each = np.bincount(who, minlength=many)[:, None]
            sums = np.stack([np.bincount(who, eta[:, j], many) for j in range(eta.shape[1])], 1)
            subject_variance = 1 / (each / tau**2 + sigma**-2.0)
            subject = subject_variance * (sums / tau**2 + mu / sigma**2)
            tau = _spread(
                ((eta - subject[who]) ** 2 + variance + subject_variance[who]).sum(0), trials.units, prior["session_sd"]
            )
        else:
            subject, subject_variance = eta, variance
        if many > 1:
            mu = (subject.sum(0) / sigma**2 + prior["mean"] / prior["sd"] ** 2) / (
                many / sigma**2 + prior["sd"] ** -2.0
            )
            sigma = _spread(((subject - mu) ** 2 + subject_variance).sum(0), many, prior["group_sd"])
        if np.abs(np.concatenate([mu, sigma, tau]) - before).max() < 1e-3:
            break
    return _finish(card, trials, prior, eta, information, subject, mu, sigma, tau)


def _variance(information, spread):
    """Marginal posterior variances (units, parameters) given the level above."""
    total = information + np.eye(information.shape[1]) * spread**-2.0
    size, direction = np.linalg.eigh(total)
    return np.einsum("upk,uk->up", direction**2, 1 / np.maximum(size, 1e-6))


def _finish(card, trials, prior, eta, information, subject, mu, sigma, tau) -> LaplaceFit:
    """Work out, at the fitted hierarchy, what the data alone say of units and subjects."""
    who, many = trials.unit_subject, len(trials.subjects)
    if many == 1:
        mu, sigma = prior["mean"], prior["sd"]  # no group: the subject has the prior itself
    spread, above = (tau, subject[who]) if trials.nested else (sigma, mu)
    variance = _variance(information, spread)
    alone = 1 / np.maximum(1 / variance - spread**-2.0, 1e-6)  # variance by the likelihood alone
    estimate = (eta / variance - above * spread**-2.0) * alone
    of_unit = of_subject = Summary(estimate, alone)
    if trials.nested:
        weight = 1 / (tau**2 + alone)
        total, value = np.zeros((2, many, len(mu)))
        np.add.at(total, who, weight)
        np.add.at(value, who, weight * estimate)
        of_subject = Summary(value / total, 1 / total)
    subject_sd = np.sqrt(1 / (1 / of_subject.variance + sigma**-2.0))
    return LaplaceFit(eta, np.sqrt(variance), information, subject, subject_sd, mu, sigma, tau, of_unit, of_subject)
