"""Equations of one Newton step of a mixed logistic regression at given SDs, solved level by level."""

from dataclasses import dataclass

import numpy as np

from pipeline.behaviour.mixed_design import Cells
from pipeline.behaviour.mixed_kernel import information, likelihood, tilt


@dataclass(frozen=True)
class Prior:
    """Scales of the priors of each coefficient, arrays (k,): see `pipeline.behaviour.mixed_model.prior`.

    SDs of the normal priors of group means (``mean``) and of effects of a condition (``condition``), scales of the
    half-normal priors of the SDs between subjects (``group_sd``) and between a subject's sessions (``session_sd``).
    """

    mean: np.ndarray
    condition: np.ndarray
    group_sd: np.ndarray
    session_sd: np.ndarray


@dataclass(frozen=True)
class State:
    """Coefficients: group means and effects of conditions (groups + contrasts, k), of subjects and of sessions."""

    fixed: np.ndarray
    subject: np.ndarray
    session: np.ndarray

    def towards(self, other: "State", share: float) -> "State":
        """Go a share of the way to another state."""
        pairs = ((self.fixed, other.fixed), (self.subject, other.subject), (self.session, other.session))
        return State(*(a + share * (b - a) for a, b in pairs))


@dataclass(frozen=True)
class Covariances:
    """Posterior covariances at given SDs.

    ``fixed`` (all fixed effects in one); of each ``subject`` given the fixed effects; of each ``session`` given its
    subject, and ``alone`` (sessions, k, k) given the fixed effects only; ``spread`` (sessions, k) the variance of what
    sets a session apart from its subject.
    """

    fixed: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    alone: np.ndarray
    spread: np.ndarray


