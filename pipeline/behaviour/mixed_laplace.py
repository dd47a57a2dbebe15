"""Fast approximate fit of a mixed logistic regression: penalised iterated least squares, with EM for the SDs.

The model that lme4's glmer fits, with nested levels and independent effects on every coefficient, and priors on top.
Given the SDs, coefficients are found by Newton steps; the effects are integrated out as if their posterior were normal
around its mode (Laplace), its mean put right to first order for skewness. It gives the sampler its starting point and
its coordinates. It is an approximation, and what is reported comes from the sampler.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.behaviour.mixed_design import Cells
from pipeline.behaviour.mixed_equations import Covariances, Equations, Prior, State


@dataclass(frozen=True)
class Summary:
    """What the data alone say of sessions or subjects: ``estimate`` and ``variance`` (…, k).

    ``correlation`` (…, k, k) is that of the coefficients' posterior given the level above.
    """

    estimate: np.ndarray
    variance: np.ndarray
    correlation: np.ndarray


@dataclass(frozen=True)
class Fit:
    """EM–Laplace fit: an approximation. Log odds.

    ``group_mean`` (groups, k) and ``condition`` (contrasts, k) with their standard errors given the SDs, ``group_sd``
    (groups, k), ``session_sd`` (k,), coefficients of each ``subject`` (subjects, k) and ``session`` (sessions, k);
    ``iterations`` of EM, and whether the SDs stood still at the end.
    """

    group_mean: np.ndarray
    group_mean_error: np.ndarray
    condition: np.ndarray
    condition_error: np.ndarray
    group_sd: np.ndarray
    session_sd: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    of_subject: Summary
    of_session: Summary
    iterations: int
    converged: bool


def fit(cells: Cells, prior: Prior, iterations: int = 300, tolerance: float = 1e-4,
        inside: bool = False) -> Fit:  # fmt: skip
    """Alternate Newton steps of all coefficients with EM steps of the SDs, which are extrapolated every third time.

    Parameters
    ----------
    cells : Cells
    prior : Prior
        With very wide scales the fit is maximum likelihood by Laplace's approximation, as lme4's is.
    iterations : int
        Most EM steps.
    tolerance : float
        Of the SDs, in units of their prior's scale.
    inside : bool
        Whether to look for the mode of the SDs' logarithms, which never lies at an SD of 0: a better centre of what a
        sampler of logarithms meets.

    References
    ----------
    Breslow & Clayton 1993, J Am Stat Assoc 88:9; Bates et al. 2015, J Stat Softw 67(1) (lme4); Tierney & Kadane 1986,
    J Am Stat Assoc 81:82 (Laplace).
    """
    equations = Equations(cells, prior)
    scale = np.concatenate([np.tile(prior.group_sd, (len(cells.structure.groups), 1)), prior.session_sd[None]])
    if equations.lone:
        scale[0] = prior.mean
    floor = 0.01 * np.minimum(scale, 1)
    sds, state, tilted = scale.copy(), equations.start(), np.zeros((cells.units, equations.k))
    trail, converged, count = [], False, 0
    while count < iterations and not converged:
        count += 1
        state, covariances, moved = _climb(equations, state, sds, tilted)
        tilted = equations.tilt(state, covariances)
        new = np.maximum(_expected(equations, state, covariances, sds, scale, inside), floor)
        converged = bool((np.abs(new - sds) < tolerance * scale).all() and moved < 1e-3 and trail)
        sds = new
        trail.append(np.log(sds))
        if len(trail) == 3 and not converged:
            sds, trail = np.maximum(np.exp(_ahead(*trail)), floor), []
    for _ in range(20):
        state, covariances, moved = _climb(equations, state, sds, tilted)
        tilted = equations.tilt(state, covariances)
        if moved < 1e-6:
            break
    return _finish(equations, state, covariances, sds, count, converged)


def _climb(equations: Equations, state: State, sds: np.ndarray, tilted: np.ndarray):
    """One damped Newton step; returns the state, its covariances, and how far coefficients moved."""
    new, covariances = equations.step(state, sds, tilted)
    before, share = equations.objective(state, sds, tilted), 1.0
    while equations.objective(new, sds, tilted) < before - 1e-8 * abs(before) and share > 1e-3:
        share /= 2
        new = state.towards(new, 0.5)
    moved = max(np.abs(new.session - state.session).max(), np.abs(new.fixed - state.fixed).max(initial=0))
    return new, covariances, moved


def _expected(equations: Equations, state: State, covariances: Covariances, sds, scale, inside: bool) -> np.ndarray:
    """SDs at the mode of what EM expects: −n log σ − S/(2σ²) − σ²/(2 scale²), S the expected sum of squares."""
    found = sds.copy()
    if not equations.lone:
        deviation = (state.subject - equations.mean(state)) ** 2 + np.einsum("sii->si", covariances.subject)
        for g in range(equations.groups):
            own = equations.group == g
            found[g] = _mode(deviation[own].sum(0), own.sum() - inside, scale[g])
    if equations.cells.nested:
        deviation = (state.session - equations.above(state)) ** 2 + covariances.spread
        found[-1] = _mode(deviation.sum(0), len(deviation) - inside, scale[-1])
    return found


def _mode(total: np.ndarray, count: int, scale: np.ndarray) -> np.ndarray:
    return np.sqrt((-count + np.sqrt(count**2 + 4 * total / scale**2)) * scale**2 / 2)


def _ahead(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
    """Where a geometric sequence ends (Aitken 1926), each SD by itself; EM is slow where a SD is small."""
    step, last = second - first, third - second
    rate = np.clip(np.divide(last, step, out=np.zeros_like(step), where=np.abs(step) > 1e-12), 0.0, 0.95)
    return third + np.clip(last * rate / (1 - rate), -2.0, 2.0)


def _finish(equations: Equations, state: State, covariances: Covariances, sds, count: int, converged: bool) -> Fit:
    """Add standard errors, and what the data alone say of each session and subject."""
    g, error = equations.groups, np.sqrt(np.diag(covariances.fixed)).reshape(state.fixed.shape)
    of_subject = _alone(state.subject, covariances.subject, equations.mean(state), sds[:-1][equations.group])
    of_session = of_subject
    if equations.cells.nested:
        of_session = _alone(state.session, covariances.session, equations.above(state), sds[-1])
    return Fit(
        state.fixed[:g], error[:g], state.fixed[g:], error[g:], sds[:-1], sds[-1], state.subject, state.session,
        of_subject, of_session, count, converged,
    )  # fmt: skip


def _alone(mode: np.ndarray, covariance: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> Summary:
    """Take the level above out of each coefficient's posterior, other coefficients being held as they are with it."""
    variance = np.einsum("uii->ui", covariance)
    alone = 1 / np.maximum(1 / variance - sd**-2.0, 1e-6)
    root = np.sqrt(variance)
    correlation = covariance / (root[:, :, None] * root[:, None, :])
    return Summary((mode / variance - mean * sd**-2.0) * alone, alone, correlation)
