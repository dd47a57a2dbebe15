"""A Rescorla–Wagner learner whose learning rate depends on the volatility of the episode."""

import math

from pipeline.models.card import ModelCard, Parameter, Step
from pipeline.models.rescorla_wagner import BETA, VALUE

MIDDLE, SPREAD = 0.1, 0.2 / math.sqrt(12)  # mean and SD of ν ~ U[0, .2], the test distribution of the restless bandit
# All episodes of equal ν share one α: there is no effect of the single episode, as there is of a session. Where they
# differ for other reasons (their walks), the posterior of a1 is too narrow: an exact filter's maximum-likelihood a1 has
# an SD of .096 between independent sets of 100 episodes, against .062 from the curvature of the likelihood.
EPISODES = 100  # of each subject that a fit reads: five networks take up to two minutes (see the card)

INTERCEPT = Parameter(
    "a0", "a₀", "log odds of the learning rate at the middle volatility", (float("-inf"), float("inf")), "identity",
    mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="normal(0, 1.5) in log odds: nearly uniform on (0, 1) as a learning rate, as for a constant one",
    low=-2.0, typical=0.0, high=2.0,
)  # fmt: skip
SLOPE = Parameter(
    "a1", "a₁", "change of the learning rate's log odds per SD of volatility", (float("-inf"), float("inf")),
    "identity", mean=0.0, sd=1.0, group_sd=0.5, session_sd=0.25,
    reason="normal(0, 1): no dependence, or one of either sign; at 1 a learning rate of .5 at the middle volatility "
           "runs from .15 at none to .85 at the highest",
    low=-0.5, typical=0.5, high=1.5,
)  # fmt: skip


def volatility_rescorla_wagner(p, s, t) -> Step:
    """Rescorla–Wagner with logit α = a0 + a1 z, z = (ν − .1) / .0577: ν in SDs of its test distribution."""
    rate = 1 / (1 + t.exp(-(p.a0 + p.a1 * (t.volatility - MIDDLE) / SPREAD)))
    return Step(
        logits=[p.beta * q for q in s.Q],
        updates={"Q": [q + rate * c * (t.reward - q) for q, c in zip(s.Q, t.chosen)]},
        latents={"Q": s.Q, "prediction_error": t.reward - sum(c * q for c, q in zip(t.chosen, s.Q)), "alpha": rate},
    )


VOLATILITY_RESCORLA_WAGNER = ModelCard(
    name="volatility_rescorla_wagner",
    title="Volatility-dependent Rescorla–Wagner",
    citation="Rescorla & Wagner 1972; Behrens et al. 2007; Wang et al. 2017",
    equation=(
        r"Q_c \leftarrow Q_c + \alpha_e (r - Q_c),\quad \log \frac{\alpha_e}{1 - \alpha_e} = a_0 + a_1 z_e,\quad "
        r"z_e = (\nu_e - 0.1) / 0.0577,\quad Q_0 = 0.5,\quad P(k) \propto e^{\beta Q_k}"
    ),
    parameters=(INTERCEPT, SLOPE, BETA),
    states=(VALUE,),
    step=volatility_rescorla_wagner,
    columns=("choice", "reward", "volatility"),
    description=(
        "one learning rate per episode, constant within it, that depends on the episode's volatility ν through a slope "
        f"a₁ per SD of ν in the test distribution, ν ~ U[0, .2]; fitted to the first {EPISODES} episodes of each "
        "subject, exactly. All episodes of equal ν share one α (no effect of the single episode), so that the "
        "posterior of a₁ is too narrow where episodes differ for other reasons: between independent sets of 100 "
        "episodes an exact filter's maximum-likelihood a₁ has an SD of .096, against a standard error of .062 by the "
        "curvature of the likelihood. With fewer than 8 networks the SD between subjects rests on its prior"
    ),
    most_episodes=EPISODES,
)
