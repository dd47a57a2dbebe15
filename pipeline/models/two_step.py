"""Learners of two-step tasks: model-free, model-based, a mixture of both, and one that infers a latent state.

At the first stage option k commonly (with the known probability t.common) leads to state k, else to the other one; in
the state s reached an option a is chosen, or, in tasks without a choice there, the state itself pays. Every trial
teaches, forced choices as well as free ones; only free ones are scored.
"""

from dataclasses import replace

from pipeline.models.bayesian import FLOOR, HAZARD, RELIABILITY
from pipeline.models.card import ModelCard, Parameter, State, Step
from pipeline.models.rescorla_wagner import ALPHA, BETA, KAPPA, LAST

SCALE = (
    "Rewards enter as they are (a trial of Miranda's task pays 0, 1 or 2), so that β₁ and β₂ are per unit of reward. "
    "All values start at .5, the middle between 0 and 1: the first omission then teaches as much as the first reward, "
    "which matters in episodes of 10 trials (Kool et al. 2016 start at 0; over hundreds of trials it is forgotten)"
)
WITHOUT = "Where nothing is chosen at the second stage each state has one value, and β₂ is left out"

BETA_1 = replace(
    BETA, name="beta_1", symbol="β₁", meaning="inverse temperature of the first-stage choice",
    reason="log-normal around 2.7, 95 % from .4 to 19, per unit of reward: the planned values of the options differ by "
           "2 · common − 1 (.4 at 70 %) of what those of the states do, so that planners may need 10 and more",
    high=12.0,
)  # fmt: skip
BETA_2 = replace(
    BETA, name="beta_2", symbol="β₂", meaning="inverse temperature of the second-stage choice", high=10.0,
    second_stage=True,
)  # fmt: skip
TRACE = Parameter(
    "trace", "λ", "eligibility trace: share of the outcome's prediction error that reaches the first-stage choice",
    (0.0, 1.0), "logit", mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="logit-normal(0, 1.5) is nearly uniform on (0, 1): from values passed on by the state reached alone (0) to "
           "credit by the outcome alone (1); the data say little of it where choices are planned",
    low=0.1, typical=0.6, high=0.95,
)  # fmt: skip
WEIGHT = Parameter(
    "weight", "w", "weight of planned against model-free values in the first-stage choice", (0.0, 1.0), "logit",
    mean=0.0, sd=1.5, group_sd=1.0, session_sd=0.5,
    reason="logit-normal(0, 1.5) is nearly uniform on (0, 1), 95 % from .05 to .95: neither system is favoured",
    low=0.1, typical=0.5, high=0.9,
)  # fmt: skip
STICKINESS = replace(KAPPA, meaning="stickiness: log-odds added to repeating the last first-stage choice")
SECOND_ALPHA = replace(ALPHA, meaning="learning rate of the second-stage options", second_stage=True)

FIRST = State("Q1", 0.5)
SECOND = State("Q2", 0.5, per_second=True)
BELIEF = State("belief", 0.5)  # per option, for state k is the one that option k commonly leads to
LARGEST = State("largest", 1.0, per_option=False)

TD = r"Q_2(s, a) \leftarrow Q_2(s, a) + \alpha \delta_2,\quad \delta_2 = r - Q_2(s, a)"
SARSA = (
    r"Q_1(c) \leftarrow Q_1(c) + \alpha (\delta_1 + \lambda \delta_2),\quad \delta_1 = Q_2(s, a) - Q_1(c),\quad "
    rf"{TD},\quad Q_0 = 0.5"
)
PLANNED = r"Q_{\mathrm{MB}}(k)"
PLAN = rf"{PLANNED} = \sum_s P(s \mid k) \max_a Q_2(s, a)"
CHOICE = r"P(k) \propto e^{\beta_1 %s + \kappa\,[k = c_{t-1}]}"
SECOND_CHOICE = r"P(a) \propto e^{\beta_2 Q_2(s, a)}"


def _reached(s, t):
    """Value Q₂(s, a) of what was chosen at the second stage; of the state reached where nothing was."""
    return sum(visited * q for visited, q in zip(_visited(t), s.Q2))


def _visited(t) -> list:
    """List the indicators of all second-stage options, in the order of the state Q2."""
    return [here * chosen for here in t.state for chosen in t.second]


