"""Fast fits of every session by itself, labelled approximations: maximum likelihood and maximum a posteriori."""

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models import model as by_name
from pipeline.models.card import ModelCard
from pipeline.models.data import Trials, pack, resolve, used
from pipeline.models.links import natural, slope
from pipeline.models.modes import box, modes, objective
from pipeline.models.priors import scales

COLUMNS = ("subject", "session", "parameter", "estimate", "se", "log_likelihood", "method")
METHODS = ("maximum likelihood", "maximum a posteriori")
EDGE = 1e-6  # distance from the edge of the box at which an estimate counts as unbounded


def maximum_likelihood(
    card: ModelCard, trials: Trials, starts: int = 4, generator=None
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum-likelihood parameters of every unit, from several starts.

    Returns
    -------
    theta : array (units, parameters)
        Natural values; at the edge of `pipeline.models.modes.BOX` where the likelihood rises without bound.
    loglik : array (units,)
        The maximum of the log-likelihood.
    """
    eta, loglik, _ = _likeliest(card, trials, starts, generator)
    return natural(card, eta), loglik


def _likeliest(card: ModelCard, trials: Trials, starts: int, generator):
    generator = np.random.default_rng(0) if generator is None else generator
    prior, shape = scales(card), (trials.units, len(card.parameters))
    best, kept = np.full(trials.units, -np.inf), np.zeros(shape)
    known = np.zeros((*shape, shape[1]))
    for i in range(starts):
        start = np.tile(prior["mean"], (shape[0], 1)) + (i > 0) * 0.7 * prior["sd"] * generator.standard_normal(shape)
        eta, information = modes(card, trials, start, np.zeros(shape), np.zeros(shape))
        loglik = objective(card, trials, eta)[0]
        better = loglik > best
        kept[better], known[better] = eta[better], information[better]
        best = np.maximum(best, loglik)
    return kept, best, known


def maximum_a_posteriori(
    card: ModelCard, trials: Trials, iterations: int = 50
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Posterior mode of every unit by itself, under the prior of the card's group mean, Normal(mean, sd) on the links.

    This is the prior of a lone subject in the hierarchy; no unit lends another anything.

    Returns
    -------
    theta : array (units, parameters)
        Natural values.
    loglik : array (units,)
        Log-likelihood at the mode (without the prior).
    sd : array (units, parameters)
        Posterior SDs on the scale of the links by the Laplace approximation, prior included.
    """
    prior, shape = scales(card), (trials.units, len(card.parameters))
    mean, precision = (np.tile(x, (shape[0], 1)) for x in (prior["mean"], prior["sd"] ** -2.0))
    eta, information = modes(card, trials, mean, mean, precision, iterations)
    covariance = np.linalg.inv(_definite(information + precision[:, :, None] * np.eye(shape[1])))
    return natural(card, eta), objective(card, trials, eta)[0], np.sqrt(np.einsum("upp->up", covariance))


def _definite(matrix: np.ndarray) -> np.ndarray:
    """Symmetric matrices with eigenvalues of at least 1e-6."""
    values, vectors = np.linalg.eigh(matrix)
    return np.einsum("upk,uk,uqk->upq", vectors, np.maximum(values, 1e-6), vectors)


def session_estimates(
    table: pd.DataFrame, model: str | ModelCard, methods=METHODS, starts: int = 4, generator=None
) -> pd.DataFrame:
    """Estimate the parameters of every session by itself, thousands of sessions in seconds.

    These are approximations beside the hierarchical fit: no session lends another anything, so that sessions with few
    trials scatter far more than their subjects differ.

    Parameters
    ----------
    table : DataFrame
        Trial table of one source.
    model : str or ModelCard
    methods : sequence of str
        Of `METHODS`.
    starts : int
        Starts of the maximum-likelihood search.
    generator : numpy Generator, optional
        For the starts.

    Returns
    -------
    DataFrame
        subject, session, parameter, estimate (natural scale), se (its standard error by the delta method; missing
        where the likelihood rises without bound or is flat), log_likelihood of the session at its estimate, method.

    Raises
    ------
    UserError
        If a method is not known, or the table cannot be packed (`pipeline.models.data.pack`).
    """
    for name in methods:
        if name not in METHODS:
            raise UserError(f"session estimates: method {name!r} is not known; known are {', '.join(METHODS)}")
    card = resolve(by_name(model) if isinstance(model, str) else model, table)
    table = used(table, card)
    trials = pack(table, card)
    low, high = box(card)
    found = []
    for method in methods:
        if method == METHODS[0]:
            eta, loglik, information = _likeliest(card, trials, starts, generator)
            theta = natural(card, eta)
            flat = np.linalg.eigvalsh(information)[:, 0] < 1e-6
            usable = np.where(flat[:, None, None], np.eye(eta.shape[1]), information)
            error = np.sqrt(np.einsum("upp->up", np.linalg.inv(usable)))
            error[flat[:, None] | (eta < low + EDGE) | (eta > high - EDGE)] = np.nan
        else:
            theta, loglik, error = maximum_a_posteriori(card, trials)
        found.append(_rows(card, trials, theta, error * slope(card, theta), loglik, method))
    return pd.concat(found, ignore_index=True)


def _rows(card: ModelCard, trials: Trials, theta, error, loglik, method: str) -> pd.DataFrame:
    first = trials.lanes.drop_duplicates("unit").sort_values("unit")
    count = len(card.parameters)
    return pd.DataFrame(
        {
            "subject": np.repeat(first["subject"].to_numpy(str), count),
            "session": np.repeat(first["session"].to_numpy(int), count),
            "parameter": np.tile(card.names, trials.units),
            "estimate": theta.ravel(),
            "se": error.ravel(),
            "log_likelihood": np.repeat(loglik, count),
            "method": method,
        },
        columns=COLUMNS,
    )
