"""Fast companion of the hierarchical model: the EM–Laplace fit.

It gives the sampler its starting point and its coordinates, and carries recovery sweeps. It is an approximation, biased
where parameters are weakly identified: it is never reported as a result. The fits of single sessions
(`pipeline.models.sessions`) and the marginal likelihood (`pipeline.models.evidence`) can be imported from here, too.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.models.card import ModelCard, Parameter
from pipeline.models.data import Trials
from pipeline.models.evidence import evidence
from pipeline.models.modes import BOX, curvature, modes, objective
from pipeline.models.priors import has_groups, scales
from pipeline.models.sessions import maximum_a_posteriori, maximum_likelihood, session_estimates

__all__ = ["BOX", "LaplaceFit", "Summary", "curvature", "em", "evidence", "group_grid", "maximum_a_posteriori",
           "maximum_likelihood", "modes", "objective", "session_estimates"]  # fmt: skip

STRIDE = 0.4  # largest step of a log SD between two searches for the modes
LEAP = 0.75  # largest step of a subject's parameter between them; halved steps after `SETTLE` searches
SETTLE = 15
FLAT = 4.0


@dataclass(frozen=True)
class Summary:
    """What the data alone say of units or subjects: ``estimate`` and ``variance`` (…, parameters)."""

    estimate: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class LaplaceFit:
    """EM–Laplace fit on the transformed scale: an approximation.

    ``unit`` and ``unit_sd`` (units, parameters) are modes and SDs given the level above, ``information`` (units,
    parameters, parameters) that of the likelihood alone; ``subject``, ``subject_sd`` (subjects, parameters);
    ``group_mean``, ``group_sd`` (groups, parameters); ``session_sd`` (parameters,); ``condition_effect`` (contrasts,
    parameters). ``of_subject.estimate`` holds at these effects γ; at others it falls by ``subject_design`` (subjects,
    contrasts, parameters), the mean contrast x of the subject's units, times their change. For a lone subject, group
    mean and SD are those of the prior.
    """

    unit: np.ndarray
    unit_sd: np.ndarray
    information: np.ndarray
    subject: np.ndarray
    subject_sd: np.ndarray
    group_mean: np.ndarray
    group_sd: np.ndarray
    session_sd: np.ndarray
    condition_effect: np.ndarray
    of_unit: Summary
    of_subject: Summary
    subject_design: np.ndarray


def group_grid(parameter: Parameter, estimate: np.ndarray, variance: np.ndarray, cells: int = 400):
    """Posterior of one parameter's SD in one group on a grid, with the group mean integrated out.

    Subjects enter as normal estimates: estimate_s ~ N(μ, σ² + variance_s), with the priors of the card on μ and σ.

    Returns
    -------
    grid, probability : arrays (cells,)
        Values of σ (evenly spaced in log σ) and their posterior probabilities.
    mean, precision : arrays (cells,)
        Of the normal posterior of μ at each σ.
    """
    grid = np.geomspace(1e-3, 5, cells) * parameter.group_sd
    total = grid[:, None] ** 2 + variance
    precision = (1 / total).sum(1) + parameter.sd**-2.0
    mean = ((estimate / total).sum(1) + parameter.mean / parameter.sd**2) / precision
    log_mass = (
        np.log(grid) - 0.5 * (grid / parameter.group_sd) ** 2 - 0.5 * np.log(total).sum(1) - 0.5 * np.log(precision)
    )
    log_mass += 0.5 * mean**2 * precision - 0.5 * (estimate**2 / total).sum(1)
    mass = np.exp(log_mass - log_mass.max())
    return grid, mass / mass.sum(), mean, precision


def _spread(total: np.ndarray, count, scale: np.ndarray) -> np.ndarray:
    """Mode of a SD: maximise −count log σ − total/(2σ²) − σ²/(2 scale²) (half-normal prior)."""
    square = (-count + np.sqrt(count**2 + 4 * total / scale**2)) * scale**2 / 2
    return np.sqrt(np.maximum(square, 1e-4))


class _Levels:
    """The levels above the units, and their updates given what is known of the units."""

    def __init__(self, card: ModelCard, trials: Trials):
        self.trials, self.prior = trials, scales(card)
        s = trials.structure
        self.who, self.of, self.design = trials.unit_subject, s.subject_group, s.design
        self.subjects, self.groups, size = len(trials.subjects), len(s.groups), len(card.parameters)
        self.grouped = has_groups(trials)
        self.mu = np.tile(self.prior["mean"], (self.groups, 1))
        self.sigma = np.tile(self.prior["group_sd" if self.grouped else "sd"], (self.groups, 1))
        self.tau = self.prior["session_sd"].copy()
        self.effect = np.zeros((len(s.contrasts), size))
        self.subject = self.mu[self.of]

    @property
    def shift(self) -> np.ndarray:
        """What conditions add to each unit."""
        return self.design @ self.effect

    @property
    def above(self) -> np.ndarray:
        """Mean of every unit, given the level above."""
        return (self.subject if self.trials.nested else self.mu[self.of])[self.who] + self.shift

    @property
    def spread(self) -> np.ndarray:
        """SD of every unit around it."""
        return np.tile(self.tau, (len(self.who), 1)) if self.trials.nested else self.sigma[self.of][self.who]

    def flat(self) -> np.ndarray:
        """All values that the levels share, for a look at convergence."""
        return np.concatenate([np.ravel(x) for x in (self.mu, self.sigma, self.tau, self.effect)])

    def summary(self, eta: np.ndarray, information: np.ndarray) -> tuple["Summary", np.ndarray]:
        """Summarise what the data alone say of every unit, by modes given the level above; also posterior variances.

        A likelihood that is flat or bends upwards there says next to nothing: its variance is held below `FLAT` times
        that of the prior, its slope kept.
        """
        precision, above = self.spread**-2.0, self.above
        size, direction = np.linalg.eigh(information + np.eye(eta.shape[1]) * precision[:, :, None])
        variance = np.einsum("upk,uk->up", direction**2, 1 / np.maximum(size, 1e-6))
        most = FLAT * (self.prior["sd"] ** 2 + self.prior["group_sd"] ** 2 + self.prior["session_sd"] ** 2)
        alone = 1 / np.maximum(1 / variance - precision, 1 / most)
        return Summary(eta + alone * precision * (eta - above), alone), variance

    def of_subjects(self, units: "Summary") -> tuple["Summary", np.ndarray]:
        """Summarise what the units say of each subject at the present τ and γ, and the units' weights in it."""
        weight = 1 / (units.variance + (self.tau**2 if self.trials.nested else 0))
        total = _sums(weight, self.who, self.subjects)
        value = _sums(weight * (units.estimate - self.shift), self.who, self.subjects)
        return Summary(value / total, 1 / total), weight

    def update(self, units: "Summary", rounds: int = 100) -> None:
        """Climb by turns (EM) at these summaries of the units, whose own parameters are integrated out.

        The summaries hold near the modes: a climb ends where an SD has moved by more than `STRIDE`.
        """
        prior, first = self.prior, np.concatenate([self.sigma.ravel(), self.tau])
        for _ in range(rounds):
            before = self.flat()
            data, weight = self.of_subjects(units)
            above = self.sigma[self.of] ** -2.0
            variance = 1 / (1 / data.variance + above)
            self.subject = variance * (data.estimate / data.variance + self.mu[self.of] * above)
            if self.trials.nested:
                pooled = self.tau**2 * weight  # of E (η − m)²: η given m lies this far from m towards its data
                away = (units.estimate - self.shift - self.subject[self.who]) ** 2 + variance[self.who]
                total = (pooled**2 * away + pooled * units.variance).sum(0)
                self.tau = _spread(total, len(weight), prior["session_sd"])
            if self.grouped:
                count = np.bincount(self.of, minlength=self.groups)[:, None]
                total = _sums(self.subject, self.of, self.groups) / self.sigma**2 + prior["mean"] / prior["sd"] ** 2
                self.mu = total / (count / self.sigma**2 + prior["sd"] ** -2.0)
                away = (self.subject - self.mu[self.of]) ** 2 + variance
                self.sigma = _spread(_sums(away, self.of, self.groups), count, prior["group_sd"])
            if len(self.effect):
                self._effects(units)
            if np.abs(self.flat() - before).max() < 1e-4:
                break
            moved = np.log(np.concatenate([self.sigma.ravel(), self.tau]) / first)
            if np.abs(moved).max() > STRIDE:
                shrink = np.exp(np.clip(moved, -STRIDE, STRIDE)) * first
                self.sigma, self.tau = shrink[: self.sigma.size].reshape(self.sigma.shape), shrink[self.sigma.size :]
                break

    def _effects(self, units: "Summary") -> None:
        """Regress the units' estimates on the design, weighted by what else moves them."""
        free = units.estimate - (self.above - self.shift)
        weight = 1 / (units.variance + self.spread**2)
        inner = np.einsum("uc,up,ud->pcd", self.design, weight, self.design)
        inner += self.prior["condition_sd"][:, None, None] ** -2.0 * np.eye(len(self.effect))
        self.effect = np.linalg.solve(inner, np.einsum("uc,up,up->pc", self.design, weight, free)[..., None])[..., 0].T


