"""Methods paragraphs of training: the loss, every setting beside what Wang et al. 2017 print, and the selection."""

from collections.abc import Callable

from pipeline.agents import AGENTS
from pipeline.plan import Plan
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, equation, rows, text
from pipeline.report.style import listed
from pipeline.tasks import TASKS
from pipeline.training import Training

WANG = "Wang et al. 2017, arXiv:1611.05763"
LOSS = r"L = \langle -\log \pi(a_t)\, A_t + \beta_v \tfrac{1}{2} (R_t - V_t)^2 - \beta_e H(\pi_t) \rangle"
LOSS_NORMALISED = LOSS.replace("A_t +", r"\hat{A}_t +")
ADVANTAGE = (
    r"\delta_t = r_t + \gamma V_{t+1} - V_t, \quad A_t = \delta_t + \gamma \lambda A_{t+1}, \quad "
    r"R_t = A_t + V_t, \quad V_{T+1} = 0"
)
NORMALISED = r"\hat{A}_t = (A_t - \langle A \rangle) / (s_A + 10^{-6})"
R = "reconstruction (R)"
OPTIMISERS = {
    "rmsprop": "RMSProp: v ← .99 v + .01 g², θ ← θ − η g / √(v + ε); ε = 1e-8, inside the root",
    "adam": "Adam: β = (.9, .999), ε = 1e-8, outside the root",
}


def _span(value: tuple[float, float], scale: str) -> str:
    low, high = value
    return f"{low:g}" if low == high else f"{low:g} to {high:g}, {scale}"


def _differs(printed: float) -> Callable[[object], bool]:
    return lambda value: value != printed


# Field of `Training` → (name, how its value reads, what Wang et al. 2017 print, whether a value departs from that).
FIELDS: dict[str, tuple[str, Callable, str, Callable[[object], bool] | None]] = {
    "settings": ("Hyperparameter settings per core and task, one network each", str, "100", _differs(100)),
    "training_episodes": ("Training episodes per network", "{:,}".format, "20,000 (experiment 1)", _differs(20_000)),
    "episodes_per_update": ("Episodes per update", str, "1", _differs(1)),
    "learning_rate": ("Learning rate η", lambda v: _span(v, "log-uniform"), f"tuned; range {R}", None),
    "discount": ("Discount γ", lambda v: _span(v, "1 − γ log-uniform"), f"tuned; range {R}", None),
    "entropy_cost": ("Entropy cost β_e (per nat)", lambda v: _span(v, "log-uniform"),
                     f".05 in the table, “sampled” in the text; range {R}", lambda v: v != (0.05, 0.05)),
    "value_cost": ("Value cost β_v, of ½ (R − V)²", "{:g}".format, ".05", _differs(0.05)),
    "trace": ("λ of the generalised advantage", lambda v: f"{v:g}" + (" (full return)" if v == 1 else ""),
              "n-step return of A2C/A3C", _differs(1.0)),
    "normalise_advantage": ("Advantages centred and divided by their SD, per network and update",
                            lambda v: "yes" if v else "no", "not mentioned", bool),
    "optimiser": ("Optimiser", OPTIMISERS.__getitem__, R, None),
    "clip": ("Largest gradient norm, per network", lambda v: f"{v:g}" if v else "no clipping", R, None),
    "learning_rate_schedule": ("Learning rate over training",
                               lambda v: {"linear": "linear decay to 0 at the last update"}.get(v, v), R, None),
    "entropy_schedule": ("Entropy cost over training",
                         lambda v: {"linear": "linear decay to 0 at the last update"}.get(v, v), R, None),
    "time_input": ("Time input", lambda v: "t / T" if v == "fraction" else "t", f"t; its scaling {R}", None),
    "stop_at_chance": ("Networks still at chance after a third of the training",
                       lambda v: "stopped" if v else "trained to the end", R, None),
}  # fmt: skip
INITIAL = (
    "recurrent weights orthogonal (per gate); low rank: m = n = √N Q, Q with orthonormal columns, so that the non-zero "
    "eigenvalues are 1; input weights normal, variance 1 / inputs; biases 0, LSTM forget bias 1; policy weights .01 × "
    "orthonormal; value weights 0"
)


def effective(results: StudyResults) -> dict[str, list[Training]]:
    """Collect the settings of the networks of a study as trained, by the display name of the core."""
    plan, found = Plan(results.config), {}
    for s in results.sources:
        if s.kind == "network":
            label = results.label(s.name)
            found.setdefault(label, []).append(Training.from_mapping(plan.training(s.name)))
    return found