def _learned(rate, s, t) -> list:
    """Values of the second stage after Q₂(s, a) ← Q₂(s, a) + α (r − Q₂(s, a))."""
    return [q + rate * visited * (t.reward - q) for q, visited in zip(s.Q2, _visited(t))]


def _credited(p, s, t) -> list:
    """First-stage values after SARSA(λ): δ₁ + λ δ₂ = (1 − λ) Q₂(s, a) + λ r − Q₁(c)."""
    target = _reached(s, t) + p.trace * (t.reward - _reached(s, t))
    return [q + p.alpha * c * (target - q) for q, c in zip(s.Q1, t.chosen)]


def _lead(values, t) -> list:
    """Σ_s P(s | k) values(s) of each first-stage option k: the commonly reached state is the one of its own number."""
    return [t.common * values[k] + (1 - t.common) * values[1 - k] for k in range(2)]


def _planned(s, t) -> list:
    """Q_MB(k) of each first-stage option, with the best option of each second-stage state."""
    each = len(t.second)
    best = []
    for state in range(2):
        most, *others = s.Q2[each * state : each * (state + 1)]
        for q in others:
            most = t.where(q > most, q, most)
        best.append(most)
    return _lead(best, t)


def _chosen(p, s, t, values, updates, latents) -> Step:
    """Put a step together: both choices from the values of this trial, stickiness, what all models learn."""
    second = None
    if t.second_options:
        each = range(t.second_options)
        here = [sum(at * s.Q2[t.second_options * k + a] for k, at in enumerate(t.state)) for a in each]
        second = [p.beta_2 * q for q in here]
    return Step(
        logits=[p.beta_1 * q + p.kappa * last for q, last in zip(values, s.last)],
        second_logits=second,
        updates={"last": list(t.chosen), **updates},
        latents={"Q": values, **latents},
    )


def two_step_model_free(p, s, t) -> Step:
    """SARSA(λ): the state reached passes its value on, the outcome a share λ of its prediction error."""
    updates = {"Q1": _credited(p, s, t), "Q2": _learned(p.alpha, s, t)}
    return _chosen(p, s, t, s.Q1, updates, {"Q2": s.Q2, "prediction_error": t.reward - _reached(s, t)})


def two_step_model_based(p, s, t) -> Step:
    """Second-stage values by a delta rule; first-stage values planned with the known transitions."""
    latents = {"Q2": s.Q2, "prediction_error": t.reward - _reached(s, t)}
    return _chosen(p, s, t, _planned(s, t), {"Q2": _learned(p.alpha, s, t)}, latents)


def two_step_hybrid(p, s, t) -> Step:
    """First-stage values w Q_MB + (1 − w) Q_MF of both learners, which share α and the second-stage values."""
    planned = _planned(s, t)
    values = [p.weight * mb + (1 - p.weight) * mf for mb, mf in zip(planned, s.Q1)]
    updates = {"Q1": _credited(p, s, t), "Q2": _learned(p.alpha, s, t)}
    latents = {"Q_model_based": planned, "Q_model_free": s.Q1, "Q2": s.Q2}
    return _chosen(p, s, t, values, updates, latents | {"prediction_error": t.reward - _reached(s, t)})


def two_step_latent_state(p, s, t) -> Step:
    """Belief B_k that state k is the good one; option k is worth Σ_s P(s | k) B_s.

    With e = r / (largest reward so far, at least 1) the outcome in state s speaks for it with L = ρ e + (1 − ρ)(1 − e)
    and against it with 1 − L; then good and bad state change places with probability h. Both beliefs are carried, so
    that neither loses digits where the other is near 1.
    """
    largest = t.where(t.reward > s.largest, t.reward, s.largest)
    evidence = t.reward / largest
    speaks = p.reliability * evidence + (1 - p.reliability) * (1 - evidence)
    weight = [b * (here * speaks + (1 - here) * (1 - speaks)) for b, here in zip(s.belief, t.state)]
    total = weight[0] + weight[1] + 2 * FLOOR
    belief = [((1 - p.hazard) * weight[k] + p.hazard * weight[1 - k] + FLOOR) / total for k in range(2)]
    updates, latents = {"belief": belief, "largest": largest}, {"belief": s.belief}
    if t.second_options:
        updates["Q2"] = _learned(p.alpha, s, t)
        latents |= {"Q2": s.Q2, "prediction_error": t.reward - _reached(s, t)}
    else:
        updates["Q2"] = list(s.Q2)
    return _chosen(p, s, t, _lead(s.belief, t), updates, latents)