def _sums(values: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    """Sum rows by the number in ``place``, (count, parameters)."""
    found = np.zeros((count, values.shape[1]))
    np.add.at(found, place, values)
    return found


def em(card: ModelCard, trials: Trials, iterations: int = 60) -> LaplaceFit:
    """Fit the hierarchy by EM, with a Laplace approximation of every unit.

    η_unit ~ N(m_subject + X γ, τ), m_subject ~ N(μ_group, σ_group), with the priors of the card on μ, σ, τ, γ; without
    several units per subject η_subject ~ N(μ_group, σ_group). Parameters independent a priori.
    """
    levels = _Levels(card, trials)
    eta = levels.above
    for i in range(iterations):
        eta, information = modes(card, trials, eta, levels.above, levels.spread**-2.0, iterations=4)
        before, subject = levels.flat(), levels.subject
        levels.update(levels.summary(eta, information)[0])
        step = np.clip(levels.subject - subject, -LEAP, LEAP)
        levels.subject = subject + (step if i < SETTLE else step / 2)
        if max(np.abs(levels.flat() - before).max(), np.abs(step).max() / 10) < 1e-3:
            break
    return _finish(levels, eta, information)


def _finish(levels: _Levels, eta, information) -> LaplaceFit:
    """Work out, at the fitted hierarchy, what the data alone say of units and subjects."""
    units, variance = levels.summary(eta, information)
    subjects, weight = levels.of_subjects(units)
    mean_design = np.zeros((levels.subjects, *levels.effect.shape))
    for c, x in enumerate(levels.design.T):
        mean_design[:, c] = _sums(weight * x[:, None], levels.who, levels.subjects) * subjects.variance
    subject_sd = np.sqrt(1 / (1 / subjects.variance + levels.sigma[levels.of] ** -2.0))
    return LaplaceFit(
        eta, np.sqrt(variance), information, levels.subject, subject_sd, levels.mu, levels.sigma, levels.tau,
        levels.effect, units, subjects, mean_design,
    )  # fmt: skip
