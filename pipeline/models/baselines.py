"""Baselines without learned values: a biased coin, and win-stay, lose-shift."""

import math

from pipeline.models.card import ModelCard, Parameter, State, Step
from pipeline.models.rescorla_wagner import LAST

FLOOR = 1e-200  # stands for a probability that is rounded to 0, so that its logarithm is finite

BIAS = Parameter(
    "bias", "b", "log odds of option 0 against each other option", (float("-inf"), float("inf")), "identity",
    mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="normal(0, 1.5): no preference, or one of either sign; at ±3 one of two options is chosen on 95 % of trials",
    low=-1.5, typical=0.3, high=1.5,
)  # fmt: skip


def _repetition(name: str, symbol: str, meaning: str, low: float, typical: float, high: float, probe: float):
    return Parameter(
        name, symbol, meaning, (0.0, 1.0), "logit", mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
        reason="logit-normal(0, 1.5) is nearly uniform on (0, 1), 95 % from .05 to .95: repetition and alternation are "
               "equally likely beforehand; half-normal(1) between subjects, half-normal(.5) between a subject's days",
        low=low, typical=typical, high=high, probe=probe,
    )  # fmt: skip


WIN_STAY = _repetition("win_stay", "w", "probability of repeating a rewarded choice", 0.5, 0.85, 0.97, 1.0)
LOSE_SHIFT = _repetition("lose_shift", "ℓ", "probability of leaving an unrewarded choice", 0.1, 0.4, 0.9, 0.0)
WON = State("won", 0.0, per_option=False)


def biased_coin(p, s, t) -> Step:
    """P(k) ∝ exp(b [k = 0]): whatever happened before."""
    nothing = 0 * t.chosen[0]  # of the shape of a trial, which the parameter alone need not have
    return Step(logits=[p.bias + nothing, *[nothing] * (t.options - 1)], updates={})


def win_stay_lose_shift(p, s, t) -> Step:
    """P(repeat) = w after a reward above 0 and 1 − ℓ otherwise; the other options share the rest; uniform on trial 1.

    With K options the log odds of the last choice against each other one are log P(repeat) − log [P(shift) / (K − 1)].
    """

    def log_odds(x):
        return t.log(t.where(x > 0, x, FLOOR)) - t.log(t.where(x < 1, 1 - x, FLOOR))

    share = math.log(t.options - 1) if t.options > 1 else 0.0
    odds = s.won * log_odds(p.win_stay) - (1 - s.won) * log_odds(p.lose_shift) + share
    return Step(
        logits=[last * odds for last in s.last],
        updates={"last": list(t.chosen), "won": t.where(t.reward > 0, 1.0, 0.0)},
    )


BIASED_COIN = ModelCard(
    name="biased_coin",
    title="Biased coin",
    citation="Wilson & Collins 2019",
    equation=r"P(k) \propto e^{b\,[k = 0]}",
    parameters=(BIAS,),
    states=(),
    step=biased_coin,
    description=(
        "the same choice probabilities on every trial, whatever was chosen and received: what a model of learning must "
        "beat. Any number of options (those other than option 0 are equally likely) and any rewards, which it ignores"
    ),
)
WIN_STAY_LOSE_SHIFT = ModelCard(
    name="win_stay_lose_shift",
    title="Win-stay, lose-shift",
    citation="Nowak & Sigmund 1993; Worthy et al. 2013",
    equation=(
        r"P(c_t = c_{t-1}) = w \text{ if } r_{t-1} > 0 \text{ else } 1 - \ell,\quad "
        r"P(k) = \frac{1 - P(c_{t-1})}{K - 1} \text{ for } k \neq c_{t-1},\quad P(k) = \frac{1}{K} \text{ on trial } 1"
    ),
    parameters=(WIN_STAY, LOSE_SHIFT),
    states=(LAST, WON),
    step=win_stay_lose_shift,
    description=(
        "remembers the last trial alone: its choice, and whether it paid. Any number of options; a shift goes to each "
        "other one alike. A reward above 0 is a win, whatever its size, so that it does not fit tasks that only take "
        "(every outcome is then a loss)"
    ),
)
