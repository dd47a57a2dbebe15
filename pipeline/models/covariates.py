"""Covariates on parameters: from any model, one whose parameter follows a column of the trial table."""

import math
import sys
from dataclasses import replace
from types import SimpleNamespace

from pipeline.errors import UserError
from pipeline.models.card import ModelCard, Parameter, Step

EVERYWHERE = (float("-inf"), float("inf"))
# Link → the scale on which the covariate acts: in words, in LaTeX, and as a function of one number. (The registry of
# models is read by every job: `pipeline.models.links`, for arrays, would load scipy there.)
SCALES = {
    "logit": ("log odds of the", r"\log \frac{%(p)s}{1 - %(p)s}", lambda v: math.log(v / (1 - v))),
    "log": ("logarithm of the", r"\log %(p)s", math.log),
    "identity": ("", "%(p)s", float),
    "upper_half": (
        "log odds, between ½ and 1, of the",
        r"\log \frac{%(p)s - 0.5}{1 - %(p)s}",
        lambda v: math.log((v - 0.5) / (1 - v)),
    ),
}


def inverse(link: str, x, t):
    """Natural value at x on the scale of the link, in the functions of a step."""
    if link == "log":
        return t.exp(x)
    if link == "identity":
        return x
    share = 1 / (1 + t.exp(-x))
    return share if link == "logit" else 0.5 + 0.5 * share


def with_covariate(
    card: ModelCard, parameter: str, column: str, name: str | None = None, *, names=None, symbols=None,
    intercept=None, slope=None, module: str | None = None, **facts,
) -> ModelCard:  # fmt: skip
    """Let a parameter of a model follow a covariate.

    The parameter p, of link g, becomes g⁻¹(p_0 + p_1 z_t), where z_t is the column as it reaches every step:
    standardised (`pipeline.models.data.standardised`), per SD or, of a label with two values, ±½. Intercept and slope
    take the place of p among the parameters: both have links of their own (identity) and vary over subjects, and over
    sessions, like any parameter. Applied again, to another parameter, a further covariate joins.

    Parameters
    ----------
    card : ModelCard
        The model without the covariate.
    parameter : str
        Which of its parameters follows the covariate.
    column : str
        Column of the trial table, one value per trial.
    name : str, optional
        Name of the new model; ``<column>_<name of the card>`` unless given.
    names, symbols : pair of str, optional
        Of intercept and slope; ``<parameter>_0``, ``<parameter>_1`` and the parameter's symbol with ₀, ₁ unless given.
    intercept, slope : mapping, optional
        Facts of the two `Parameter` entries to be other than derived: the intercept has the prior of p on the scale of
        its link, the slope a normal(0, 1).
    module : str, optional
        Module that declares the new card, over which fingerprints of its results are taken; the caller's unless given.
    **facts
        Further fields of the new card (title, citation, equation, description, most_episodes …).

    Returns
    -------
    ModelCard
        Its latents hold the value of the parameter on every trial, under the parameter's name.

    Raises
    ------
    UserError
        If the card has no such parameter, if the column is its choice or reward, or if a name is taken.
    """
    if parameter not in card.names:
        raise UserError(
            f"model {card.name!r} has no parameter {parameter!r} for a covariate; it has {', '.join(card.names)}"
        )
    if column in ("choice", "reward"):
        raise UserError(f"model {card.name!r}: {column!r} is what the model explains or learns from, not a covariate")
    place = card.names.index(parameter)
    base = card.parameters[place]
    first, second = names or (f"{parameter}_0", f"{parameter}_1")
    others = {*card.names} - {parameter}
    if len({first, second} | others) < len(others) + 2:
        raise UserError(
            f"model {card.name!r}: intercept {first!r} and slope {second!r} need names of their own; give names=(…, …)"
        )
    signs = symbols or (f"{base.symbol}₀", f"{base.symbol}₁")

    def step(p, s, t) -> Step:
        if not hasattr(p, first):  # a parameter of the second stage, where nothing is chosen there
            return card.step(p, s, t)
        value = inverse(base.link, getattr(p, first) + getattr(p, second) * getattr(t, column), t)
        done = card.step(SimpleNamespace(**{**vars(p), parameter: value}), s, t)
        return replace(done, latents={**done.latents, parameter: value})

    step.__name__ = name or f"{column}_{card.name}"
    step.__doc__ = f"{card.title} whose {parameter} follows {column}."
    step.__module__ = module or sys._getframe(1).f_globals["__name__"]  # as namedtuple does
    new = [
        replace(_intercept(base, column), name=first, symbol=signs[0], **(intercept or {})),
        replace(_slope(base, column), name=second, symbol=signs[1], **(slope or {})),
    ]
    told = {
        "title": f"{card.title}, {base.symbol} by {column}",
        "equation": rf"{card.equation},\quad {_equation(base, signs)}",
        "description": f"{card.description}; {base.symbol} follows {column} through a slope {signs[1]} per unit of the "
        f"standardised covariate z, and is {signs[0]} on the scale of its link where z = 0",
    }
    return replace(
        card,
        name=step.__name__,
        parameters=(*card.parameters[:place], *new, *card.parameters[place + 1 :]),
        step=step,
        columns=tuple(dict.fromkeys((*card.columns, column))),
        **(told | facts),
    )


def _intercept(base: Parameter, column: str) -> Parameter:
    low, typical, high = (SCALES[base.link][2](v) for v in (base.low, base.typical, base.high))
    return replace(
        base, meaning=f"{SCALES[base.link][0]} {base.meaning} at the middle {column}".strip(), bounds=EVERYWHERE,
        link="identity", reason=f"as without a covariate: {base.reason}", low=low, typical=typical, high=high,
    )  # fmt: skip


def _slope(base: Parameter, column: str) -> Parameter:
    scale = " ".join((SCALES[base.link][0], base.meaning)).strip()
    return replace(
        base, meaning=f"change of the {scale.removeprefix('the ')} per unit of standardised {column}",
        bounds=EVERYWHERE, link="identity", mean=0.0, sd=1.0, group_sd=0.5, session_sd=0.25,
        reason="normal(0, 1): no dependence, or one of either sign; a slope of 2 takes a rate of .5 to .88 "
               "within one SD, and a positive parameter to sevenfold",
        low=-0.5, typical=0.5, high=1.5,
    )  # fmt: skip


def _equation(base: Parameter, signs: tuple[str, str]) -> str:
    scale = SCALES[base.link][1] % {"p": rf"\mathrm{{{base.symbol}}}"}
    return rf"{scale} = \mathrm{{{signs[0]}}} + \mathrm{{{signs[1]}}} z"
