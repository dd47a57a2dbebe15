"""What becomes of values not chosen: they are updated by what they would have paid, or forgotten."""

from dataclasses import replace

from pipeline.models.card import ModelCard, Parameter, Step
from pipeline.models.rescorla_wagner import ALPHA, BETA, RESCORLA, VALUE, _error

ALPHA_FICTIVE = replace(
    ALPHA, name="alpha_fictive", symbol="α_f", meaning="learning rate of the option not chosen, from 1 − r"
)
PHI = Parameter(
    "phi", "φ", "decay of the values of options not chosen", (0.0, 1.0), "logit",
    mean=-1.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="logit-normal(−1, 1.5): 95 % from .02 to .87, slow forgetting likelier than fast",
    low=0.05, typical=0.25, high=0.8,
)  # fmt: skip


def fictive(p, s, t) -> Step:
    """Q_c ← Q_c + α (r − Q_c) for the chosen option, Q_k ← Q_k + α_f (1 − r − Q_k) for the other."""
    return Step(
        logits=[p.beta * q for q in s.Q],
        updates={
            "Q": [
                q + c * p.alpha * (t.reward - q) + (1 - c) * p.alpha_fictive * (1 - t.reward - q)
                for q, c in zip(s.Q, t.chosen)
            ]
        },
        latents={"Q": s.Q, "prediction_error": _error(s, t)},
    )


def forgetting(p, s, t) -> Step:
    """Q_c ← Q_c + α (r − Q_c) for the chosen option, Q_k ← (1 − φ) Q_k for the others; P(k) ∝ exp(β Q_k)."""
    return Step(
        logits=[p.beta * q for q in s.Q],
        updates={"Q": [q + c * p.alpha * (t.reward - q) - (1 - c) * p.phi * q for q, c in zip(s.Q, t.chosen)]},
        latents={"Q": s.Q, "prediction_error": _error(s, t)},
    )


FICTIVE = ModelCard(
    name="fictive",
    title="Rescorla–Wagner + fictive update",
    citation=f"{RESCORLA}; Lohrenz et al. 2007; Gläscher et al. 2009",
    equation=(
        r"Q_c \leftarrow Q_c + \alpha (r - Q_c),\quad Q_u \leftarrow Q_u + \alpha_f ((1 - r) - Q_u),\quad Q_0 = 0.5,"
        r"\quad P(k) \propto e^{\beta Q_k}"
    ),
    parameters=(ALPHA, ALPHA_FICTIVE, BETA),
    states=(VALUE,),
    step=fictive,
    description=(
        "the option not chosen (u) learns from 1 − r, what it would have paid if exactly one of two options pays: for "
        "structured arms (p₂ = 1 − p₁). Two options and rewards from 0 to 1; where arms are independent α_f should be "
        "near 0, and with more than two options 1 − r says nothing of any single one"
    ),
    options_allowed=(2, 2),
    reward_range=(0.0, 1.0),
)
FORGETTING = ModelCard(
    name="forgetting",
    title="Rescorla–Wagner + forgetting",
    citation=f"{RESCORLA}; Barraclough et al. 2004; Ito & Doya 2009",
    equation=(
        r"Q_c \leftarrow Q_c + \alpha (r - Q_c),\quad Q_k \leftarrow (1 - \phi) Q_k \text{ for } k \neq c,\quad "
        r"Q_0 = 0.5,\quad P(k) \propto e^{\beta Q_k}"
    ),
    parameters=(ALPHA, PHI, BETA),
    states=(VALUE,),
    step=forgetting,
    description=(
        "values of options not chosen decay to 0, the value of no reward. Any number of options; where rewards are "
        "mostly losses, decay makes options not chosen more attractive, not less"
    ),
)