def _value(found: dict[str, list[Training]], name: str, show: Callable) -> str:
    """Value of a setting; where cores or tasks differ, every core's."""
    by_core = {core: list(dict.fromkeys(show(getattr(t, name)) for t in own)) for core, own in found.items()}
    if len({tuple(values) for values in by_core.values()}) == 1:
        return " | ".join(next(iter(by_core.values())))
    return "; ".join(f"{core}: {' | '.join(values)}" for core, values in by_core.items())


def settings_rows(results: StudyResults) -> list[tuple[str, str, str, str]]:
    """Every setting: name, value at this scale, what Wang et al. 2017 print, whether ours departs from it."""
    found, scale = effective(results), results.config["scales"][results.config["scale"]]
    every = [t for own in found.values() for t in own]
    table = []
    for name, (title, show, printed, departs) in FIELDS.items():
        remark = "differs" if departs and any(departs(getattr(t, name)) for t in every) else ""
        table.append((title, _value(found, name, show), printed, remark))
    cores = dict.fromkeys(s.agent for s in results.sources if s.kind == "network")
    units = sorted({AGENTS[c].settings["units"] for c in cores})
    trials = sorted({TASKS[t].trials for t in results.plan.tasks if t in TASKS})
    tests, whole = scale["test_episodes"], trials == [100]
    timed = any("time" in TASKS[t].inputs for t in results.plan.tasks if t in TASKS)
    if not timed:
        table = [
            (t, "not an input of this task", *rest) if t == "Time input" else (t, v, *rest) for t, v, *rest in table
        ]
    return [
        ("Units", listed(map(str, units)), "48 (LSTM)", "" if units == [48] else "differs"),
        (
            "Trials unrolled",
            f"{listed(map(str, trials))} (the whole episode)",
            "100",
            "" if whole else "task of other length",
        ),
        (
            "Inputs before the first choice",
            "action zeros, reward 0",
            f"inputs last action, last reward, t; first values {R}",
            "",
        ),
        ("Initial weights", INITIAL, R, ""),
        *table,
        ("Test episodes", f"{tests:,}", "300", "" if tests == 300 else "differs"),
    ]


def training(results: StudyResults) -> Paragraph:
    """Loss, and every hyperparameter."""
    found = effective(results)
    if not found:
        return Paragraph("Training", text("No network is trained in this study."))
    normalised = any(t.normalise_advantage for own in found.values() for t in own)
    html = text(
        "Synchronous advantage actor–critic with full backpropagation through each episode. Each network of a core and "
        "task has its own weights, seed, learning rate, discount and entropy cost, drawn at random. The loss "
        "is averaged "
        "over the trials and episodes of an update; advantage and target carry no gradient:"
    )
    html += equation(LOSS_NORMALISED if normalised else LOSS) + equation(ADVANTAGE)
    if normalised:
        html += equation(NORMALISED) + text(
            "The mean and the standard deviation s are those of one network's advantages over the trials and episodes "
            "of the update. Dividing by s takes the size of rewards out of the policy "
            "gradient, so that β_e here is not on the scale of a β_e of the same size in Wang et al. 2017."
        )
    html += rows(("Setting", "Here", "Wang et al. 2017", "Departure"), settings_rows(results))
    html += text(
        "R: not printed in the paper, our reconstruction. Where the last column says “differs”, this scale "
        "departs from "
        "what is printed; the scale “paper” trains with the printed numbers."
    )
    return Paragraph("Training", html, ("Mnih et al. 2016", "Schulman et al. 2016", WANG))


def selection(results: StudyResults) -> str:
    """Say of whom networks' intervals speak: the selected part of a search."""
    settings = results.config["scales"][results.config["scale"]]["settings"]
    return (
        f"The networks of a core are the best {results.plan.best} of {settings} random hyperparameter settings, with "
        "different learning rate, γ and β_e: their means and intervals describe the selected upper part of a search, "
        "not a population of such networks."
    )


def rollouts(results: StudyResults) -> Paragraph:
    """Frozen tests, and who is reported."""
    scale = results.config["scales"][results.config["scale"]]
    html = text(
        "Weights are frozen; only activations change; actions are sampled from the policy. Settings are ranked on "
        f"{scale['ranking_episodes']:,} episodes, and the best {results.plan.best} are reported on "
        f"{scale['test_episodes']:,} others, the same for every source; all settings are shown beside them."
    )
    return Paragraph("Frozen test", html + text(selection(results)), (WANG,))
