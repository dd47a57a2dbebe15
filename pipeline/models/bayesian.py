"""Bayesian learners of structured arms (p₂ = 1 − p₁): what one option pays says what the other would have paid.

Both read an outcome as y, a win of option 0 or a loss of option 1; a reward between 0 and 1 counts as so much of a win.
"""

from pipeline.models.card import ModelCard, Parameter, State, Step
from pipeline.models.rescorla_wagner import BETA

FLOOR = 1e-100  # keeps 0 / 0 from occurring where hazard and reliability are rounded to 0 and 1; adds nothing elsewhere

HAZARD = Parameter(
    "hazard", "h", "probability of a reversal between two trials", (0.0, 1.0), "logit",
    mean=-3.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="logit-normal(−3, 1.5): around one reversal in 20 trials, 95 % from one in 400 to one in 2; at ½ the past "
           "says nothing of the present",
    low=0.01, typical=0.08, high=0.35,
)  # fmt: skip
RELIABILITY = Parameter(
    "reliability", "ρ", "probability that the good option pays and the bad one does not", (0.5, 1.0), "upper_half",
    mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="nearly uniform on (½, 1), around .75, 95 % from .52 to .98: from outcomes that say nothing to ones that "
           "never lie; below ½ good and bad would change names",
    low=0.55, typical=0.75, high=0.95,
)  # fmt: skip
LEAK = Parameter(
    "leak", "λ", "share of all counts lost per trial", (0.0, 1.0), "logit",
    mean=-2.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="logit-normal(−2, 1.5): around .12, a memory of 8 trials; 95 % from .7 % (140 trials) to .72 (the last one)",
    low=0.01, typical=0.12, high=0.6,
)  # fmt: skip

BELIEF = State("belief", 0.5, per_option=False)
WINS = State("wins", 0.0, per_option=False)
SEEN = State("seen", 0.0, per_option=False)


def _win(t):
    """Outcome as evidence for option 0: r if option 0 was chosen, 1 − r if not."""
    return t.chosen[0] * t.reward + (1 - t.chosen[0]) * (1 - t.reward)


def bayesian_reversal(p, s, t) -> Step:
    """Filter of P = P(option 0 is the good one); log odds of option 0: β (2P − 1).

    P' = P L₀ / (P L₀ + (1 − P) L₁), with L₀ = P(y | option 0 is good) = ρ if y = 1 and 1 − ρ if y = 0, L₁ = 1 − L₀;
    then a reversal: P ← (1 − h) P' + h (1 − P').
    """
    y = _win(t)
    likelihood = y * p.reliability + (1 - y) * (1 - p.reliability)
    good, bad = s.belief * likelihood, (1 - s.belief) * (1 - likelihood)
    return Step(
        logits=[p.beta * (2 * s.belief - 1), *[0 * s.belief] * (t.options - 1)],
        updates={"belief": ((1 - p.hazard) * good + p.hazard * bad + FLOOR) / (good + bad + 2 * FLOOR)},
        latents={"belief": s.belief},
    )


def pooled_count(p, s, t) -> Step:
    """Mean m = (1 + k) / (2 + n) of Beta(1 + k, 1 + n − k), k wins of n outcomes; log odds of option 0: β (2m − 1).

    The outcomes of both arms count for both: k ← (1 − λ)(k + y), n ← (1 − λ)(n + 1).
    """
    return Step(
        logits=[p.beta * (2 * s.wins - s.seen) / (2 + s.seen), *[0 * s.wins] * (t.options - 1)],
        updates={"wins": (1 - p.leak) * (s.wins + _win(t)), "seen": (1 - p.leak) * (s.seen + 1)},
        latents={"mean": (1 + s.wins) / (2 + s.seen), "seen": s.seen},
    )


BAYESIAN_REVERSAL = ModelCard(
    name="bayesian_reversal",
    title="Bayesian reversal learner",
    citation="Hampton et al. 2006; Costa et al. 2015",
    equation=(
        r"P \leftarrow (1 - h) P' + h (1 - P'),\quad P' = \frac{P L}{P L + (1 - P)(1 - L)},\quad "
        r"L = \rho \text{ if } y = 1 \text{ else } 1 - \rho,\quad y = r \text{ if } c = 0 \text{ else } 1 - r,\quad "
        r"P_0 = 0.5,\quad \log \frac{P(c = 0)}{P(c = 1)} = \beta (2P - 1)"
    ),
    parameters=(HAZARD, RELIABILITY, BETA),
    states=(BELIEF,),
    step=bayesian_reversal,
    description=(
        "knows that one of two options is the good one, that it pays with probability ρ and the other with 1 − ρ, and "
        "that the two change places with probability h between trials; P is its belief that option 0 is the good one. "
        "Exactly two options and rewards of 0 and 1 (between them, so much of a win); not for independent arms, nor "
        "for reward probabilities that drift"
    ),
    options_allowed=(2, 2),
    reward_range=(0.0, 1.0),
)
POOLED_COUNT = ModelCard(
    name="pooled_count",
    title="Pooled-count Bayesian",
    citation="Yu & Cohen 2009; Meyniel et al. 2016",
    equation=(
        r"k \leftarrow (1 - \lambda)(k + y),\quad n \leftarrow (1 - \lambda)(n + 1),\quad "
        r"y = r \text{ if } c = 0 \text{ else } 1 - r,\quad m = \frac{1 + k}{2 + n},\quad k_0 = n_0 = 0,\quad "
        r"\log \frac{P(c = 0)}{P(c = 1)} = \beta (2m - 1)"
    ),
    parameters=(LEAK, BETA),
    states=(WINS, SEEN),
    step=pooled_count,
    description=(
        "estimates the probability m that option 0 pays by the mean of Beta(1 + k, 1 + n − k), the outcomes of both "
        "arms pooled, since p₂ = 1 − p₁; both counts leak, so that older outcomes count less. Without leak it is exact "
        "for arms that stay as they are. Exactly two options and rewards from 0 to 1; not for independent arms"
    ),
    options_allowed=(2, 2),
    reward_range=(0.0, 1.0),
)
