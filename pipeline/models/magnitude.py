"""Learners of where the outcome falls, who also see what each option offers (Behrens et al. 2007, Gagne et al. 2020).

On every trial the outcome falls on one of two options, and each option displays an amount: what is received (or
suffered) if it is chosen and the outcome falls on it. The learner believes in a probability q_k that the outcome falls
on option k and weighs it against the amount.

Amounts reach the step as the trial table has them, which readers state in units of the largest amount offered
in the task, so that |m_k| ≤ 1 and β and λ mean the same everywhere; losses are negative, and no amount is 0.
"""

from dataclasses import replace

from pipeline.models.card import ModelCard, Parameter, State, Step
from pipeline.models.covariates import with_covariate
from pipeline.models.rescorla_wagner import ALPHA, BETA

BETA_MIXED = replace(
    BETA, meaning="log-odds of an option that is sure and offers the most, against one that is neither",
    mean=1.5, group_sd=1.0,
    reason="log-normal around 4.5, 95 % from .6 to 32: from near-random choice to hardly ever the worse option; "
           "half-normal(1) between subjects, as people range from guessing to certainty",
    low=0.5, typical=5.0, high=15.0,
)  # fmt: skip
LAMBDA = Parameter(
    "weight", "λ", "weight of the believed probability against the amount on offer", (0.0, 1.0), "logit",
    mean=0.0, sd=1.5, group_sd=1.5, session_sd=0.5,
    reason="logit-normal(0, 1.5): nearly uniform on (0, 1), from choice by amount alone to choice by belief alone; "
           "half-normal(1.5) between subjects, as single people may go by one of the two alone",
    low=0.1, typical=0.6, high=0.95,
)  # fmt: skip

BELIEF = State("q", 0.5)


def landed(t) -> list:
    """Whether the outcome fell on each option: r / m_c for the option chosen, 1 minus that for the other.

    From the reward, because where only the option chosen shows what it pays nothing else is known; where both do, the
    two are complementary in these tasks.
    """
    offered = sum(c * m for c, m in zip(t.chosen, t.magnitude))
    paid = t.reward / t.where(offered * offered > 0, offered, 1)  # nothing is offered where nothing is chosen yet
    return [c * paid + (1 - c) * (1 - paid) for c in t.chosen]


def magnitude_rescorla_wagner(p, s, t) -> Step:
    """q_k ← q_k + α (o_k − q_k); P(k) ∝ exp(β (λ s q_k + (1 − λ) m_k)), s the sign of the amounts."""
    outcome = landed(t)
    sign = [t.where(m < 0, -1, 1) for m in t.magnitude]
    return Step(
        logits=[p.beta * (p.weight * z * q + (1 - p.weight) * m) for z, q, m in zip(sign, s.q, t.magnitude)],
        updates={"q": [q + p.alpha * (o - q) for q, o in zip(s.q, outcome)]},
        latents={"q": s.q, "prediction_error": sum(c * (o - q) for c, o, q in zip(t.chosen, outcome, s.q))},
    )


MAGNITUDE_RESCORLA_WAGNER = ModelCard(
    name="magnitude_rescorla_wagner",
    title="Rescorla–Wagner + amounts on offer",
    citation="Behrens et al. 2007; Gagne et al. 2020",
    equation=(
        r"q_k \leftarrow q_k + \alpha (o_k - q_k),\quad o_c = r / m_c,\quad o_{\neg c} = 1 - o_c,\quad q_0 = 0.5,\quad "
        r"P(k) \propto e^{\beta (\lambda s q_k + (1 - \lambda) m_k)},\quad s = \operatorname{sign} m"
    ),
    parameters=(ALPHA, BETA_MIXED, LAMBDA),
    states=(BELIEF,),
    step=magnitude_rescorla_wagner,
    columns=("choice", "reward", "magnitude"),
    description=(
        "two options, on one of which the outcome falls (complementary by assumption where only the chosen one shows "
        "what it pays); the believed probability q and the amount m on offer, in units of the largest, add up to what "
        "decides, λ to 1 − λ; where amounts are losses (s = −1) the option less likely to be hit is preferred. Belief "
        "and amount are added rather than multiplied because that is how people chose: by maximum likelihood, run by "
        "run, −40,443 against −43,128 for P(k) ∝ exp(β qₖ mₖ) (Gagne et al. 2020, 465 runs, 83,320 choices, one "
        "parameter more per run), and better in each of the four conditions"
    ),
    options_allowed=(2, 2),
)
VOLATILITY_MAGNITUDE_RESCORLA_WAGNER = with_covariate(
    MAGNITUDE_RESCORLA_WAGNER,
    "alpha",
    "volatility",
    names=("a0", "a1"),
    symbols=("a₀", "a₁"),
    intercept={
        "meaning": "log odds of the learning rate midway between stable and volatile",
        "reason": "normal(0, 1.5) in log odds: nearly uniform on (0, 1) as a learning rate, as for a constant one",
        "low": -2.0,
        "typical": -1.0,
        "high": 1.0,
    },
    slope={
        "meaning": "change of the learning rate's log odds from stable to volatile blocks",
        "reason": "normal(0, 1): no dependence, or one of either sign; at 1 a learning rate of .38 in stable blocks is "
        "one of .62 in volatile ones; half-normal(1) between subjects, in whom it may be of either sign",
        "group_sd": 1.0,
        "low": -1.0,
        "typical": 0.5,
        "high": 1.5,
    },
    title="Volatility-dependent Rescorla–Wagner + amounts on offer",
    citation="Behrens et al. 2007; Browning et al. 2015; Gagne et al. 2020",
    equation=(
        r"q_k \leftarrow q_k + \alpha_t (o_k - q_k),\quad \log \frac{\alpha_t}{1 - \alpha_t} = a_0 + a_1 z_t,\quad "
        r"o_c = r / m_c,\quad o_{\neg c} = 1 - o_c,\quad q_0 = 0.5,\quad "
        r"P(k) \propto e^{\beta (\lambda s q_k + (1 - \lambda) m_k)},\quad s = \operatorname{sign} m"
    ),
    description=(
        "the model with amounts on offer, with a learning rate that depends on the volatility of the block: z is −½ in "
        "stable and ½ in volatile blocks, so that a₁ is volatile − stable; beliefs are carried across blocks. "
        "The sign of a₁ is left to the data: by maximum likelihood, run by run, the mean difference of the learning "
        "rates of Gagne et al.'s people is within two standard errors of 0 in each of the four conditions, and depends "
        "on details of the model"
    ),
)
