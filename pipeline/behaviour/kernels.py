"""History kernels: how the last rewards and choices weigh on the next choice (Lau & Glimcher 2005)."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import least_squares

from pipeline.behaviour.arrays import Episodes
from pipeline.behaviour.logistic import Fit, logit


@dataclass(frozen=True)
class History:
    """Trials with their full history, ready for the regression; one row per trial."""

    design: np.ndarray  # (trials, 1 + 2 L): 1, reward lags 1 … L, choice lags 1 … L
    outcome: np.ndarray  # (trials,) 1 if option 1 was chosen
    pattern: np.ndarray  # (trials,) equal numbers have equal predictors
    episode: np.ndarray  # (trials,)


def history(e: Episodes, lags: int = 6) -> History:
    """Predictors of the joint history regression.

    logit P(c_t = 1) = a_0 + Σ_k b_k R_{t−k} + Σ_k a_k C_{t−k}, with C = +1 for option 1 and −1 for option 0, and
    R = r·C: +1 for a rewarded choice of option 1, −1 for a rewarded choice of option 0, 0 without reward.

    Only free trials whose ``lags`` predecessors in the same episode all hold a choice (free or forced: both show an
    outcome) enter; nothing is padded, so the first ``lags`` trials of an episode are not predicted.
    """
    made = e.made
    usable = e.free[:, lags:].copy()
    for k in range(1, lags + 1):
        usable &= made[:, lags - k :][:, : usable.shape[1]]
    episode, column = np.nonzero(usable)
    column = column + lags
    signed = np.where(e.choice == 1, 1.0, -1.0)
    levels, level = np.unique(np.where(made, e.reward, 0), return_inverse=True)
    state = level.reshape(made.shape) * 2 + (e.choice == 1)  # equal states have equal predictors
    base = 2 * len(levels)
    rewards, choices, pattern = [], [], np.zeros(len(episode), np.int64)
    for k in range(1, lags + 1):
        back = (episode, column - k)
        choices.append(signed[back])
        rewards.append(signed[back] * np.nan_to_num(e.reward[back]))
        pattern = pattern * base + state[back]
    if lags * np.log2(base) > 62:  # too many states for one whole number: leave the trials uncollapsed
        pattern = np.arange(len(episode))
    design = np.stack([np.ones(len(episode)), *rewards, *choices], 1)
    return History(design, (e.choice[episode, column] == 1).astype(float), pattern, episode)


def history_kernels(e: Episodes, lags: int = 6) -> list[Fit]:
    """Joint reward and choice kernels of each subject, in the order of ``e.subjects``.

    Coefficients are (a_0, b_1 … b_L, a_1 … a_L) in log odds; errors are clustered by session (by episode for a subject
    with one session). Two options only: with more, no fit is identified and the estimates are nan.
    """
    h = history(e, lags)
    if e.options != 2:
        blank = np.full(1 + 2 * lags, np.nan)
        return [Fit(blank, np.diag(blank), 0, 0, note="history kernels need two options") for _ in e.subjects]
    cluster = clusters(e)[h.episode]
    subject = e.subject[h.episode]
    edges = np.searchsorted(subject, np.arange(len(e.subjects) + 1))
    cuts = [slice(a, b) for a, b in pairwise(edges)]
    return [logit(h.design[c], h.outcome[c], h.pattern[c], cluster[c]) for c in cuts]


def clusters(e: Episodes) -> np.ndarray:
    """Cluster of each episode, (episodes,): its session, or the episode itself for a subject with one session."""
    several = np.bincount(e.session_subject, minlength=len(e.subjects)) > 1
    return np.where(several[e.subject], e.session, len(e.session_subject) + np.arange(len(e.subject)))


def half_life(weights: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Half-life in trials of an exponential A·2^(−(k − 1)/h) fitted to a kernel, with its standard error.

    Least squares over lags k = 1 … L weighted by the kernel's standard errors; the error follows from the kernel's
    whole covariance (delta method). nan where the kernel does not decay (h beyond 10 L, or below a tenth of a
    trial), where A is within 2 standard errors of 0, or with fewer than 3 lags.
    """
    lags = np.arange(len(weights))
    spread = np.sqrt(np.diag(covariance))
    if len(weights) < 3 or not np.isfinite(weights).all() or not (spread > 0).all():
        return np.nan, np.nan

    def curve(theta):
        return theta[0] * np.exp(-np.log(2) * lags * np.exp(-theta[1]))

    def jacobian(theta):
        decay = np.exp(-np.log(2) * lags * np.exp(-theta[1]))
        return np.stack([decay, theta[0] * decay * np.log(2) * lags * np.exp(-theta[1])], 1) / spread[:, None]

    found = least_squares(lambda theta: (curve(theta) - weights) / spread, [weights[0], 0.0], jacobian)
    value = float(np.exp(found.x[1]))
    inner = found.jac.T @ found.jac
    if not found.success or not 0.1 < value < 10 * len(weights) or np.linalg.cond(inner) > 1e12:
        return np.nan, np.nan
    response = np.linalg.solve(inner, found.jac.T) / spread  # d theta / d weights
    spread_a, spread_log = np.sqrt(np.diag(response @ covariance @ response.T))
    if abs(found.x[0]) < 2 * spread_a:  # no kernel, hence nothing that could decay
        return np.nan, np.nan
    return value, value * float(spread_log)
