"""Which model is taken for which: data sets simulated from every model, each fitted by all of them (EM–Laplace)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from pipeline.models.card import ModelCard
from pipeline.models.data import pack
from pipeline.models.evidence import evidence
from pipeline.models.laplace import em
from pipeline.models.links import transformed
from pipeline.models.priors import scales
from pipeline.models.simulated import Simulated
from pipeline.models.structures import TrialStructure
from pipeline.seeds import generator

CONFUSION = ("structure", "simulated", "fitted", "share", "n")


class Typical(Simulated):
    """A model on a structure with group means from its prior, but between the card's ``low`` and ``high``.

    Within these limits a model does what it is meant to: an inverse temperature near 0, say, makes every model the same
    coin. The rest (SDs, subjects, sessions, effects of conditions) is from the prior.
    """

    def _generator(self, *names):
        return generator(self.seed, "confusion", self.structure, self.model, *names)

    def truths(self, generator):
        """Draw from the prior, the group means between low and high; see `pipeline.models.priors.draw`."""
        found, prior, s = super().truths(generator), scales(self.card), self.template.structure
        ends = (
            transformed(self.card, np.array([getattr(p, side) for p in self.card.parameters]))
            for side in ("low", "high")
        )
        low, high = (norm.cdf((end - prior["mean"]) / prior["sd"]) for end in ends)
        shape = found["group_mean"].shape
        mean = prior["mean"] + prior["sd"] * norm.ppf(low + (high - low) * generator.random(shape))
        moved = (mean - found["group_mean"])[s.subject_group]
        found["subject_parameters"] = found["subject_parameters"] + moved
        found["unit"] = found["unit"] + moved[self.template.unit_subject]
        return found | {"group_mean": mean, "session_parameters": found["unit"]}


def confusion(
    cards: Sequence[ModelCard], structure: TrialStructure, per_model: int, seed: int, progress=None
) -> pd.DataFrame:  # fmt: skip
    """Simulate from every model, fit all of them, choose by approximate log marginal likelihood.

    Fits and marginal likelihoods are EM–Laplace approximations (`pipeline.models.laplace`, `pipeline.models.evidence`):
    good for hundreds of data sets, not for a comparison that is reported.

    Parameters
    ----------
    cards : sequence of ModelCard
    structure : TrialStructure
    per_model : int
        Data sets simulated from each model; parameters as in `Typical`.
    seed : int
    progress : callable, optional
        Told the number of data sets done.

    Returns
    -------
    DataFrame
        `CONFUSION`: of the ``n`` data sets simulated from one model, the share for which each model was chosen.

    Raises
    ------
    UserError
        If a model does not suit the structure.
    """
    problems = [Typical(card, structure, 0, 0, seed) for card in cards]
    rows, done = [], 0
    for problem in problems:
        chosen = np.zeros(len(problems), int)
        for table in problem.tables(per_model):
            found = []
            for other in problems:
                trials = pack(table, other.card)
                found.append(evidence(other.card, trials, em(other.card, trials))["log_evidence"])
            chosen[int(np.argmax(found))] += 1
            done += 1
            if progress is not None:
                progress(done)
        rows += [
            (structure.name, problem.model, other.model, count / per_model, per_model)
            for other, count in zip(problems, chosen)
        ]
    return pd.DataFrame(rows, columns=CONFUSION)