TWO_STEP_MODEL_FREE = ModelCard(
    name="two_step_model_free",
    title="Two-step, model-free SARSA(λ)",
    citation="Daw et al. 2011; Kool et al. 2016; Sutton & Barto 1998",
    equation=rf"{SARSA},\quad {CHOICE % 'Q_1(k)'},\quad {SECOND_CHOICE}",
    parameters=(ALPHA, TRACE, BETA_1, BETA_2, STICKINESS),
    states=(FIRST, SECOND, LAST),
    step=two_step_model_free,
    description=(
        "repeats what paid, whatever the transition: the first-stage choice is credited with the value of the state "
        f"reached and with a share λ of what the outcome adds to it. {SCALE}. {WITHOUT}"
    ),
    two_step=True,
    options_allowed=(2, 2),
)
TWO_STEP_MODEL_BASED = ModelCard(
    name="two_step_model_based",
    title="Two-step, model-based",
    citation="Daw et al. 2011; Kool et al. 2016",
    equation=rf"{TD},\quad Q_0 = 0.5,\quad {PLAN},\quad {CHOICE % PLANNED},\quad {SECOND_CHOICE}",
    parameters=(ALPHA, BETA_1, BETA_2, STICKINESS),
    states=(SECOND, LAST),
    step=two_step_model_based,
    description=(
        "learns what the second-stage options are worth and plans the first choice with the transition probabilities, "
        f"which it knows. {SCALE}. {WITHOUT}"
    ),
    two_step=True,
    options_allowed=(2, 2),
)
TWO_STEP_HYBRID = ModelCard(
    name="two_step_hybrid",
    title="Two-step, hybrid",
    citation="Daw et al. 2011; Kool et al. 2016",
    equation=(
        rf"{SARSA},\quad {PLAN},\quad Q(k) = w {PLANNED} + (1 - w) Q_1(k),\quad {CHOICE % 'Q(k)'},\quad "
        rf"{SECOND_CHOICE}"
    ),
    parameters=(ALPHA, TRACE, BETA_1, BETA_2, WEIGHT, STICKINESS),
    states=(FIRST, SECOND, LAST),
    step=two_step_hybrid,
    description=(
        "mixes planned and model-free values; w = 1 is the model-based learner, w = 0 the model-free one. One α for "
        f"both stages and both learners. {SCALE}. {WITHOUT}"
    ),
    two_step=True,
    options_allowed=(2, 2),
)
TWO_STEP_LATENT_STATE = ModelCard(
    name="two_step_latent_state",
    title="Two-step, latent state",
    citation="Akam, Costa & Dayan 2015",
    equation=(
        r"B_k \leftarrow (1 - h) B_k' + h (1 - B_k'),\quad B_s' = \frac{B_s L}{B_s L + (1 - B_s)(1 - L)},\quad "
        r"L = \rho e + (1 - \rho)(1 - e),\quad e = \frac{r}{r_{\max}},\quad B_0 = 0.5,\quad "
        rf"V(k) = \sum_s P(s \mid k) B_s,\quad {CHOICE % 'V(k)'},\quad {TD},\quad {SECOND_CHOICE}"
    ),
    parameters=(HAZARD, RELIABILITY, BETA_1, SECOND_ALPHA, BETA_2, STICKINESS),
    states=(BELIEF, LARGEST, SECOND, LAST),
    step=two_step_latent_state,
    description=(
        "believes that one of the two second-stage states is the good one, that it pays with probability ρ and the "
        "other with 1 − ρ, and that they change places with probability h between trials; B_s is the belief that state "
        "s, the one reached, is the good one, the other state's the rest to 1. The first choice follows the "
        "probability of reaching the good state. A graded reward is evidence e, its share of the largest met so far "
        "in the episode (at least 1): 0, ½ and 1 for the rewards 0, 1 and 2. Choices at the second stage do not follow "
        "the belief, which is about states: they are learned by a delta rule with α and β₂ (values start at .5), and "
        "both parameters are left out where nothing is chosen there. Rewards of 0 or more"
    ),
    two_step=True,
    options_allowed=(2, 2),
    reward_range=(0.0, float("inf")),
)
