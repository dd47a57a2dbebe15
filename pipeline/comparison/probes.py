"""What a parameter does to behaviour: its value translated into the probability of a choice, by a small experiment.

A learner whose other parameters have the card's typical values makes one choice between two options, meets one outcome
(``probe`` of the parameter: paid, or, for a parameter that acts without reward, not paid), and chooses again; P is the
probability that it repeats its first choice. Covariates lie at their middle (z = 0). Both options offer the same amount
(1) where amounts are on offer; the outcome falls on the option chosen or, unpaid, on the other one. In a two-step task
the first choice leads to its common state, where the first option is taken.

Some parameters do next to nothing in that experiment, so that any two groups would seem equivalent. One whose range
(the card's low to high) moves P by less than `REACH` is shown in the first of these in which it moves P as far, or
else where it moves P most: the same at z = 1, one unit above the middle (slopes on a covariate); the same after a rare
transition (a planner gives credit to the option not chosen); the probability of repeating the choice at the second
stage, in the same state; the probability of returning to the first choice after the other one was made twice without
reward (what decays, or belongs to options not chosen). A parameter that does nothing in any has no probability, and is
compared on the scale of its link alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.models.card import ModelCard
from pipeline.models.likelihood import Learner
from pipeline.models.links import natural, transformed
from pipeline.models.symbolic import PER_OPTION

REACH = 0.1  # of P, from the low to the high end of a parameter: the width of the usual region of equivalence
SEEN = 1e-4  # below this a parameter does nothing


@dataclass(frozen=True)
class Probe:
    """One experiment: its name, what is said of it, and P of a learner for outcomes (draws,)."""

    name: str
    words: str
    run: Callable[[Learner, np.ndarray], np.ndarray]


def _columns(card: ModelCard, options: int, z: float, outcome: np.ndarray, chosen: int | None) -> dict:
    """Further columns of a trial on which ``chosen`` was taken; None before the choice."""
    blank, found = np.zeros_like(outcome), {}
    for column in card.extra:
        if column == "magnitude":
            found[column] = [blank + 1] * options
        elif column == "outcome":
            falls = [outcome if k == chosen else 1 - outcome for k in range(options)]
            found[column] = falls if chosen is not None else [blank] * options
        else:
            found[column] = [blank] * options if column in PER_OPTION else blank + z
    return found


def _learn(learner: Learner, outcome: np.ndarray, z: float, chosen: int = 0, rare: bool = False) -> None:
    card, choice = learner.card, np.full(len(outcome), float(chosen))
    extra = _columns(card, learner.options, z, outcome, chosen)
    if card.two_step:
        first = np.zeros_like(choice) if card.second_options else None
        extra |= {"state": 1 - choice if rare else choice, "second": first}
    learner.update(learner.step(choice, outcome, **extra))


def _repeat(learner: Learner, outcome: np.ndarray, z: float = 0.0, rare: bool = False) -> np.ndarray:
    _learn(learner, outcome, z, rare=rare)
    return learner.policy(**_columns(learner.card, learner.options, z, outcome, None))[:, 0]


def _second(learner: Learner, outcome: np.ndarray) -> np.ndarray:
    if not learner.card.second_options:
        return np.full(len(outcome), np.nan)
    _learn(learner, outcome, 0.0)
    first = np.zeros(len(outcome))
    return learner.second_policy(first, first, **_columns(learner.card, learner.options, 0.0, outcome, 0))[:, 0]


def _return(learner: Learner, outcome: np.ndarray) -> np.ndarray:
    _learn(learner, outcome, 0.0)
    for _ in range(2):
        _learn(learner, np.zeros_like(outcome), 0.0, chosen=1)
    return learner.policy(**_columns(learner.card, learner.options, 0.0, outcome, None))[:, 0]


PROBES = (
    Probe("repeat", "", _repeat),
    Probe("repeat at z = 1", "with the covariate one unit above its middle", lambda x, o: _repeat(x, o, 1.0)),
    Probe("repeat after a rare transition", "after a rare transition", lambda x, o: _repeat(x, o, rare=True)),
    Probe("repeat at the second stage", "of repeating the second-stage choice in the same state", _second),
    Probe("return", "of returning to the first choice after two others without reward", _return),
)


@lru_cache
def probe_of(card: ModelCard, index: int) -> Probe | None:
    """Give the experiment in which a parameter of a card is shown; None if it does nothing in any."""
    parameter = card.parameters[index]
    typical = np.array([p.typical for p in card.parameters])
    ends = np.stack([np.where(np.arange(len(typical)) == index, x, typical) for x in (parameter.low, parameter.high)])
    reach = []
    for probe in PROBES:
        low, high = _run(card, index, probe, transformed(card, ends))
        reach.append(0.0 if np.isnan(low + high) else abs(high - low))
    best = next((k for k, x in enumerate(reach) if x >= REACH), int(np.argmax(reach)))
    return PROBES[best] if reach[best] > SEEN else None


def _run(card: ModelCard, index: int, probe: Probe, eta: np.ndarray) -> np.ndarray:
    low, high = card.options_allowed
    if high < 2:
        return np.full(len(eta), np.nan)
    learner = Learner(card, natural(card, eta), max(low, 2), (len(eta),))
    return probe.run(learner, np.full(len(eta), float(card.parameters[index].probe)))


def choice_probability(card: ModelCard, index: int, values: np.ndarray) -> np.ndarray:
    """Probability of a choice as a function of one parameter (transformed scale, (draws,)); nan if it has none.

    Which choice, is said by `probe_of`: of repeating the first one, for nearly all. A two-step card must have been
    resolved (``card.for_second``).
    """
    probe = probe_of(card, index)
    if probe is None:
        return np.full(len(values), np.nan)
    eta = np.tile(transformed(card, np.array([p.typical for p in card.parameters])), (len(values), 1))
    eta[:, index] = values
    return _run(card, index, probe, eta)
