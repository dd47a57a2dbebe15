"""Posterior density of a mixed logistic regression with its gradient, in coordinates that suit the sampler.

The same density as `pipeline.behaviour.mixed_model.build` states, written out: a PyMC model of each regression and
source would take longer to compile than to sample.
"""

import numpy as np
from numba import njit

from pipeline.behaviour.mixed_design import Cells
from pipeline.behaviour.mixed_equations import Prior
from pipeline.behaviour.mixed_kernel import likelihood
from pipeline.behaviour.mixed_laplace import Fit
from pipeline.behaviour.mixed_levels import COMPILE, down, gather, gather_back, group_down, group_up, up
from pipeline.models.density import centre, cut, spread


@njit(**COMPILE)
def first_pass(x, sizes, fixed, data, work, to_x):
    """Coefficients of all levels, into ``work``; gradient of the priors, into ``to_x``; returns the log prior."""
    groups, contrasts, _, units, count = sizes
    prior, group, who, one, design, lone_sd = fixed
    estimate, variance, mix_unit, _, mix, _ = data
    mean, parent, subject, turned, own, own_variance, above, session, turned_unit = work
    z_mean, log_sd, effect, z, log_session, z_unit = cut(x, sizes)
    _, to_log_sd, to_effect, _, to_session, _ = cut(to_x, sizes)
    to_x[:] = 0.0
    total = spread(log_sd, prior[2], to_log_sd) + spread(log_session, prior[3], to_session)
    total += centre(effect, np.zeros(count), prior[1], to_effect)
    tau = np.exp(log_session[0]) if units else np.zeros(count)
    gather(estimate, variance, who, design, effect, tau, own, own_variance)
    parent[:] = 0.0
    sd = np.exp(log_sd) if groups else lone_sd
    if groups:
        total += group_down(z_mean, sd, group, own, own_variance, prior[0], mean)
        for s in range(len(parent)):
            parent[s] = mean[group[s]]
    total += down(z, parent, sd, group, own, own_variance, mix, subject, turned)
    for u in range(len(who)):
        above[u] = subject[who[u]]
        for k in range(contrasts):
            for j in range(count):
                above[u, j] += design[u, k] * effect[k, j]
    if units:
        return total + down(z_unit, above, np.exp(log_session), one, estimate, variance, mix_unit, session, turned_unit)
    session[:] = above
    return total


@njit(**COMPILE)
def second_pass(x, sizes, fixed, data, work, to_session, to_x):
    """Carry the likelihood's gradient with respect to the sessions' coefficients back to the coordinates."""
    groups, contrasts, subjects, units, count = sizes
    prior, group, who, one, design, lone_sd = fixed
    estimate, variance, _, mix_unit_t, _, mix_t = data
    mean, parent, subject, turned, own, own_variance, above, session, turned_unit = work
    z_mean, log_sd, effect, _, log_session, _ = cut(x, sizes)
    to_z_mean, to_log_sd, to_effect, to_z, to_log_session, to_z_unit = cut(to_x, sizes)
    to_above, a, b = to_session.copy(), np.empty(above.shape), np.empty(above.shape)
    tau, to_tau = np.zeros(count), np.zeros(count)
    if units:
        tau = np.exp(log_session[0])
        up(above, np.exp(log_session), one, estimate, variance, mix_unit_t, session, turned_unit, to_session, to_z_unit,
           to_above, a, b, to_log_session)  # fmt: skip
    to_subject, to_parent = np.zeros((subjects, count)), np.empty((subjects, count))
    to_own, to_own_variance = np.empty((subjects, count)), np.empty((subjects, count))
    for u in range(len(who)):
        for j in range(count):
            to_subject[who[u], j] += to_above[u, j]
            for k in range(contrasts):
                to_effect[k, j] += design[u, k] * to_above[u, j]
    sd, to_sd = (np.exp(log_sd), to_log_sd) if groups else (lone_sd, np.zeros(lone_sd.shape))
    up(parent, sd, group, own, own_variance, mix_t, subject, turned, to_subject, to_z, to_parent, to_own,
       to_own_variance, to_sd)  # fmt: skip
    if groups:
        to_mean = np.zeros(mean.shape)
        for s in range(subjects):
            for j in range(count):
                to_mean[group[s], j] += to_parent[s, j]
        group_up(z_mean, sd, group, own, own_variance, prior[0], mean, to_mean, to_z_mean, to_own, to_own_variance,
                 to_log_sd)  # fmt: skip
    gather_back(estimate, variance, who, design, effect, tau, own, own_variance, to_own, to_own_variance, to_effect,
                to_tau)  # fmt: skip
    if units:
        to_log_session[0] += to_tau


