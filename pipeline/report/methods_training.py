"""Methods paragraphs of training: the loss, every setting beside what Wang et al. 2017 print, and the selection."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.agents import AGENTS
from pipeline.plan import Plan
from pipeline.report.load import StudyResults
from pipeline.report.printed import EXPERIMENTS, R, printed
from pipeline.report.prose import Paragraph, equation, rows, text
from pipeline.report.selection import core_of, drawn, fixed_text, selection, task_labels, unequal
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
DECAY = {"linear": "linear decay to 0 at the last update"}
OPTIMISERS = {
    "rmsprop": "RMSProp: v ← .99 v + .01 g², θ ← θ − η g / √(v + ε); ε = 1e-8, inside the root",
    "adam": "Adam: β = (.9, .999), ε = 1e-8, outside the root",
}


def _span(value: tuple[float, float], scale: str) -> str:
    low, high = value
    return f"{low:g}" if low == high else f"{low:g} to {high:g}, {scale}"


# Field of `Training` → its name and how its value reads; what Wang et al. 2017 print: `pipeline.report.printed`.
FIELDS: dict[str, tuple[str, Callable]] = {
    "settings": ("Hyperparameter settings per core and task, one network each", str),
    "training_episodes": ("Training episodes per network", "{:,}".format),
    "episodes_per_update": ("Episodes per update", str),
    "learning_rate": ("Learning rate η", lambda v: _span(v, "log-uniform")),
    "discount": ("Discount γ", lambda v: _span(v, "1 − γ log-uniform")),
    "entropy_cost": ("Entropy cost β_e (per nat)", lambda v: _span(v, "log-uniform")),
    "value_cost": ("Value cost β_v, of ½ (R − V)²", "{:g}".format),
    "trace": ("λ of the generalised advantage", lambda v: f"{v:g}" + (" (full return)" if v == 1 else "")),
    "normalise_advantage": ("Advantages centred and divided by their SD, per network and update",
                            lambda v: "yes" if v else "no"),
    "optimiser": ("Optimiser", OPTIMISERS.__getitem__),
    "clip": ("Largest gradient norm, per network", lambda v: f"{v:g}" if v else "no clipping"),
    "learning_rate_schedule": ("Learning rate over training", lambda v: DECAY.get(v, v)),
    "entropy_schedule": ("Entropy cost over training", lambda v: DECAY.get(v, v)),
    "time_input": ("Time input", lambda v: "t / T" if v == "fraction" else "t"),
    "stop_at_chance": ("Networks still at chance after a third of the training",
                       lambda v: "stopped" if v else "trained to the end"),
}  # fmt: skip
TUNING = (
    "At the scales quick and standard the ranges of learning rate, entropy cost and discount, λ, the clip of the "
    "gradient, and rank and gain of the low-rank core were chosen by sweeps for low regret at other seeds, on ranking "
    "episodes."
)
GAIN = 1.2  # g of the low-rank core's first weights (`pipeline.agents.cores.LowRank`)
INITIAL = (
    f"recurrent weights orthogonal (per gate); low rank: m = n = g √N Q, Q with orthonormal columns and g = {GAIN:g}, "
    f"so that the non-zero eigenvalues of m nᵀ / N are g² = {GAIN**2:g}; input weights normal, variance 1 / inputs; "
    "biases 0, LSTM forget bias 1; policy weights .01 × orthonormal; value weights 0"
)


def effective(results: StudyResults) -> dict[str, list[Training]]:
    """Collect the settings of the networks of a study as trained, by the display name of the core."""
    plan, found = Plan(results.config), {}
    for s in results.sources:
        if s.kind == "network":
            label = results.label(s.name)
            found.setdefault(label, []).append(Training.from_mapping(plan.training(s.name)))
    return found


@dataclass(frozen=True)
class Trained:
    """One population: the name of its core in the registry and on the page, its task, its settings."""

    agent: str
    core: str
    task: str
    ablated: bool
    matched: bool
    training: Training


def populations(results: StudyResults) -> list[Trained]:
    """List the networks' populations of a study as trained, those without reward input last."""
    plan = Plan(results.config)
    found = [
        Trained(
            s.agent,
            core_of(results, s.name),
            s.task,
            s.ablated,
            s.matched,
            Training.from_mapping(plan.training(s.name)),
        )
        for s in results.sources
        if s.kind == "network"
    ]
    return sorted(found, key=lambda p: p.ablated)