class Equations:
    """Cells and priors of one fit, with what every Newton step needs.

    A lone subject has no group: its mean is 0, and its SD that of a group mean's prior.
    """

    def __init__(self, cells: Cells, prior: Prior):
        s = cells.structure
        self.cells, self.prior, self.k = cells, prior, len(prior.mean)
        self.lone = len(cells.subjects) == 1
        self.group, self.who, self.x = s.subject_group, cells.unit_subject, np.ascontiguousarray(s.design, float)
        self.groups = 0 if self.lone else len(s.groups)
        scales = [prior.mean] * self.groups + [prior.condition] * len(s.contrasts)
        self.precision = np.array(scales).reshape(-1, self.k) ** -2.0

    def start(self) -> State:
        """Everything at 0."""
        sizes = (len(self.precision), len(self.cells.subjects), self.cells.units)
        return State(*(np.zeros((n, self.k)) for n in sizes))

    def above(self, state: State) -> np.ndarray:
        """Means of the sessions given subjects and conditions, (sessions, k)."""
        return state.subject[self.who] + self.x @ state.fixed[self.groups :]

    def mean(self, state: State) -> np.ndarray:
        """Means of the subjects, (subjects, k)."""
        return np.zeros_like(state.subject) if self.lone else state.fixed[self.group]

    def objective(self, state: State, sds: np.ndarray, tilted: np.ndarray) -> float:
        """Log posterior of all coefficients given the SDs (groups + 1, k), sessions' last, tilted by a gradient."""
        value = likelihood(state.session, *self.cells.data())[0].sum() + (tilted * state.session).sum()
        value -= 0.5 * (((state.subject - self.mean(state)) / sds[:-1][self.group]) ** 2).sum()
        if self.cells.nested:
            value -= 0.5 * (((state.session - self.above(state)) / sds[-1]) ** 2).sum()
        return value - 0.5 * (self.precision * state.fixed**2).sum()

    def tilt(self, state: State, covariances: Covariances) -> np.ndarray:
        """Gradient that moves modes to means, (sessions, k): see `mixed_kernel.tilt`."""
        codes, scale, _, trials, start = self.cells.data()
        return tilt(state.session, codes, scale, trials, start, np.ascontiguousarray(covariances.alone))

    def step(self, state: State, sds: np.ndarray, tilted: np.ndarray) -> tuple[State, Covariances]:
        """Maximise the quadratic through the tilted log posterior at ``state``.

        A session is (A, a) to the data alone, loglik ≈ a'b − ½ b'Ab. With T = diag(session_sd²), and its own effect
        integrated out, it says (B, Bb̂) = ((I + A T)⁻¹ A, (I + A T)⁻¹ a) of its subject; A itself is never inverted.
        Subjects in turn are eliminated from the equations of the fixed effects (Schur complement).
        """
        codes, scale, _, trials, start = self.cells.data()
        a_matrix = information(state.session, codes, scale, trials, start)
        gradient = likelihood(state.session, *self.cells.data())[1] + tilted
        a = np.einsum("uij,uj->ui", a_matrix, state.session) + gradient
        b_matrix, b, eye = a_matrix, a, np.eye(self.k)
        if self.cells.nested:
            outer = np.linalg.inv(eye + a_matrix * sds[-1] ** 2)
            b_matrix, b = outer @ a_matrix, np.einsum("uij,uj->ui", outer, a)
        many = len(self.cells.subjects)
        within = sds[:-1][self.group] ** -2.0
        inner, right = np.zeros((many, self.k, self.k)), np.zeros((many, self.k))
        np.add.at(inner, self.who, b_matrix)
        np.add.at(right, self.who, b)
        covariance = np.linalg.inv(inner + within[:, :, None] * eye)
        left, coupling, values = self._fixed(b_matrix, b, within)
        solved = coupling @ covariance
        left -= np.tensordot(solved, coupling, ((0, 2), (0, 2)))
        of_fixed = np.linalg.inv(left)
        fixed = of_fixed @ (values - np.einsum("sik,sk->i", solved, right))
        subject = np.einsum("sij,sj->si", covariance, right - np.einsum("sik,i->sk", coupling, fixed))
        fixed = fixed.reshape(-1, self.k)
        mean = subject[self.who] + self.x @ fixed[self.groups :]
        if not self.cells.nested:
            own = covariance[self.who]
            return State(fixed, subject, mean), Covariances(of_fixed, covariance, own, own, np.zeros(mean.shape))
        own = np.linalg.inv(a_matrix + eye * sds[-1] ** -2.0)
        session = np.einsum("uij,uj->ui", own, a + mean * sds[-1] ** -2.0)
        slope = own @ a_matrix  # of a session's own effect on the mean, negative; that of the session is I − slope
        through, above = eye - slope, covariance[self.who]
        alone = own + through @ above @ through.transpose(0, 2, 1)
        spread = np.einsum("uii->ui", own + slope @ above @ slope.transpose(0, 2, 1))
        return State(fixed, subject, session), Covariances(of_fixed, covariance, own, alone, spread)

    def _fixed(self, b_matrix: np.ndarray, b: np.ndarray, within: np.ndarray):
        """Equations of the fixed effects before subjects are eliminated: precision, coupling with subjects, right side.

        Returns arrays (f k, f k), (subjects, f k, k) and (f k,) for f fixed effects.
        """
        many, f, k, eye = len(within), len(self.precision), self.k, np.eye(self.k)
        left, coupling, values = np.zeros((f, k, f, k)), np.zeros((many, f, k, k)), np.zeros((f, k))
        for i in range(f):
            left[i, :, i] = self.precision[i] * eye
        for g in range(self.groups):
            left[g, :, g] += within[self.group == g].sum(0) * eye
        if self.groups:
            coupling[np.arange(many), self.group] = -within[:, :, None] * eye
        for c, x in enumerate(self.x.T, self.groups):
            values[c] = x @ b
            np.add.at(coupling[:, c], self.who, x[:, None, None] * b_matrix)
            for d, y in enumerate(self.x.T, self.groups):
                left[c, :, d] += np.tensordot(x * y, b_matrix, 1)
        return left.reshape(f * k, f * k), coupling.reshape(many, f * k, k), values.reshape(-1)