class Density:
    """Log posterior density of one data set with its gradient, as a function of a flat vector of coordinates.

    The coordinates are, in turn: of the groups' means, log SDs between subjects, effects of conditions, coordinates of
    subjects, log SDs between sessions, coordinates of sessions. ``start`` (coordinates,) is the EM–Laplace fit.
    """

    def __init__(self, cells: Cells, prior: Prior, laplace: Fit):
        s, count, subjects = cells.structure, len(cells.terms), len(cells.subjects)
        groups = len(s.groups) if subjects > 1 else 0
        self.sizes = (groups, len(s.contrasts), subjects, cells.units if cells.nested else 0, count)
        place = (s.subject_group, cells.unit_subject, np.zeros(cells.units))
        place = (np.asarray(x, np.int64) for x in place)
        scales = np.array([prior.mean, prior.condition, prior.group_sd, prior.session_sd])
        self.fixed = (scales, *place, np.ascontiguousarray(s.design, float), prior.mean[None].copy())
        mixes = [np.linalg.cholesky(level.correlation) for level in (laplace.of_session, laplace.of_subject)]
        both = [x for mix in mixes for x in (mix, mix.transpose(0, 2, 1))]
        parts = (laplace.of_session.estimate, laplace.of_session.variance, *both)
        self.said = tuple(np.ascontiguousarray(x) for x in parts)
        self.sessions, self.data = cells.units, cells.data()
        away = 0.1  # of the prior's scale: chains that start at an SD of 0 are slow to leave it
        parts = [laplace.condition, np.zeros((subjects, count))]
        if groups:
            sd = np.maximum(laplace.group_sd, away * prior.group_sd)
            parts = [np.zeros((groups, count)), np.log(sd), *parts]
        if cells.nested:
            parts += [np.log(np.maximum(laplace.session_sd, away * prior.session_sd)), np.zeros((cells.units, count))]
        self.start = np.concatenate([np.ravel(part) for part in parts])
        first = 0 if groups else len(s.contrasts) * count
        self.loose = slice(first, first + (groups or subjects) * count)  # chains differ here: group means, or subjects

    def _values(self, x: np.ndarray, to_x: np.ndarray):
        """Log prior, and arrays of all levels: fresh ones, as chains are threads."""
        groups, _, subjects, _, count = self.sizes
        sizes = (groups, *(subjects,) * 5, *(self.sessions,) * 3)
        work = tuple(np.empty((n, count)) for n in sizes)
        return first_pass(x, self.sizes, self.fixed, self.said, work, to_x), work

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Log density, up to a constant, and its gradient at ``x`` (coordinates,)."""
        to_x = np.empty(len(x))
        total, work = self._values(x, to_x)
        loglik, to_session = likelihood(work[7], *self.data)
        second_pass(x, self.sizes, self.fixed, self.said, work, to_session, to_x)
        return total + loglik.sum(), to_x

    def variables(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Variables of the model at ``x`` by name, as in `pipeline.behaviour.mixed_model.build`."""
        _, (mean, _, subject, *_, session, _) = self._values(x, np.empty(len(x)))
        _, log_sd, effect, _, log_session, _ = cut(x, self.sizes)
        found = {"group_mean": mean, "group_sd": np.exp(log_sd)} if self.sizes[0] else {}
        found |= {"condition_effect": effect} if len(effect) else {}
        found |= {"session_sd": np.exp(log_session[0])} if len(log_session) else {}
        return found | {"subject_parameters": subject, "session_parameters": session}