def _by_task(texts: dict[str, str], form: str = "{0}: {1}", between: str = "; ") -> str:
    """Join what holds for single tasks; once where it holds for all."""
    tasks: dict[str, list[str]] = {}
    for task, said in texts.items():
        tasks.setdefault(said, []).append(task)
    if len(tasks) == 1:
        return next(iter(tasks))
    return between.join(form.format(task_labels(own), said) for said, own in tasks.items())


def _value(found: list[Trained], name: str, show: Callable) -> str:
    """Value of a setting; where tasks differ, every task's, and where cores do, every core's.

    Networks without reward input and cores of matched size are named only where they differ from their core.
    """
    core = {(p.agent, p.task): show(getattr(p.training, name)) for p in found if not (p.ablated or p.matched)}
    shown: dict[str, dict[str, str]] = {}  # core → task → value
    for p in found:
        value = show(getattr(p.training, name))
        if not (p.ablated or p.matched) or value != core.get((p.agent.rstrip("0123456789"), p.task)):
            shown.setdefault(p.core, {})[p.task] = value
    together: dict[str, set[str]] = {}
    for own in shown.values():
        for task, value in own.items():
            together.setdefault(task, set()).add(value)
    if all(len(values) == 1 for values in together.values()):
        return _by_task({task: next(iter(values)) for task, values in together.items()})
    cores: dict[str, list[str]] = {}
    for label, own in shown.items():
        cores.setdefault(_by_task(own, "{1} on {0}", " and "), []).append(label)
    return "; ".join(f"{' / '.join(own)}: {value}" for value, own in cores.items())


def _beside(name: str, values: dict[str, list]) -> tuple[str, str]:
    """Look up what is printed of a setting, and say whether ours (task → values) departs from it, on which tasks."""
    entries = {task: entry for task in values if (entry := printed(task, name)) is not None}
    if not entries:
        return "", ""
    apart = [t for t, entry in entries.items() if entry.departs and any(map(entry.departs, values[t]))]
    remark = "" if not apart else "differs" if len(apart) == len(values) else f"differs ({task_labels(apart)})"
    return _by_task({task: entry.text for task, entry in entries.items()}), remark


def settings_rows(results: StudyResults) -> list[tuple[str, str, str, str]]:
    """Every setting: name, value at this scale, what Wang et al. 2017 print for the task, whether ours departs."""
    found, scale = populations(results), results.config["scales"][results.config["scale"]]
    tasks = [t for t in results.plan.tasks if t in {p.task for p in found}]
    timed = any("time" in TASKS[t].inputs for t in tasks)
    table = []
    for name, (title, show) in FIELDS.items():
        values = {t: [getattr(p.training, name) for p in found if p.task == t] for t in tasks}
        shown = _value(found, name, show) if timed or name != "time_input" else "not an input of this task"
        table.append((title, shown, *_beside(name, values)))
    cores = dict.fromkeys(s.agent for s in results.sources if s.kind == "network" and not s.matched)
    units = sorted({AGENTS[c].settings["units"] for c in cores})
    tests = scale["test_episodes"]
    unrolled = _by_task({t: _unrolled(t) for t in tasks})
    known = any(t in EXPERIMENTS for t in tasks)
    return [
        ("Units", listed(map(str, units)), "48 (LSTM)" if known else "", "differs" if known and units != [48] else ""),
        ("Trials unrolled", unrolled, *_beside("trials", {t: [TASKS[t].trials] for t in tasks})),
        (
            "Inputs before the first choice",
            "action zeros, reward 0",
            f"inputs last action, last reward, t; first values {R}" if known else "",
            "",
        ),
        ("Initial weights", INITIAL, R if known else "", ""),
        *table,
        ("Test episodes", f"{tests:,}", *_beside("test_episodes", {t: [tests] for t in tasks})),
    ]


