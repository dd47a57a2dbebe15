"""Learning rates that the learner sets itself: by surprise (Pearce–Hall) or by uncertainty (Kalman filter)."""

from dataclasses import replace

from pipeline.models.card import ModelCard, Parameter, State, Step
from pipeline.models.rescorla_wagner import ALPHA, BETA, VALUE, _error

FIRST_VARIANCE = 1.0  # P₀: at trial 1 as uncertain of a mean as one outcome leaves one (σ_obs = 1)

KAPPA_ASSOCIABILITY = replace(
    ALPHA, name="kappa", symbol="κ", meaning="learning rate at an associability of 1, its highest", typical=0.6
)
ETA = replace(
    ALPHA, name="eta", symbol="η", meaning="share of the last |δ| in the associability", low=0.05, typical=0.3, high=0.8
)
SIGMA_DRIFT = Parameter(
    "sigma_drift", "σ", "SD of the steps of a mean per trial, in units of the SD of outcomes", (0.0, float("inf")),
    "log", mean=-1.0, sd=1.0, group_sd=0.5, session_sd=0.25,
    reason="log-normal around .37, 95 % from .05 to 2.6: in the long run gains g from .05 to .88 (σ² = g² / (1 − g)), "
           "the span of a constant learning rate",
    low=0.1, typical=0.4, high=1.5,
)  # fmt: skip

ASSOCIABILITY = State("associability", 1.0, per_option=False)
VARIANCE = State("variance", FIRST_VARIANCE)


def pearce_hall(p, s, t) -> Step:
    """Q_c ← Q_c + κ α_t δ, δ = r − Q_c; α_{t+1} = (1 − η) α_t + η |δ|, one α for all options; α_1 = 1."""
    error = _error(s, t)
    size = t.where(error > 0, error, -error)
    rate = p.kappa * s.associability
    return Step(
        logits=[p.beta * q for q in s.Q],
        updates={
            "Q": [q + rate * c * (t.reward - q) for q, c in zip(s.Q, t.chosen)],
            "associability": s.associability + p.eta * (size - s.associability),
        },
        latents={"Q": s.Q, "prediction_error": error, "associability": s.associability, "alpha": rate},
    )


def kalman(p, s, t) -> Step:
    """Kalman filter of means that walk: m_c ← m_c + g_c (r − m_c), g = (v + σ²) / (v + σ² + 1).

    All variances grow by σ² on every trial; that of the chosen option then shrinks to (1 − g)(v + σ²) = g.
    """
    predicted = [v + p.sigma_drift * p.sigma_drift for v in s.variance]
    gain = [v / (v + 1) for v in predicted]
    return Step(
        logits=[p.beta * q for q in s.Q],
        updates={
            "Q": [q + g * c * (t.reward - q) for q, g, c in zip(s.Q, gain, t.chosen)],
            "variance": [c * g + (1 - c) * v for v, g, c in zip(predicted, gain, t.chosen)],
        },
        latents={"Q": s.Q, "prediction_error": _error(s, t), "variance": s.variance, "gain": gain},
    )


PEARCE_HALL = ModelCard(
    name="pearce_hall",
    title="Pearce–Hall",
    citation="Pearce & Hall 1980; Li et al. 2011",
    equation=(
        r"Q_c \leftarrow Q_c + \kappa \alpha_t \delta_t,\quad \delta_t = r_t - Q_c,\quad "
        r"\alpha_{t+1} = (1 - \eta) \alpha_t + \eta \lvert \delta_t \rvert,\quad \alpha_1 = 1,\quad Q_0 = 0.5,\quad "
        r"P(k) \propto e^{\beta Q_k}"
    ),
    parameters=(KAPPA_ASSOCIABILITY, ETA, BETA),
    states=(VALUE, ASSOCIABILITY),
    step=pearce_hall,
    description=(
        "learns fast while it is surprised: the learning rate κα follows a running average of |δ|, one for all options "
        "that starts at its highest, 1. Any number of options; rewards from 0 to 1, beyond which |δ| and with it the "
        "learning rate could exceed 1"
    ),
    reward_range=(0.0, 1.0),
)
KALMAN = ModelCard(
    name="kalman",
    title="Kalman filter",
    citation="Kalman 1960; Daw et al. 2006; Piray & Daw 2020",
    equation=(
        r"g_k = \frac{v_k + \sigma^2}{v_k + \sigma^2 + 1},\quad m_c \leftarrow m_c + g_c (r - m_c),\quad "
        r"v_c \leftarrow (1 - g_c)(v_c + \sigma^2),\quad v_k \leftarrow v_k + \sigma^2 \text{ for } k \neq c,\quad "
        r"m_k = 0.5,\; v_k = 1 \text{ at first},\quad P(k) \propto e^{\beta m_k}"
    ),
    parameters=(SIGMA_DRIFT, BETA),
    states=(VALUE, VARIANCE),
    step=kalman,
    description=(
        "tracks the mean m of every option and its uncertainty v, and learns the faster the less it knows: gains fall "
        "as an option is sampled and rise while it is not. The SD of outcomes is set to 1 and v to 1 before the first "
        "trial, because choices identify only ratios: σ is relative to the SD of outcomes. Any number of options, any "
        "rewards (their scale is taken up by β)"
    ),
)
