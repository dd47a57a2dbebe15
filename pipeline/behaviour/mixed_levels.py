"""Coordinates of a mixed regression's levels in which its posterior is nearly standard normal, with their gradients.

From what the data alone say of each session's coefficient, η̂ with variance v (EM–Laplace), follow normal
approximations of the levels above, each as a function of the SDs: session effects integrated out, subjects are known
with variance 1 / Σ 1/(τ² + v), and their group's mean accordingly. Every level is then written in coordinates z that
would be standard normal and independent of the SDs, were the likelihood normal: centred where the data say much,
non-centred where they say little, at every SD. It is a change of variables: the posterior does not depend on η̂ and v.

References
----------
Papaspiliopoulos et al. 2007, Stat Sci 22:59; Gorinova et al. 2020, ICML 37:3648.
"""

import numpy as np
from numba import njit

COMPILE = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _times(matrix, x, result):
    for i in range(len(result)):
        total = 0.0
        for j in range(len(x)):
            total += matrix[i, j] * x[j]
        result[i] = total


@njit(**COMPILE)
def gather(estimate, variance, who, design, effect, tau, subject, subject_variance):
    """Estimates of subjects and their variances from those of their sessions, conditions taken off; both filled."""
    subject[:], subject_variance[:] = 0.0, 0.0
    for u in range(len(who)):
        for j in range(len(tau)):
            shifted = estimate[u, j]
            for k in range(len(effect)):
                shifted -= design[u, k] * effect[k, j]
            q = 1 / (tau[j] ** 2 + variance[u, j])
            subject[who[u], j] += q * shifted
            subject_variance[who[u], j] += q
    for s in range(len(subject)):
        for j in range(len(tau)):
            subject_variance[s, j] = 1 / subject_variance[s, j]
            subject[s, j] *= subject_variance[s, j]


@njit(**COMPILE)
def gather_back(estimate, variance, who, design, effect, tau, subject, subject_variance, to_subject, to_variance,
                to_effect, to_tau):  # fmt: skip
    """Carry gradients of subjects' estimates and variances to effects of conditions and log τ (added)."""
    for u in range(len(who)):
        s = who[u]
        for j in range(len(tau)):
            shifted = estimate[u, j]
            for k in range(len(effect)):
                shifted -= design[u, k] * effect[k, j]
            square, v = tau[j] ** 2, subject_variance[s, j]
            q = 1 / (square + variance[u, j])
            for k in range(len(effect)):
                to_effect[k, j] -= to_subject[s, j] * design[u, k] * q * v
            slope = to_subject[s, j] * (shifted - subject[s, j]) * v - to_variance[s, j] * v * v
            to_tau[j] -= 2 * square * q * q * slope


@njit(**COMPILE)
def group_down(z, sd, of, estimate, variance, scale, mean):
    """Means of the groups from their coordinates; returns Σ log N(μ; 0, scale) |∂μ/∂z|, constants left out.

    μ = a + b z, with a and b² mean and variance of μ given σ by the subjects' estimates, η̂ ~ N(μ, σ² + v), and its
    prior: without it a mean of few subjects would make a funnel with their SD.
    """
    precision, pull = np.zeros(mean.shape), np.zeros(mean.shape)
    for i in range(len(of)):
        for j in range(len(scale)):
            p = 1 / (sd[of[i], j] ** 2 + variance[i, j])
            precision[of[i], j] += p
            pull[of[i], j] += p * estimate[i, j]
    total = 0.0
    for g in range(len(mean)):
        for j in range(len(scale)):
            p = precision[g, j] + scale[j] ** -2.0
            mean[g, j] = (pull[g, j] + np.sqrt(p) * z[g, j]) / p
            total -= 0.5 * ((mean[g, j] / scale[j]) ** 2 + np.log(p))
    return total


@njit(**COMPILE)
def group_up(z, sd, of, estimate, variance, scale, mean, to_mean, to_z, to_estimate, to_variance, to_sd):
    """Carry the gradient of the groups' means to their coordinates, and (added) to estimates, variances and log SDs."""
    precision = np.zeros(mean.shape)
    for i in range(len(of)):
        for j in range(len(scale)):
            precision[of[i], j] += 1 / (sd[of[i], j] ** 2 + variance[i, j])
    for g in range(len(mean)):
        for j in range(len(scale)):
            precision[g, j] += scale[j] ** -2.0
            to_mean[g, j] -= mean[g, j] / scale[j] ** 2
            to_z[g, j] = to_mean[g, j] / np.sqrt(precision[g, j])
    for i in range(len(of)):
        g = of[i]
        for j in range(len(scale)):
            square = sd[g, j] ** 2
            p, whole = 1 / (square + variance[i, j]), precision[g, j]
            width = z[g, j] / np.sqrt(whole)  # μ − a
            bend = p * p / whole * (to_mean[g, j] * (mean[g, j] - 0.5 * width - estimate[i, j]) + 0.5)
            to_estimate[i, j] += to_mean[g, j] * p / whole
            to_variance[i, j] += bend
            to_sd[g, j] += 2 * square * bend


@njit(**COMPILE)
def down(z, parent, sd, of, estimate, variance, mix, value, turned):
    """Values of one level from its coordinates; returns Σ log N(η; m, σ) |∂η/∂z|, constants left out.

    η = m + σ u with u = σ (η̂ − m) / D + √(v / D) L z and D = σ² + v, the coordinates of `pipeline.models.hierarchy`
    with z rotated by L, the Cholesky factor of the correlations of a unit's coefficients (EM–Laplace).
    """
    total = 0.0
    for i in range(z.shape[0]):
        _times(mix[i], z[i], turned[i])
        for j in range(z.shape[1]):
            s, v = sd[of[i], j], variance[i, j]
            both = s * s + v
            u = s * (estimate[i, j] - parent[i, j]) / both + np.sqrt(v / both) * turned[i, j]
            value[i, j] = parent[i, j] + s * u
            total += 0.5 * (np.log(v / both) - u * u)
    return total


@njit(**COMPILE)
def up(parent, sd, of, estimate, variance, mix_t, value, turned, to_value, to_z, to_parent, to_estimate, to_variance,
       to_sd):  # fmt: skip
    """Carry the gradient of a level's values to its coordinates, parents, η̂ and v, and (added) to log SDs."""
    through = np.empty(parent.shape[1])
    for i in range(len(parent)):
        row = of[i]
        for j in range(len(through)):
            s, v = sd[row, j], variance[i, j]
            square = s * s
            both = square + v
            away, root = (estimate[i, j] - parent[i, j]) / both, np.sqrt(v / both)
            u = (value[i, j] - parent[i, j]) / s
            g = to_value[i, j] * s - u
            through[j] = g * root
            to_estimate[i, j] = g * s / both
            to_parent[i, j] = to_value[i, j] - to_estimate[i, j]
            by_variance = 0.5 * root * turned[i, j] / v - away * s / both  # less the share through D of the root
            by_variance -= 0.5 * root * turned[i, j] / both
            to_variance[i, j] = g * by_variance + 0.5 * square / (v * both)
            turn = s * away * (v - square) / both - root * turned[i, j] * square / both  # ∂u / ∂ log σ
            to_sd[row, j] += to_value[i, j] * s * u + g * turn - square / both
        _times(mix_t[i], through, to_z[i])
