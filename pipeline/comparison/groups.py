"""Differences between groups: of two sources, of one source, and between the conditions of a group.

Every group is fitted with a mean and an SD of its own (groups with fewer than 8 subjects cannot lend each other an SD),
so that the hierarchies of two sources share no parameter: their joint posterior is the product of the two, and
differences of independent draws are exactly the draws of a joint model with a group level. No refit is needed. Groups
of one source come from one posterior, and are compared draw by draw, as are conditions, whose effects the model
estimates within subjects.

The region of practical equivalence is stated on the scale of a choice probability, into which a parameter's value is
translated by a small experiment (`pipeline.comparison.probes`): what the parameter alone does to behaviour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd

from pipeline.comparison.probes import choice_probability, probe_of
from pipeline.models.card import ModelCard
from pipeline.models.diagnose import PARETO_K, flat, hdi, smooth
from pipeline.models.structure import ALL

COLUMNS = ("model", "parameter", "group_a", "group_b", "scale", "prior", "mean", "low", "high", "rope_low", "rope_high",
           "p_rope", "p_direction", "n_a", "n_b", "pareto_k", "note", "kind", "source_a", "source_b")  # fmt: skip
PRIORS = {"as stated": 1.0, "SDs halved": 0.5, "SDs doubled": 2.0}
KINDS = ("sources", "groups", "conditions")
FEW = 8


@dataclass(frozen=True)
class Group:
    """One group of one source, in the posterior of its fit; a lone subject's own parameters stand for a group mean."""

    source: str
    name: str
    index: int
    card: ModelCard
    fit: object
    alone: bool  # the only group of its source

    @property
    def label(self) -> str:
        """Name of the source, with that of the group where the source has several."""
        return self.source if self.alone else f"{self.source}: {self.name}"

    @property
    def lone(self) -> bool:
        """Whether there is no level of groups, for want of a second subject."""
        return "group_mean" not in self.fit.posterior

    @property
    def count(self) -> int:
        """Number of subjects."""
        posterior = self.fit.posterior
        if "subject_group" in posterior.coords:
            return int((posterior["subject_group"] == self.name).sum())
        return int(posterior.sizes["subject"])

    def mean(self, parameter: str) -> np.ndarray:
        """Draws of the group's mean of one parameter, on the scale of its link."""
        i = self.card.names.index(parameter)
        name, row = ("subject_parameters", 0) if self.lone else ("group_mean", self.index)
        return flat(self.fit, name)[:, row, i]

    def log_ratio(self, parameter: str, factor: float) -> np.ndarray:
        """Log ratio of the prior with SDs multiplied by ``factor`` to the prior as stated, of every draw."""
        p = self.card.parameters[self.card.names.index(parameter)]
        found = _ratio(self.mean(parameter) - p.mean, p.sd, factor)
        if self.lone:
            return found
        spread = flat(self.fit, "group_sd")[:, self.index, self.card.names.index(parameter)]
        return found + _ratio(spread, p.group_sd, factor)


def compare(
    card: ModelCard, fits: Mapping, pairs: Sequence, generator: np.random.Generator, rope: float = 0.05,
    draws: int = 4000,
) -> pd.DataFrame:  # fmt: skip
    """Posterior of every difference a − b between groups of two sources, with its sensitivity to the priors.

    Parameters
    ----------
    card : ModelCard
        The model, fitted to every source.
    fits : mapping of source → InferenceData
    pairs : sequence of (source, source)
        Every group of the one is compared with every group of the other.
    generator : numpy Generator
        Pairs the draws of the two independent posteriors.
    rope : float
        Half-width of the region of practical equivalence, a difference of choice probabilities.
    draws : int
        Draws of each difference.

    Returns
    -------
    DataFrame
        Per pair, parameter that both fits have, scale (``link``, ``choice probability``) and prior: mean and 94 % HDI
        of the difference of group means, mass inside the region (choice probability only), probability of the more
        probable direction. ``group_a`` and ``group_b`` are the sources, with ``: group`` where a source has several;
        ``kind`` says what is compared (`KINDS`). Priors with SDs halved and doubled (of the group mean and of the
        half-normal group SD of that parameter) are importance-weighted; ``pareto_k`` above .7 means that the weighting
        cannot be trusted and the model must be fitted anew.
    """
    rows = []
    for a, b in pairs:
        for one, other in product(groups_of(card, a, fits.get(a)), groups_of(card, b, fits.get(b))):
            rows += _pair(one, other, generator, rope, draws)
    return pd.DataFrame(rows, columns=COLUMNS)


def within(
    card: ModelCard, fits: Mapping, sources: Sequence[str], generator: np.random.Generator, rope: float = 0.05,
    draws: int = 4000,
) -> pd.DataFrame:  # fmt: skip
    """Differences between the groups of one source, and between the conditions of each group; see `compare`.

    A condition's effect is the posterior of its contrast, on the scale of the link; as a choice probability, that of a
    subject at the group's mean in one condition less that in the other. Its other priors are those of the effect.
    """
    rows = []
    for source in sources:
        groups = groups_of(card, source, fits.get(source))
        for one, other in combinations(groups, 2):
            rows += _pair(one, other, generator, rope, draws)
        for group in groups:
            rows += _conditions(group, generator, rope, draws)
    return pd.DataFrame(rows, columns=COLUMNS)


def groups_of(card: ModelCard, source: str, fit) -> list[Group]:
    """List the groups of a fit; none where it was not run."""
    if fit is None or "subject_parameters" not in fit.posterior:
        return []
    own = card_of(card, fit)
    names = [str(x) for x in fit.posterior["group"].to_numpy()] if "group" in fit.posterior.coords else [ALL]
    return [Group(source, name, i, own, fit, len(names) == 1) for i, name in enumerate(names)]


