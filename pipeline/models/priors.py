"""Priors of the hierarchy, as arrays over the parameters of a card."""

import numpy as np

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials


def scales(card: ModelCard) -> dict[str, np.ndarray]:
    """Means and SDs of all priors, each (parameters,), on the scale of the links.

    ``mean`` and ``sd`` of a group's mean; ``group_sd`` and ``session_sd`` the scales of the half-normal priors of the
    SDs between subjects and between the sessions of a subject; ``condition_sd`` the SD of the normal prior around 0 of
    the effect of a condition: the card's ``group_sd``, so that a condition is expected to move a parameter about as far
    as one subject lies from the mean of its group, in the parameter's own unit.
    """
    found = {name: np.array([getattr(p, name) for p in card.parameters], float)
             for name in ("mean", "sd", "group_sd", "session_sd")}  # fmt: skip
    return found | {"condition_sd": found["group_sd"]}


def has_groups(trials: Trials) -> bool:
    """Whether there is a level of groups: not for a lone subject, which has the prior of a group's mean itself."""
    return len(trials.subjects) > 1


def draw(card: ModelCard, trials: Trials, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the parameters of every level from the prior, for the subjects and sessions of packed trials.

    Returns
    -------
    dict of arrays
        Named and shaped as the variables of `pipeline.models.hierarchy.build`; ``unit`` (units, parameters) what the
        likelihood is evaluated at.
    """
    prior, s, size = scales(card), trials.structure, len(card.parameters)
    found: dict[str, np.ndarray] = {}
    normal = generator.standard_normal
    subjects, mean, spread = len(trials.subjects), prior["mean"], prior["sd"]
    if has_groups(trials):
        shape = (len(s.groups), size)
        found["group_mean"] = prior["mean"] + prior["sd"] * normal(shape)
        found["group_sd"] = np.abs(prior["group_sd"] * normal(shape))
        mean, spread = found["group_mean"][s.subject_group], found["group_sd"][s.subject_group]
    found["subject_parameters"] = mean + spread * normal((subjects, size))
    unit = found["subject_parameters"][trials.unit_subject]
    if s.contrasts:
        found["condition_effect"] = prior["condition_sd"] * normal((len(s.contrasts), size))
        unit = unit + s.design @ found["condition_effect"]
    if trials.nested:
        found["session_sd"] = np.abs(prior["session_sd"] * normal(size))
        unit = unit + found["session_sd"] * normal(unit.shape)
    if trials.nested or s.contrasts:
        found["session_parameters"] = unit
    return found | {"unit": unit}
