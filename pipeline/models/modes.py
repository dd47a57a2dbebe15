"""Modes of a likelihood or posterior, unit by unit: damped Newton steps for all units at once."""

import numpy as np

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.likelihood import likelihood
from pipeline.models.links import natural, slope

BOX = {  # where a search may go, on the scale of the link
    "logit": (-12.0, 12.0),
    "log": (-6.0, 5.0),
    "identity": (-20.0, 20.0),
    "upper_half": (-12.0, 12.0),
}


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
    low, high = box(card)

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
        step = np.einsum("upk,uk,uqk,uq->up", direction, 1 / size, direction, gradient, optimize=True)
        step *= np.minimum(1, 2 / np.maximum(np.linalg.norm(step, axis=1), 1e-300))[:, None]
        moved = np.zeros(len(eta), bool)
        gain = np.zeros(len(eta))
        for _ in range(12):
            trial = np.where(moved[:, None], eta, np.clip(eta + step, low, high))
            still = np.abs(trial - eta).max(1) < 1e-7  # arrived, or held by the box
            new, new_gradient = value(trial)
            better = ~moved & (new > best)
            gain += np.where(better, new - best, 0)
            eta = np.where(better[:, None], trial, eta)
            gradient = np.where(better[:, None], new_gradient, gradient)
            best = np.where(better, new, best)
            moved |= better | still
            if moved.all():
                break
            step /= 2
        if not (gain > 1e-10).any():
            break
    return eta, curvature(card, trials, eta)


def box(card: ModelCard) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of every parameter that a search visits, on the scale of the links."""
    low, high = zip(*(BOX[p.link] for p in card.parameters))
    return np.array(low), np.array(high)
