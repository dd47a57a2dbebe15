"""Maximum-likelihood Rescorla–Wagner fits of single episodes, compiled: thousands of episodes in seconds.

For a given learning rate the values of the options follow from choices and outcomes alone, and the log-likelihood

    L(α, β) = Σ_t log σ(β D_t),   D_t = Q_t(chosen) − Q_t(other)

is concave in β. So β is solved exactly for each α (Newton steps in a shrinking bracket), which leaves a profile
L*(α) = max_β L(α, β) on [0, 1]. It may have several maxima: it is evaluated on a grid that is denser towards 0 and 1,
and every one of the grid's best maxima is narrowed down by golden-section search.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.errors import UserError

GRID = 41  # learning rates at which the profile is evaluated first, sin²(π u / 2) for u evenly from 0 to 1
STARTS = 3  # maxima of the grid that are narrowed down
GOLDEN = 0.6180339887498949
NARROW = 1e-7  # width at which the search for α ends
EDGE = 1e-6  # an estimate this close to a bound lies on it


@dataclass(frozen=True)
class EpisodeFits:
    """One fit per episode; all arrays (episodes,).

    ``alpha`` learning rate, nan where the outcomes had no positive hold on choices (β = 0: α means nothing) or no
    choice was free; ``beta`` inverse temperature; ``log_likelihood`` at the maximum (nats); ``at_bound`` whether α or
    β lies on a bound; ``one_option`` whether all free choices were of the same option; ``trials`` free choices fitted.
    """

    alpha: np.ndarray
    beta: np.ndarray
    log_likelihood: np.ndarray
    at_bound: np.ndarray
    one_option: np.ndarray
    trials: np.ndarray


def fit_episodes(choice: np.ndarray, reward: np.ndarray, free: np.ndarray, beta_limit: float = 50.0) -> EpisodeFits:
    """Fit α and β of Q_c ← Q_c + α (r − Q_c), Q_0 = ½, P(k) ∝ exp(β Q_k) to every episode by maximum likelihood.

    Parameters
    ----------
    choice : int array (episodes, trials)
        0 or 1; negative where no choice was made, which changes nothing and is not scored.
    reward : array (episodes, trials)
        Outcomes.
    free : bool array (episodes, trials)
        Choices that are scored; other choices update the values only.
    beta_limit : float
        Largest β; the smallest is 0. α lies in [0, 1].

    Raises
    ------
    UserError
        If a choice is not of one of two options, or the limit is not positive.

    References
    ----------
    Rescorla & Wagner 1972; Wang et al. 2017, arXiv:1611.05763 (episode by episode).
    """
    if beta_limit <= 0:
        raise UserError(f"episode fits: beta_limit is {beta_limit}; the inverse temperature needs a limit above 0")
    choice = np.ascontiguousarray(choice, np.int64)
    if choice.size and choice.max() > 1:
        raise UserError(f"episode fits: option {choice.max()} was chosen; these fits are for two options, 0 and 1")
    scored = np.ascontiguousarray(np.asarray(free, bool) & (choice >= 0))
    outcome = np.ascontiguousarray(np.where(choice >= 0, np.nan_to_num(np.asarray(reward, float)), 0.0))
    alpha, beta, value = _fit_all(choice, outcome, scored, float(beta_limit))
    trials = scored.sum(1)
    ones = (scored & (choice == 1)).sum(1)
    at_bound = (alpha < EDGE) | (alpha > 1 - EDGE) | (beta < EDGE) | (beta > beta_limit * (1 - EDGE))
    alpha = np.where((beta < EDGE) | (trials == 0), np.nan, alpha)
    beta = np.where(trials == 0, np.nan, beta)
    one_option = (trials > 0) & ((ones == 0) | (ones == trials))
    return EpisodeFits(alpha, beta, value, at_bound & (trials > 0), one_option, trials)


def log_likelihood(alpha: float, beta: float, choice, reward, scored) -> float:
    """Log-likelihood of one episode (trials,) at given parameters, as the fit computes it."""
    difference = np.empty(len(choice))
    count = _differences(alpha, choice, reward, scored, difference)
    return _value(difference[:count], beta)


@njit(cache=True, nogil=True)
def _differences(alpha, choice, reward, scored, difference):
    """Q(chosen) − Q(other) before each scored choice, into ``difference``; returns their number."""
    q = np.full(2, 0.5)
    count = 0
    for t in range(len(choice)):
        c = choice[t]
        if c < 0:
            continue
        if scored[t]:
            difference[count] = q[c] - q[1 - c]
            count += 1
        q[c] += alpha * (reward[t] - q[c])
    return count


@njit(cache=True, nogil=True)
def _value(difference, beta):
    """L at β."""
    value = 0.0
    for d in difference:
        x = beta * d
        value += min(x, 0.0) - np.log1p(np.exp(-abs(x)))
    return value


@njit(cache=True, nogil=True)
def _slopes(difference, beta):
    """First and second derivative of L by β."""
    first, second = 0.0, 0.0
    for d in difference:
        x = beta * d
        small = np.exp(-abs(x))
        wrong = (small if x > 0 else 1.0) / (1.0 + small)  # σ(−x)
        first += d * wrong
        second -= d * d * wrong * (1.0 - wrong)
    return first, second


@njit(cache=True, nogil=True)
def _profile(alpha, choice, reward, scored, limit, start, difference):
    """L*(α) and the β that attains it."""
    count = _differences(alpha, choice, reward, scored, difference)
    own = difference[:count]
    if own.sum() <= 0.0:  # the slope at β = 0 is Σ D / 2
        return _value(own, 0.0), 0.0
    low, high = 0.0, limit
    beta = min(max(start, 0.1), limit)
    for _ in range(60):
        first, second = _slopes(own, beta)
        if first > 0.0:
            low = beta
        else:
            high = beta
        if low == limit:
            break
        after = beta - first / second if second < 0.0 else limit
        if after >= limit and high == limit:
            after = limit
        elif not low < after < high:
            after = 0.5 * (low + high)
        if abs(after - beta) <= 1e-7 * (1.0 + beta):  # a step of Newton's squares the error
            beta = after
            break
        beta = after
    return _value(own, beta), beta


@njit(cache=True, nogil=True)
def _fit_all(choice, reward, scored, limit):
    """Fit every episode; see `fit_episodes`."""
    episodes, trials = choice.shape
    alphas, betas, values = np.zeros(episodes), np.zeros(episodes), np.zeros(episodes)
    difference = np.empty(trials)
    grid = np.sin(np.linspace(0.0, 0.5 * np.pi, GRID)) ** 2
    grid[GRID - 1] = 1.0
    height, solved = np.empty(GRID), np.empty(GRID)
    for e in range(episodes):
        beta = 3.0
        for i in range(GRID):
            height[i], beta = _profile(grid[i], choice[e], reward[e], scored[e], limit, beta, difference)
            solved[i] = beta
        peak = np.zeros(GRID, np.bool_)
        for i in range(GRID):
            peak[i] = (i == 0 or height[i] >= height[i - 1]) and (i == GRID - 1 or height[i] >= height[i + 1])
        best = np.argmax(height)
        alphas[e], betas[e], values[e] = grid[best], solved[best], height[best]
        for _ in range(STARTS):
            at = -1
            for i in range(GRID):
                if peak[i] and (at < 0 or height[i] > height[at]):
                    at = i
            if at < 0:
                break
            peak[at] = False
            low, high, beta = grid[max(at - 1, 0)], grid[min(at + 1, GRID - 1)], solved[at]
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            at_left, beta = _profile(left, choice[e], reward[e], scored[e], limit, beta, difference)
            at_right, beta = _profile(right, choice[e], reward[e], scored[e], limit, beta, difference)
            while high - low > NARROW:
                if at_left > at_right:
                    high, right, at_right = right, left, at_left
                    left = high - GOLDEN * (high - low)
                    at_left, beta = _profile(left, choice[e], reward[e], scored[e], limit, beta, difference)
                else:
                    low, left, at_left = left, right, at_right
                    right = low + GOLDEN * (high - low)
                    at_right, beta = _profile(right, choice[e], reward[e], scored[e], limit, beta, difference)
            middle = 0.5 * (low + high)
            value, beta = _profile(middle, choice[e], reward[e], scored[e], limit, beta, difference)
            if value > values[e]:
                alphas[e], betas[e], values[e] = middle, beta, value
    return alphas, betas, values
