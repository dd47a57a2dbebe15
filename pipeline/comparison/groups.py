"""Differences between groups: the same model fitted to two sources, and the posterior of what sets them apart.

Every source is fitted with a group mean and a group SD of its own (groups with fewer than 8 subjects cannot lend each
other an SD), so that the hierarchies of two sources share no parameter: their joint posterior is the product of the
two, and differences of independent draws are exactly the draws of a joint model with a group level. No refit is
needed.

The region of practical equivalence is stated on the scale of a choice probability. A parameter's value is translated
into P(repeat the choice) after one trial of an episode, chosen option paid (or, for a parameter with ``probe = 0``,
not paid), in a learner with two options whose other parameters have the card's typical values: what the parameter
alone does to behaviour.
"""

import numpy as np
import pandas as pd

from pipeline.models.card import ModelCard
from pipeline.models.diagnose import PARETO_K, flat, hdi, smooth
from pipeline.models.likelihood import Learner
from pipeline.models.links import natural, transformed

COLUMNS = ("model", "parameter", "group_a", "group_b", "scale", "prior", "mean", "low", "high", "rope_low", "rope_high",
           "p_rope", "p_direction", "n_a", "n_b", "pareto_k", "note")  # fmt: skip
PRIORS = {"as stated": 1.0, "SDs halved": 0.5, "SDs doubled": 2.0}
FEW = 8


def choice_probability(card: ModelCard, index: int, values: np.ndarray) -> np.ndarray:
    """Probability of repeating the first choice, as a function of one parameter (transformed scale, (draws,)).

    The learner makes one choice between two options, receives ``probe`` of that parameter, and chooses again; its
    other parameters have the card's typical values.
    """
    typical = transformed(card, np.array([p.typical for p in card.parameters]))
    eta = np.tile(typical, (len(values), 1))
    eta[:, index] = values
    learner = Learner(card, natural(card, eta), 2, (len(values),))
    extra = {name: np.zeros(len(values)) for name in card.extra}
    outcome = np.full(len(values), card.parameters[index].probe)
    learner.update(learner.step(np.zeros(len(values)), outcome, **extra))
    return learner.policy(**extra)[:, 0]


def compare(
    card: ModelCard, fits, pairs, generator: np.random.Generator, rope: float = 0.05, draws: int = 4000
) -> pd.DataFrame:
    """Posterior of every group difference a − b, with its sensitivity to the priors.

    Parameters
    ----------
    card : ModelCard
        The model, fitted to every source.
    fits : mapping of source → InferenceData
    pairs : sequence of (source, source)
    generator : numpy Generator
        Pairs the draws of the two independent posteriors.
    rope : float
        Half-width of the region of practical equivalence, a difference of choice probabilities.
    draws : int
        Draws of each difference.

    Returns
    -------
    DataFrame
        Per pair, parameter, scale (``link``, ``choice probability``) and prior: mean and 94 % HDI of the difference of
        group means, mass inside the region (choice probability only), probability of the more probable direction.
        Priors with SDs halved and doubled (of the group mean and of the half-normal group SD of that parameter) are
        importance-weighted; ``pareto_k`` above .7 means that the weighting cannot be trusted and the model must be
        fitted anew.
    """
    rows = []
    for a, b in pairs:
        if not all(_usable(fits.get(s)) for s in (a, b)):
            continue
        count = [fits[s].posterior.sizes["subject"] for s in (a, b)]
        for i, parameter in enumerate(card.parameters):
            for prior, factor in PRIORS.items():
                taken = [_draw(card, fits[s], i, factor, generator, draws) for s in (a, b)]
                k = max(t[1] for t in taken)
                note = _note(count, k if factor != 1 else -np.inf)
                scales = {"link": [t[0] for t in taken]}
                scales["choice probability"] = [choice_probability(card, i, t[0]) for t in taken]
                for scale, (x, y) in scales.items():
                    inside = (-rope, rope) if scale == "choice probability" else (np.nan, np.nan)
                    rows.append((card.name, parameter.name, a, b, scale, prior, *_describe(x - y, inside), *count,
                                 k if factor != 1 else np.nan, note))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _usable(fit) -> bool:
    return fit is not None and "subject_parameters" in fit.posterior


def _describe(difference: np.ndarray, inside: tuple[float, float]) -> tuple:
    low, high = hdi(difference)
    share = np.nan if np.isnan(inside[0]) else float(((difference > inside[0]) & (difference < inside[1])).mean())
    positive = float((difference > 0).mean())
    return float(difference.mean()), low, high, *inside, share, max(positive, 1 - positive)


def _draw(card: ModelCard, fit, index: int, factor: float, generator: np.random.Generator, draws: int):
    """Draws of a group mean under priors whose SDs are multiplied by ``factor``, and Pareto k of the weights."""
    parameter = card.parameters[index]
    mean, spread = flat(fit, "group_mean"), flat(fit, "group_sd")
    lone = mean is None  # one subject: its own parameter, under the prior of a group mean
    values = flat(fit, "subject_parameters")[:, 0, index] if lone else mean[:, index]
    log_weights = _ratio(values - parameter.mean, parameter.sd, factor)
    if not lone:
        log_weights = log_weights + _ratio(spread[:, index], parameter.group_sd, factor)
    smoothed, k = (np.full(len(values), -np.log(len(values))), -np.inf) if factor == 1 else smooth(log_weights)
    weights = np.exp(smoothed - np.max(smoothed))
    return values[generator.choice(len(values), draws, p=weights / weights.sum())], float(k)


def _ratio(deviation: np.ndarray, scale: float, factor: float) -> np.ndarray:
    """Log ratio of the (half-)normal density of SD factor × scale to that of SD scale, up to a constant."""
    return -0.5 * (deviation / scale) ** 2 * (factor**-2.0 - 1)


def _note(count: list[int], k: float) -> str:
    notes = []
    if min(count) == 1:
        notes.append("a group of one subject: its own parameter stands for the group mean")
    if min(count) < FEW:
        notes.append(
            "fewer than 8 subjects: the group SD rests on its prior; "
            "the difference describes these subjects, not a population"
        )
    if k > PARETO_K:
        notes.append("Pareto k above .7: importance weighting unreliable for this prior")
    return "; ".join(notes)
