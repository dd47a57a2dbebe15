"""Data sets simulated from a model on a reduced structure, and their fits, for `pipeline.models.calibration`."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.models.calibration import Draws, Quantity
from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.density import Density
from pipeline.models.laplace import em, objective
from pipeline.models.links import natural, transformed
from pipeline.models.nuts import sample
from pipeline.models.priors import draw, scales
from pipeline.models.structure_data import data_sets, simulate, table
from pipeline.models.structures import TrialStructure
from pipeline.seeds import generator

CHUNK = 20  # data sets simulated together
ACCEPT, CAREFUL_ACCEPT = 0.8, 0.95  # acceptance that step sizes are tuned to: at first, and in a second attempt
LONGER = 4  # as many draws and tuning steps in a second attempt
HALF_NORMAL_MEDIAN = 0.6744897501960817  # of a half-normal of scale 1


class Simulated:
    """A model on a structure, with truths from its prior; obeys `pipeline.models.calibration.Problem`.

    Ranked are, of the first subject: mean and SD of its group, its own parameters; the SD between sessions and the
    effect of the first condition where the structure has them; and the log-likelihood of all sessions (Modrák et al.
    2023), which catches fits that are right in every parameter but ignore part of the data. (Subjects and groups are
    interchangeable: one of each is enough, and keeps the ranks of a quantity independent.)

    Parameters
    ----------
    card : ModelCard
        Resolved for the structure here.
    structure : TrialStructure
    draws, tune : int
        Of the one chain of each fit.
    seed : int
        Root seed. Data set k is the same however many there are.
    """

    def __init__(self, card: ModelCard, structure: TrialStructure, draws: int, tune: int, seed: int):
        self.card, self.design, self.draws, self.tune, self.seed = structure.resolve(card), structure, draws, tune, seed
        self.model, self.structure = self.card.name, structure.name
        self.template = self._template()
        levels = ["group_mean", "group_sd"]
        levels += ["session_sd"] if self.template.nested else []
        levels += ["condition"] if self.template.structure.contrasts else []
        self.quantities = tuple(Quantity(level, name) for level in [*levels, "subject"] for name in self.card.names)
        self.quantities += (Quantity("joint"),)

    def _template(self) -> Trials:
        shape = (1, self.design.subjects * self.design.sessions, 1)
        typical = np.tile([p.typical for p in self.card.parameters], shape)
        behaviour = simulate(self.design, self.card, typical, self._generator("template"))
        return next(data_sets(self.design, self.card, behaviour))

    def _generator(self, *names) -> np.random.Generator:
        return generator(self.seed, "simulated", self.structure, self.model, *names)

    def truths(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw the parameters of one data set; see `pipeline.models.priors.draw`."""
        return draw(self.card, self.template, generator)

    def make(self, datasets: int) -> Iterator[tuple[np.ndarray, Trials]]:
        """Simulate data sets; see `pipeline.models.calibration.Problem`."""
        for behaviour, truths in self._behave(datasets):
            for truth, trials in zip(truths, data_sets(self.design, self.card, behaviour)):
                yield self.vector(truth, truth["unit"], trials), trials

    def tables(self, datasets: int) -> Iterator[pd.DataFrame]:
        """Trial tables of the data sets that `make` packs."""
        for behaviour, truths in self._behave(datasets):
            yield from (table(self.design, behaviour, i) for i in range(len(truths)))

    def _behave(self, datasets: int):
        for start in range(0, datasets, CHUNK):
            own = self._generator("data", start // CHUNK)
            truths = [self.truths(own) for _ in range(CHUNK)]
            theta = natural(self.card, np.stack([truth["unit"] for truth in truths]))
            yield simulate(self.design, self.card, theta, own), truths[: datasets - start]

    def vector(self, variables: dict[str, np.ndarray], unit: np.ndarray, trials: Trials) -> np.ndarray:
        """Values of the quantities, from the variables of the hierarchical model."""
        group = trials.structure.subject_group[0]
        parts = [variables["group_mean"][group], variables["group_sd"][group]]
        parts += [variables["session_sd"]] if trials.nested else []
        parts += [variables["condition_effect"][0]] if trials.structure.contrasts else []
        joint = objective(self.card, trials, unit)[0].sum()
        return np.concatenate([*parts, variables["subject_parameters"][0], [joint]])

    def fit(self, data: Trials, number: int, careful: bool) -> Draws:
        """Sample one data set by NUTS, started at its EM–Laplace fit; see `pipeline.models.calibration.Problem`."""
        density = Density(self.card, data, em(self.card, data))
        own, more = self._generator("chain", number, int(careful)), LONGER if careful else 1
        start = density.start + (0.1 * own.standard_normal(len(density.start)) if careful else 0)
        chain = sample(
            density, start, self.draws * more, self.tune * more, int(own.integers(2**31)),
            CAREFUL_ACCEPT if careful else ACCEPT,
        )  # fmt: skip
        if chain is None:
            return Draws(np.full((self.draws, len(self.quantities)), np.nan))
        found = (density.variables(x) for x in chain.draws)
        return Draws(np.array([self.vector(v, v["session_parameters"], data) for v in found]), chain.divergences)


class Planted(Simulated):
    """The same with group means that are known: the typical values, but one parameter planted at a value of choice.

    SDs between subjects and sessions are the medians of their priors, conditions have no effect; subjects and sessions
    are drawn. ``value`` is on the natural scale of the parameter.
    """

    def __init__(self, card, structure, draws, tune, seed, parameter: str, value: float):
        self.parameter, self.value = parameter, value
        super().__init__(card, structure, draws, tune, seed)
        self.place = self.card.names.index(parameter)

    def _generator(self, *names):
        return generator(self.seed, "planted", self.structure, self.model, self.parameter, f"{self.value:g}", *names)

    def truths(self, generator):
        """Subjects and sessions around the planted group mean, in the form of `pipeline.models.priors.draw`."""
        template, prior, count = self.template, scales(self.card), len(self.card.names)
        mean = np.array([p.typical for p in self.card.parameters])
        mean[self.place] = self.value
        mean = transformed(self.card, mean)
        s = template.structure
        sd, session = (HALF_NORMAL_MEDIAN * prior[name] for name in ("group_sd", "session_sd"))
        subject = mean + sd * generator.standard_normal((len(template.subjects), count))
        unit = subject[template.unit_subject]
        if template.nested:
            unit = unit + session * generator.standard_normal(unit.shape)
        groups = (len(s.groups), count)
        return {
            "group_mean": np.broadcast_to(mean, groups), "group_sd": np.broadcast_to(sd, groups), "session_sd": session,
            "condition_effect": np.zeros((len(s.contrasts), count)), "subject_parameters": subject, "unit": unit,
        }  # fmt: skip
