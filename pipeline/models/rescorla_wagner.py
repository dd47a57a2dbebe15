"""Rescorla–Wagner learners: values learned from prediction errors, choices by softmax."""

from pipeline.models.card import ModelCard, Parameter, State, Step

RESCORLA = "Rescorla & Wagner 1972; Sutton & Barto 1998"


def _rate(name: str, symbol: str, meaning: str, probe: float = 1.0) -> Parameter:
    return Parameter(
        name, symbol, meaning, (0.0, 1.0), "logit", mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
        reason="logit-normal(0, 1.5) is nearly uniform on (0, 1), 95 % from .05 to .95; half-normal(1) between "
               "subjects lets a group span slow to fast learners, half-normal(.5) between an animal's days less",
        low=0.05, typical=0.4, high=0.9, probe=probe,
    )  # fmt: skip


ALPHA = _rate("alpha", "α", "learning rate")
ALPHA_GAIN = _rate("alpha_gain", "α⁺", "learning rate after a positive prediction error")
ALPHA_LOSS = _rate("alpha_loss", "α⁻", "learning rate after a negative prediction error", probe=0.0)
BETA = Parameter(
    "beta", "β", "inverse temperature of the softmax", (0.0, float("inf")), "log", mean=1.0, sd=1.0, group_sd=0.5,
    session_sd=0.5,
    reason="log-normal around 2.7, 95 % from .4 to 19: from near-random to near-deterministic choice for rewards of 0 "
           "and 1; keeps the fit of a deterministic learner finite",
    low=0.5, typical=3.0, high=15.0,
)  # fmt: skip
KAPPA = Parameter(
    "kappa", "κ", "stickiness: log-odds added to repeating the last choice", (float("-inf"), float("inf")), "identity",
    mean=0.0, sd=1.5, group_sd=0.5, session_sd=0.5,
    reason="normal(0, 1.5): no preference for repetition or alternation; ±3 log-odds would override most values",
    low=-1.0, typical=0.5, high=2.0,
)  # fmt: skip

VALUE = State("Q", 0.5)
LAST = State("last", 0.0)  # all zeros on trial 1: nothing to repeat


def _error(s, t):
    """Prediction error δ = r − Q of the option chosen."""
    return t.reward - sum(c * q for c, q in zip(t.chosen, s.Q))


def rescorla_wagner(p, s, t) -> Step:
    """Q_c ← Q_c + α (r − Q_c) for the chosen option c; P(k) ∝ exp(β Q_k)."""
    return Step(
        logits=[p.beta * q for q in s.Q],
        updates={"Q": [q + p.alpha * c * (t.reward - q) for q, c in zip(s.Q, t.chosen)]},
        latents={"Q": s.Q, "prediction_error": _error(s, t)},
    )


def rescorla_wagner_sticky(p, s, t) -> Step:
    """Rescorla–Wagner with P(k) ∝ exp(β Q_k + κ [k was chosen last])."""
    return Step(
        logits=[p.beta * q + p.kappa * last for q, last in zip(s.Q, s.last)],
        updates={"Q": [q + p.alpha * c * (t.reward - q) for q, c in zip(s.Q, t.chosen)], "last": list(t.chosen)},
        latents={"Q": s.Q, "prediction_error": _error(s, t)},
    )


def asymmetric_sticky(p, s, t) -> Step:
    """Sticky Rescorla–Wagner with learning rate α⁺ where r > Q_c and α⁻ where r ≤ Q_c."""
    rate = t.where(_error(s, t) > 0, p.alpha_gain, p.alpha_loss)
    return Step(
        logits=[p.beta * q + p.kappa * last for q, last in zip(s.Q, s.last)],
        updates={"Q": [q + rate * c * (t.reward - q) for q, c in zip(s.Q, t.chosen)], "last": list(t.chosen)},
        latents={"Q": s.Q, "prediction_error": _error(s, t)},
    )


RESCORLA_WAGNER = ModelCard(
    name="rescorla_wagner",
    title="Rescorla–Wagner",
    citation=RESCORLA,
    equation=r"Q_c \leftarrow Q_c + \alpha (r - Q_c),\quad Q_0 = 0.5,\quad P(k) \propto e^{\beta Q_k}",
    parameters=(ALPHA, BETA),
    states=(VALUE,),
    step=rescorla_wagner,
    description="one learning rate; values of options not chosen stay as they are",
)
RESCORLA_WAGNER_STICKY = ModelCard(
    name="rescorla_wagner_sticky",
    title="Rescorla–Wagner + stickiness",
    citation=f"{RESCORLA}; Lau & Glimcher 2005",
    equation=r"Q_c \leftarrow Q_c + \alpha (r - Q_c),\quad P(k) \propto e^{\beta Q_k + \kappa\,[k = c_{t-1}]}",
    parameters=(ALPHA, BETA, KAPPA),
    states=(VALUE, LAST),
    step=rescorla_wagner_sticky,
    description="adds a tendency to repeat the last choice whatever it brought; none on the first trial",
)
ASYMMETRIC_STICKY = ModelCard(
    name="asymmetric_sticky",
    title="Asymmetric Rescorla–Wagner + stickiness",
    citation="Niv et al. 2012; Costa et al. 2016",
    equation=(
        r"Q_c \leftarrow Q_c + \alpha^{\pm} (r - Q_c),\quad \alpha^+ \text{ if } r > Q_c \text{ else } \alpha^-,\quad "
        r"P(k) \propto e^{\beta Q_k + \kappa\,[k = c_{t-1}]}"
    ),
    parameters=(ALPHA_GAIN, ALPHA_LOSS, BETA, KAPPA),
    states=(VALUE, LAST),
    step=asymmetric_sticky,
    description="learns at different rates from outcomes better and worse than expected",
)