def _unrolled(task: str) -> str:
    trials, steps = TASKS[task].trials, TASKS[task].steps
    steps_ = f"{trials * steps} steps ({trials} trials)" if steps > 1 else f"{trials}"
    return f"{steps_} (the whole episode)" if steps == 1 else f"{steps_}, the whole episode"


def at_paper_scale(results: StudyResults) -> str:
    """Say which settings the scale “paper” takes as printed, and where it departs or reconstructs."""
    if "paper" not in results.config["scales"]:
        return ""
    table = settings_rows(replace(results, config={**results.config, "scale": "paper"}))
    # Named by what stands before the first comma: “Largest gradient norm, per network”.
    apart = [title.split(",")[0] for title, _, _, remark in table if remark]
    free = [title.split(",")[0] for title, _, said, _ in table if re.search(r"\bR\b", said)]
    beyond = f", except of these: {'; '.join(apart)}" if apart else ""
    return (
        f"The scale “paper” takes the value printed for the experiment of every setting that has one{beyond}. What is "
        f"wholly or in part reconstructed (R) is so at that scale, too: {'; '.join(free)}."
    )


def training(results: StudyResults) -> Paragraph:
    """Loss, and every hyperparameter."""
    found = populations(results)
    if not found:
        return Paragraph("Training", text("No network is trained in this study."))
    normalised = any(p.training.normalise_advantage for p in found)
    varied, fixed = drawn(p.training for p in found)
    own = "weights and seed"
    if varied:
        own = f"weights and seed, and {listed(varied)} drawn at random from the ranges below"
    html = text(
        "Synchronous advantage actor–critic with full backpropagation through each episode. Each network of a core and "
        f"task has its own {own}{fixed_text(fixed)}. The loss is averaged over the steps and episodes of an update; "
        "advantage and target carry no gradient:"
    )
    html += equation(LOSS_NORMALISED if normalised else LOSS) + equation(ADVANTAGE)
    if normalised:
        html += equation(NORMALISED) + text(
            "The mean and the standard deviation s are those of one network's advantages over the steps and episodes "
            "of the update. Dividing by s takes the size of rewards out of the policy "
            "gradient, so that β_e here is not on the scale of a β_e of the same size in Wang et al. 2017."
        )
    table = settings_rows(results)
    if any(p.task in EXPERIMENTS for p in found):
        html += rows(("Setting", "Here", "Wang et al. 2017", "Departure"), table)
        html += text(
            "R: not printed in the paper, our reconstruction. Where the last column says “differs”, this scale "
            f"departs from what is printed. {at_paper_scale(results)}"
        )
    else:
        html += rows(("Setting", "Here"), (row[:2] for row in table))
        html += text("The task is not one of Wang et al. 2017, who print no settings for it.")
    html += text(TUNING, unequal(results, None))
    return Paragraph("Training", html, ("Mnih et al. 2016", "Schulman et al. 2016", WANG))


def rollouts(results: StudyResults) -> Paragraph:
    """Frozen tests, and who is reported."""
    scale = results.config["scales"][results.config["scale"]]
    html = text(
        "Weights are frozen; only activations change; actions are sampled from the policy. Settings are ranked on "
        f"{scale['ranking_episodes']:,} episodes, and the best {results.plan.best} are reported on "
        f"{scale['test_episodes']:,} others, the same for every source; all settings are shown beside them."
    )
    if any(TASKS[t].test_settings for t in results.plan.tasks):
        html += text(
            "The ranking episodes have the distribution of the test episodes, not that of the training: what training "
            "leaves out (the middle third of the volatilities) takes part in the choice of the best."
        )
    return Paragraph("Frozen test", html + text(selection(results)), (WANG,))
