"""The posterior of `pipeline.models.hierarchy` once more, by hand: for checks that fit hundreds of data sets.

The same density, in the same coordinates, with its gradient, in two passes around the kernel: from coordinates to the
parameters of every unit, and back from the likelihood's gradient to theirs. Nothing is compiled but the kernel, which
fits share, so that a further data set costs its sampling alone. Fits that are reported are sampled from the PyMC model;
that the two are one density, the tests show for every model.
"""

import numpy as np
from numba import njit

from pipeline.models.card import LINKS, ModelCard
from pipeline.models.data import Trials
from pipeline.models.kernel import compiled
from pipeline.models.laplace import LaplaceFit
from pipeline.models.priors import has_groups, scales

COMPILE = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**COMPILE)
def cut(x, sizes):
    """Cut a flat vector into views, each (rows, parameters).

    Means and log SDs of the groups, effects of conditions, coordinates of the subjects, log SD and coordinates of the
    sessions.
    """
    groups, contrasts, subjects, units, count = sizes
    a = groups * count
    b = a + groups * count
    c = b + contrasts * count
    d = c + subjects * count
    e = d + (count if units else 0)
    return (
        x[:a].reshape(groups, count),
        x[a:b].reshape(groups, count),
        x[b:c].reshape(contrasts, count),
        x[c:d].reshape(subjects, count),
        x[d:e].reshape(1 if units else 0, count),
        x[e:].reshape(units, count),
    )


@njit(**COMPILE)
def centre(x, mean, sd, to_x):
    """Log density of normal variables, constants left out; adds its gradient."""
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            away = (x[i, j] - mean[j]) / sd[j]
            total -= 0.5 * away * away
            to_x[i, j] -= away / sd[j]
    return total


@njit(**COMPILE)
def spread(log_sd, scale, to_sd):
    """Log density of log SDs whose SDs are half-normal with the scales given; adds its gradient."""
    total = 0.0
    for i in range(log_sd.shape[0]):
        for j in range(log_sd.shape[1]):
            square = np.exp(2 * log_sd[i, j]) / (scale[j] * scale[j])
            total += log_sd[i, j] - 0.5 * square
            to_sd[i, j] += 1 - square
    return total


@njit(**COMPILE)
def down(z, parent, log_sd, of, estimate, variance, value):
    """Values of one level from its coordinates; returns Σ log N(η; m, σ) |∂η/∂z|, constants left out.

    η = m + σ u with u = σ (η̂ − m) / D + √(v / D) z and D = σ² + v (see `pipeline.models.hierarchy`): the density of z
    is −½ u² + ½ log (v / D). log σ is row ``of`` of ``log_sd``.
    """
    total = 0.0
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            mean, sd, v = parent[i, j], np.exp(log_sd[of[i], j]), variance[i, j]
            both = sd * sd + v
            u = sd * (estimate[i, j] - mean) / both + np.sqrt(v / both) * z[i, j]
            value[i, j] = mean + sd * u
            total += 0.5 * (np.log(v / both) - u * u)
    return total


@njit(**COMPILE)
def up(z, parent, log_sd, of, estimate, variance, to_value, to_z, to_parent, to_sd, to_estimate):
    """Carry the gradient of a level's values to its coordinates, parents and η̂, and to log SDs (added to)."""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            sd, v = np.exp(log_sd[of[i], j]), variance[i, j]
            square = sd * sd
            both = square + v
            away, root = (estimate[i, j] - parent[i, j]) / both, np.sqrt(v / both)
            u = sd * away + root * z[i, j]
            to_z[i, j] = (to_value[i, j] * sd - u) * root
            to_parent[i, j] = (to_value[i, j] * v + u * sd) / both
            to_estimate[i, j] = (to_value[i, j] * sd - u) * sd / both
            slope = (2 * square * away + z[i, j] * sd * root) * v / both  # ∂η / ∂ log σ
            turn = sd * away * (v - square) / both - z[i, j] * root * square / both  # ∂u / ∂ log σ
            to_sd[of[i], j] += to_value[i, j] * slope - u * turn - square / both


@njit(**COMPILE)
def first_pass(x, sizes, prior, place, data, links, work, to_x):
    """Natural parameters of all units with dθ/dη, into ``work``; gradient of the priors; returns the log prior."""
    of_subject, of_unit, one = place
    design, subject_design, estimate, variance, unit_estimate, unit_variance = data
    parent, shifted, subject, above, eta, theta, slope = work
    mean, log_sd, effect, z, log_session, z_unit = cut(x, sizes)
    to_mean, to_log_sd, to_effect, _, to_session, _ = cut(to_x, sizes)
    to_x[:] = 0
    total = centre(mean, prior[0], prior[1], to_mean) + spread(log_sd, prior[2], to_log_sd)
    total += centre(effect, prior[4], prior[5], to_effect) + spread(log_session, prior[3], to_session)
    for s in range(len(parent)):
        parent[s], shifted[s] = mean[of_subject[s]], estimate[s]
        for k in range(len(effect)):
            shifted[s] -= subject_design[s, k] * effect[k]
    total += down(z, parent, log_sd, of_subject, shifted, variance, subject)
    for u in range(len(above)):
        above[u] = subject[of_unit[u]]
        for k in range(len(effect)):
            above[u] += design[u, k] * effect[k]
    if len(z_unit):
        total += down(z_unit, above, log_session, one, unit_estimate, unit_variance, eta)
    else:
        eta[:] = above
    for j in range(len(links)):
        half = 0.5 if links[j] == 3 else 1.0
        for i in range(len(eta)):
            if links[j] == 1:
                theta[i, j] = slope[i, j] = np.exp(eta[i, j])
            elif links[j] == 2:
                theta[i, j], slope[i, j] = eta[i, j], 1.0
            else:
                share = 1 / (1 + np.exp(-eta[i, j]))
                theta[i, j], slope[i, j] = 1 - half + half * share, half * share * (1 - share)
    return total


