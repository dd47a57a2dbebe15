"""Two-step tasks: what reward means for the next first-stage choice, by transition, and over several trials."""

from itertools import pairwise

import numpy as np
from scipy.stats import t as student

from pipeline.behaviour import Regression
from pipeline.behaviour.arrays import Episodes
from pipeline.behaviour.kernels import History, clusters
from pipeline.behaviour.logistic import Fit, logit
from pipeline.behaviour.regressions import Stays

KINDS = ("reward_common", "reward_rare", "omission_common", "omission_rare")
LAGS = 5
RATIO = "reward_over_interaction"


def differences(s: Stays, subjects: int) -> list[Fit]:
    """Contrasts of the four stay probabilities of each subject, on the scale of a probability.

    With p_rc, p_rr, p_oc, p_or after reward or omission × common or rare transition,

        intercept    = (p_rc + p_rr + p_oc + p_or) / 4,       reward = [(p_rc − p_oc) + (p_rr − p_or)] / 2,
        transition   = [(p_rc − p_rr) + (p_oc − p_or)] / 2,   reward × transition = (p_rc − p_oc) − (p_rr − p_or):

    the coefficients of the saturated linear model with ±½ coding. Unlike log odds they do not grow without bound where
    a learner always stays, so that a ceiling makes no reward effect. Errors are robust to dependence within clusters
    (sandwich with the factor G/(G − 1)). A reward counts as such if it is above 0. A subject without trials of all four
    kinds has no estimate, one with a single cluster no error.

    Returns
    -------
    list of Fit
        Per subject, in the order intercept, reward, transition, reward:transition.
    """
    common = s.predictors["transition"] > 0
    cell = 2 * (s.reward <= 0) + ~common  # reward common, reward rare, omission common, omission rare
    contrast = np.array([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, -0.5, -0.5], [0.5, -0.5, 0.5, -0.5], [1, -1, -1, 1]])
    edges = np.searchsorted(s.subject, np.arange(subjects + 1))
    return [_differences(s.stay[a:b], cell[a:b], s.cluster[a:b], contrast) for a, b in pairwise(edges)]


def _differences(stay, cell, cluster, contrast) -> Fit:
    n = np.bincount(cell, minlength=4)
    groups = len(np.unique(cluster))
    nothing = np.full((4, 4), np.nan)
    if not n.all():
        return Fit(nothing[0], nothing, len(stay), groups, note="one of the four kinds of trial does not occur")
    p = np.bincount(cell, stay, 4) / n
    if groups < 2:
        return Fit(contrast @ p, nothing, len(stay), groups, note="one cluster: no error")
    numbers, group = np.unique(cluster, return_inverse=True)
    score = np.zeros((groups, 4))
    np.add.at(score, (group, cell), (stay - p[cell]) / n[cell])
    influence = np.sqrt(groups / (groups - 1)) * score @ contrast.T
    note = "" if groups >= 10 else f"{groups} clusters: robust errors are uncertain"
    return Fit(contrast @ p, influence.T @ influence, len(stay), groups, False, note, numbers, influence)


def reward_over_interaction(
    terms: tuple[str, ...], estimate: np.ndarray, covariance: np.ndarray, freedom: int, level: float = 0.95
) -> tuple[float, float, float, float]:
    """Reward effect relative to the interaction, ρ = b_reward / b_reward×transition, with its error and interval.

    A model-based learner's choices depend on reward only through the transition: ρ near 0. That there is an interaction
    proves nothing, since a model-free learner shows one where the better action is rewarded more (Akam et al. 2015): on
    the two-step task of Wang et al. 2017 TD(1) with α = .5 and β = 5 has ρ ≈ 1.5 in log odds. The sign is kept, so that
    an interval can hold 0; its distance from 0 is |b_reward| / |b_interaction|.

        Var ρ ≈ (V_rr − 2 ρ V_ri + ρ² V_ii) / b_i²     (delta method)

    All nan where the interaction is within 2 standard errors of 0: then there is nothing to be relative to.

    Returns
    -------
    value, standard_error, low, high
    """
    reward, interaction = terms.index("reward"), terms.index("reward:transition")
    a, b = estimate[reward], estimate[interaction]
    part = covariance[np.ix_([reward, interaction], [reward, interaction])]
    if not np.isfinite([a, b, *part.ravel()]).all() or abs(b) <= 2 * np.sqrt(part[1, 1]):
        return (np.nan,) * 4
    ratio = a / b
    gradient = np.array([1, -ratio]) / b
    error = float(np.sqrt(gradient @ part @ gradient))
    half = student.ppf((1 + level) / 2, freedom) * error
    return float(ratio), error, float(ratio - half), float(ratio + half)


def lagged(e: Episodes, lags: int = LAGS) -> History:
    """Predictors of the lagged two-step regression (Miller 2016).

        logit P(c_t = 1) = a_0 + Σ_k Σ_j b_jk X_j(t − k),

    with X_j(t) = +1 if option 1 was chosen on trial t and trial t was of kind j, −1 if option 0 was, and 0 if the trial
    was of another kind; kinds j are {reward, omission} × {common, rare}. A planner's weights of reward change
    sign with the transition, a model-free learner's do not.

    Only free trials whose ``lags`` predecessors in the same episode all hold a choice and a transition enter.

    Returns
    -------
    History
        Design (trials, 1 + 4 · lags): 1, then the lags 1 … L of each of `KINDS` in turn.
    """
    made = e.made & ~np.isnan(e.transition)
    usable = e.free[:, lags:].copy()
    for k in range(1, lags + 1):
        usable &= made[:, lags - k :][:, : usable.shape[1]]
    episode, column = np.nonzero(usable)
    column = column + lags
    signed = np.where(e.choice == 1, 1.0, -1.0)
    kind = 2 * ~e.win + (e.transition == 0)
    state = 2 * kind + (e.choice == 1)  # equal states have equal predictors
    design = np.zeros((len(episode), 1 + len(KINDS) * lags))
    design[:, 0], pattern = 1, np.zeros(len(episode), np.int64)
    for k in range(1, lags + 1):
        back = (episode, column - k)
        design[np.arange(len(episode)), kind[back] * lags + k] = signed[back]
        pattern = pattern * 2 * len(KINDS) + state[back]
    return History(design, (e.choice[episode, column] == 1).astype(float), pattern, episode)


def lag_regression(e: Episodes, lags: int = LAGS) -> list[Fit]:
    """Lagged two-step regression of each subject; coefficients in log odds as in `lagged`, errors clustered by session.

    Two options only: with more, the estimates are nan. Miller, Brody & Botvinick 2016, bioRxiv 096339.
    """
    if e.options != 2:
        blank = np.full(1 + len(KINDS) * lags, np.nan)
        return [Fit(blank, np.diag(blank), 0, 0, note="the regression needs two options") for _ in e.subjects]
    h = lagged(e, lags)
    cluster, subject = clusters(e)[h.episode], e.subject[h.episode]
    edges = np.searchsorted(subject, np.arange(len(e.subjects) + 1))
    cuts = [slice(a, b) for a, b in pairwise(edges)]
    return [logit(h.design[c], h.outcome[c], h.pattern[c], cluster[c]) for c in cuts]


def terms(regression: Regression) -> tuple[str, ...]:
    """Names of the coefficients: the declared terms, or the intercept and each declared kind at every lag."""
    if not regression.lags:
        return regression.terms
    return ("intercept", *(f"{kind}_{k}" for kind in regression.terms for k in range(1, regression.lags + 1)))