def card_of(card: ModelCard, fit) -> ModelCard:
    """Card with the parameters that were fitted: a two-step card as its task needed it.

    Raises
    ------
    ValueError
        If the draws are of other parameters than the card's.
    """
    names = tuple(str(x) for x in fit.posterior["parameter"].to_numpy())
    for own in (card.for_second(2), card.for_second(0)) if card.two_step else (card,):
        if own.names == names:
            return own
    raise ValueError(f"these draws are of {', '.join(names)}, not of model {card.name!r} ({', '.join(card.names)})")


def _pair(a: Group, b: Group, generator, rope: float, draws: int) -> list[tuple]:
    """Rows of one difference."""
    rows, kind = [], "groups" if a.source == b.source else "sources"
    for name in (n for n in a.card.names if n in b.card.names):
        for prior, factor in PRIORS.items():
            if kind == "groups":  # one posterior: the same draws of both
                log_weights = a.log_ratio(name, factor) + b.log_ratio(name, factor)
                chosen, k = _resample(log_weights, factor, generator, draws)
                taken = [a.mean(name)[chosen], b.mean(name)[chosen]]
            else:
                picked = [_resample(x.log_ratio(name, factor), factor, generator, draws) for x in (a, b)]
                taken, k = [x.mean(name)[at] for x, (at, _) in zip((a, b), picked)], max(k for _, k in picked)
            sizes = (a.count, b.count)
            note = _note(sizes, k, a.alone and b.alone)
            rows += _rows(name, (a, b), (a.label, b.label), sizes, prior, factor, taken, k, note, kind, rope)
    return rows


def _conditions(group: Group, generator, rope: float, draws: int) -> list[tuple]:
    """Rows of the effects of conditions within one group."""
    effects = flat(group.fit, "condition_effect")
    if effects is None:
        return []
    contrasts = [str(x) for x in group.fit.posterior["contrast"].to_numpy()]
    named = [c for c in contrasts if c.startswith(f"{group.name}: ")]
    own = named or (contrasts if group.alone else [])
    rows = []
    for contrast in own:
        level, reference = contrast.removeprefix(f"{group.name}: ").rsplit(" − ", 1)
        labels = tuple(f"{group.label}: {x}" for x in (level, reference))
        for i, parameter in enumerate(group.card.parameters):
            effect = effects[:, contrasts.index(contrast), i]
            others = sum(effects[:, contrasts.index(c), i] for c in own)
            base = group.mean(parameter.name) - others / (len(own) + 1)  # a group's mean lies midway
            for prior, factor in PRIORS.items():
                chosen, k = _resample(_ratio(effect, parameter.group_sd, factor), factor, generator, draws)
                taken = [(base + effect)[chosen], base[chosen]]
                size = (group.count, group.count)
                note = _note(size, k, group.alone)
                rows += _rows(parameter.name, (group, group), labels, size, prior, factor, taken, k, note,
                              "conditions", rope)  # fmt: skip
    return rows


def _rows(name, groups, labels, sizes, prior, factor, taken, k, note, kind, rope) -> list[tuple]:
    """Rows of one difference under one prior: on the scale of the link, and as a choice probability."""
    a, b = groups
    index = [x.card.names.index(name) for x in groups]
    probe = probe_of(a.card, index[0])
    shown = [choice_probability(x.card, i, values) for x, i, values in zip(groups, index, taken)]
    said = probe.words and f"probability {probe.words}" if probe else "no choice probability: see Methods"
    rows = []
    for scale, (x, y), more in (("link", taken, ""), ("choice probability", shown, said)):
        inside = (-rope, rope) if scale == "choice probability" else (np.nan, np.nan)
        words = "; ".join(filter(None, (note, more)))
        rows.append((a.card.name, name, *labels, scale, prior, *_describe(x - y, inside), *sizes,
                     k if factor != 1 else np.nan, words, kind, a.source, b.source))  # fmt: skip
    return rows


def _describe(difference: np.ndarray, inside: tuple[float, float]) -> tuple:
    if np.isnan(difference).any():
        return (np.nan,) * 7
    low, high = hdi(difference)
    share = np.nan if np.isnan(inside[0]) else float(((difference > inside[0]) & (difference < inside[1])).mean())
    positive = float((difference > 0).mean())
    return float(difference.mean()), low, high, *inside, share, max(positive, 1 - positive)


def _resample(log_weights: np.ndarray, factor: float, generator: np.random.Generator, draws: int):
    """Positions of draws under other priors, and Pareto k of the weights."""
    if factor == 1:
        return generator.choice(len(log_weights), draws), -np.inf
    smoothed, k = smooth(log_weights)
    weights = np.exp(smoothed - np.max(smoothed))
    return generator.choice(len(log_weights), draws, p=weights / weights.sum()), float(k)


def _ratio(deviation: np.ndarray, scale: float, factor: float) -> np.ndarray:
    """Log ratio of the (half-)normal density of SD factor × scale to that of SD scale, up to a constant."""
    return -0.5 * (deviation / scale) ** 2 * (factor**-2.0 - 1)


def _note(count: tuple[int, int], k: float, alone: bool) -> str:
    notes = []
    if min(count) == 1:
        stands = ": its own parameter stands for the group mean" if alone else ""
        notes.append(f"a group of one subject{stands}")
    if min(count) < FEW:
        notes.append(
            "fewer than 8 subjects: the group SD rests on its prior; "
            "the difference describes these subjects, not a population"
        )
    if k > PARETO_K:
        notes.append("Pareto k above .7: importance weighting unreliable for this prior")
    return "; ".join(notes)
