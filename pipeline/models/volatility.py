"""A Rescorla–Wagner learner whose learning rate depends on the volatility of the block."""

from pipeline.models.covariates import with_covariate
from pipeline.models.rescorla_wagner import RESCORLA_WAGNER

# All episodes of equal ν share one α: there is no effect of the single episode, as there is of a session. Where they
# differ for other reasons (their walks), the posterior of a1 is too narrow: an exact filter's maximum-likelihood a1 has
# an SD of .096 between independent sets of 100 episodes, against .062 from the curvature of the likelihood.
EPISODES = 100  # of each subject that a fit reads: five networks take up to two minutes (see the card)

VOLATILITY_RESCORLA_WAGNER = with_covariate(
    RESCORLA_WAGNER,
    "alpha",
    "volatility",
    names=("a0", "a1"),
    symbols=("a₀", "a₁"),
    intercept={
        "meaning": "log odds of the learning rate at the middle volatility",
        "reason": "normal(0, 1.5) in log odds: nearly uniform on (0, 1) as a learning rate, as for a constant one",
        "low": -2.0,
        "typical": 0.0,
        "high": 2.0,
    },
    slope={
        "meaning": "change of the learning rate's log odds per SD of volatility, or from stable to volatile",
        "reason": "normal(0, 1): no dependence, or one of either sign; at 1 a learning rate of .5 at the middle "
        "volatility runs from .15 at none to .85 at the highest",
    },
    title="Volatility-dependent Rescorla–Wagner",
    citation="Rescorla & Wagner 1972; Behrens et al. 2007; Wang et al. 2017",
    equation=(
        r"Q_c \leftarrow Q_c + \alpha_t (r - Q_c),\quad \log \frac{\alpha_t}{1 - \alpha_t} = a_0 + a_1 z_t,\quad "
        r"Q_0 = 0.5,\quad P(k) \propto e^{\beta Q_k}"
    ),
    description=(
        "a learning rate that depends on the volatility ν through a slope a₁, constant while ν is; values are carried "
        "on where ν changes within an episode. z is ν per SD of its test distribution where that is known (restless "
        "bandit, ν ~ U[0, .2]: z = (ν − 0.1) / 0.0577), and ±½ for blocks labelled stable or volatile, so that a₁ is "
        f"then volatile − stable. Fitted to the first {EPISODES} episodes of each subject, exactly. All episodes of "
        "equal ν share one α (no effect of the single episode), so that the posterior of a₁ is too narrow where "
        "episodes differ for other reasons: between independent sets of 100 episodes an exact filter's "
        "maximum-likelihood a₁ has an SD of .096, against a standard error of .062 by the curvature of the likelihood. "
        "With fewer than 8 networks the SD between subjects rests on its prior"
    ),
    most_episodes=EPISODES,
)