@njit(**COMPILE)
def second_pass(x, sizes, place, data, work, to_theta, to_x):
    """Carry the likelihood's gradient with respect to θ back to the coordinates."""
    of_subject, of_unit, one = place
    design, subject_design, _, variance, unit_estimate, unit_variance = data
    parent, shifted, _, above, eta, _, slope = work
    to_eta = to_theta * slope
    _, log_sd, effect, z, log_session, z_unit = cut(x, sizes)
    to_mean, to_log_sd, to_effect, to_z, to_session, to_z_unit = cut(to_x, sizes)
    to_above, unused = np.empty(eta.shape), np.empty(eta.shape)
    if len(z_unit):
        up(
            z_unit,
            above,
            log_session,
            one,
            unit_estimate,
            unit_variance,
            to_eta,
            to_z_unit,
            to_above,
            to_session,
            unused,
        )
    else:
        to_above[:] = to_eta
    to_subject, to_parent, to_shifted = np.zeros(parent.shape), np.empty(parent.shape), np.empty(parent.shape)
    for u in range(len(above)):
        to_subject[of_unit[u]] += to_above[u]
        for k in range(len(effect)):
            to_effect[k] += design[u, k] * to_above[u]
    up(z, parent, log_sd, of_subject, shifted, variance, to_subject, to_z, to_parent, to_log_sd, to_shifted)
    for s in range(len(parent)):
        to_mean[of_subject[s]] += to_parent[s]
        for k in range(len(effect)):
            to_effect[k] -= subject_design[s, k] * to_shifted[s]


class Density:
    """Log posterior density of one data set with its gradient, as a function of a flat vector of coordinates.

    Parameters
    ----------
    card : ModelCard
    trials : Trials
        Of two subjects or more.
    laplace : LaplaceFit
        Gives the coordinates (η̂ and v of subjects and units) and the starting point.
    """

    def __init__(self, card: ModelCard, trials: Trials, laplace: LaplaceFit):
        if not has_groups(trials):
            raise ValueError("a lone subject has no group: this density is for two subjects or more")
        s, prior, count = trials.structure, scales(card), len(card.parameters)
        subjects, contrasts = len(trials.subjects), len(s.contrasts)
        self.sizes = (len(s.groups), contrasts, subjects, trials.units if trials.nested else 0, count)
        names = ("mean", "sd", "group_sd", "session_sd", "condition_sd")
        rows = {name: prior[name] for name in names} | {"zero": np.zeros(count)}
        self.prior = np.array([rows[n] for n in ("mean", "sd", "group_sd", "session_sd", "zero", "condition_sd")])
        self.place = tuple(
            np.asarray(x, np.int64) for x in (s.subject_group, trials.unit_subject, np.zeros(trials.units))
        )
        own, unit = laplace.of_subject, laplace.of_unit
        base = own.estimate + np.einsum("scp,cp->sp", laplace.subject_design, laplace.condition_effect)
        parts = (s.design, laplace.subject_design, base, own.variance, unit.estimate, unit.variance)
        self.data = tuple(np.ascontiguousarray(x, float) for x in parts)
        self.work = tuple(np.empty((n, count)) for n in (subjects,) * 3 + (trials.units,) * 4)
        self.links = np.array([LINKS.index(p.link) for p in card.parameters])
        self.kernel = compiled(card, trials.options)
        self.packed = (trials.inputs, trials.length, trials.unit)
        self.start = self.join(laplace)

    def join(self, laplace: LaplaceFit) -> np.ndarray:
        """Coordinates of an EM–Laplace fit: all z are 0."""
        _, _, subjects, units, count = self.sizes
        parts = [laplace.group_mean, np.log(laplace.group_sd), laplace.condition_effect, np.zeros((subjects, count))]
        parts += [np.log(laplace.session_sd), np.zeros((units, count))] if units else []
        return np.concatenate([np.ravel(part) for part in parts])

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log density, up to a constant, and its gradient at ``x`` (coordinates,)."""
        to_x, (units, count) = np.empty(len(x)), self.work[-1].shape
        prior = first_pass(x, self.sizes, self.prior, self.place, self.data, self.links, self.work, to_x)
        loglik, to_theta = np.zeros(units), np.zeros((units, count))
        self.kernel(self.work[5], *self.packed, loglik, to_theta)
        second_pass(x, self.sizes, self.place, self.data, self.work, to_theta, to_x)
        return prior + loglik.sum(), to_x

    def variables(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Variables of the hierarchical model at ``x``, named and shaped as in `pipeline.models.hierarchy.build`."""
        first_pass(x, self.sizes, self.prior, self.place, self.data, self.links, self.work, np.empty(len(x)))
        mean, log_sd, effect, _, log_session, _ = cut(x, self.sizes)
        found = {"group_mean": mean, "group_sd": np.exp(log_sd), "subject_parameters": self.work[2].copy(),
                 "session_parameters": self.work[4].copy()}  # fmt: skip
        if len(effect):
            found["condition_effect"] = effect
        if len(log_session):
            found["session_sd"] = np.exp(log_session[0])
        return found
