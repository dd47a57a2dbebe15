"""Methods text of a page: paragraphs with equations and references. Registry `PARAGRAPHS`; facts from registries."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from markupsafe import Markup

from pipeline.agents import AGENTS
from pipeline.agents.bayes import kind
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, bullets, equation, items, text
from pipeline.report.reconstructions import reconstructions
from pipeline.report.references import references
from pipeline.report.statistics import LEARNED, reflex, simulated_optimum
from pipeline.report.style import listed, reversal_window, task_title
from pipeline.tasks import TASKS

WANG = "Wang et al. 2017, arXiv:1611.05763"
CORES = {  # core → its equation, where it is one line, and the paper that introduced it
    "vanilla": (r"\text{Vanilla:}\quad h_t = \tanh(W h_{t-1} + W_{in} x_t + b)", "Elman 1990, Cogn Sci 14:179"),
    "lowrank": (
        r"\text{Low rank:}\quad h_t = h_{t-1} + a\,(-h_{t-1} + m n^\top \tanh(h_{t-1}) / N + W_{in} x_t + b)",
        "Mastrogiuseppe & Ostojic 2018, Neuron 99:609",
    ),
    "gru": ("", "Cho et al. 2014, arXiv:1406.1078"),
    "lstm": ("", "Hochreiter & Schmidhuber 1997, Neural Comput 9:1735"),
}
OUTCOME_REGRET = r"R_T = \sum_{t=1}^{T} ( \max_k \mu_{t,k} - \mu_{t,a_t} )"
REGRET = r"R_T = \sum_{t=1}^{T} ( \max_k p_{t,k} - p_{t,a_t} )"


OPTIMA = {  # family of tasks → how the optimum's regret is known, and the paper behind it
    "independent": ("Optimum of independent arms: dynamic programming over success and failure counts, exact.",
                    "Bellman 1956"),
    "structured": ("Optimum of arms with p₂ = 1 − p₁: a finite sum over the pooled count, which is sufficient.",
                   "Feldman 1962"),
    "reversal": ("Optimum of the reversal task: the greedy filter of the hidden state, its regret an exact sum over "
                 "outcome sequences.", "Costa et al. 2015"),
    "restless": ("Every trial's regret counts max(p, 1 − p) of that trial. The optimum is the exact Bayesian filter of "
                 "p and ν under the prior of the tests, computed numerically, which chooses greedily (no choice buys "
                 "information here); its expected regret is simulated, over 10,000 episodes of its own, and carries a "
                 "standard error. Chance is exact, T / 4.", "Behrens et al. 2007"),
    "two_step": ("p is the probability of reward of a first-stage action, over its transitions; only first-stage "
                 "choices count. The optimum is the greedy filter of which state pays; its regret is an exact binomial "
                 "sum, since every outcome speaks for the truth with the same probability.", ""),
    "informative_arm": ("μ of an arm is what it pays in the episode. The optimum is dynamic programming over the "
                        "number of arms not yet ruled out and the trials left, exact.", "Bellman 1956"),
}  # fmt: skip


def trial_table(results: StudyResults) -> Paragraph:
    """Units of the analysis."""
    return Paragraph(
        "Trial table and units",
        text(
            "Networks, learners and animals are written as one table, one row per trial, and analysed by the same "
            "code, which cannot tell who behaved. An episode is where a learner's state is reset; a session is an "
            "animal's day, or all kept test episodes of a network or learner, which thus have one session each; a "
            "subject (an animal, a trained network) is the unit of inference.",
            "Regressions cluster by session where a subject has several, else by episode. The unit left out of the "
            "hierarchical models is a session where subjects have several (animals), a subject where each has one "
            "session (networks), an episode for a single subject (learners).",
            "With fewer than eight subjects, sessions are resampled within each subject, each subject is shown, and "
            "nothing is claimed about a population.",
        ),
    )


def networks(results: StudyResults) -> Paragraph:
    """Recurrent cores and their inputs."""
    cores = [c for c in dict.fromkeys(s.agent for s in results.sources if s.kind == "network") if c in AGENTS]
    found = [TASKS[t] for t in results.plan.tasks if t in TASKS]
    inputs = list(dict.fromkeys(_input(name, task) for task in found for name in task.inputs))
    inputs += [f"the state, one-hot ({t.features} states)" for t in found[:1] if t.features]
    before = "step" if any(t.steps > 1 for t in found) else "trial"
    intro = text(
        f"A recurrent core feeds a softmax policy and a linear value. Its input is what the task gives: "
        f"{listed(inputs)}. Before the first choice of an episode the last action is all zeros and the last reward 0; "
        f"afterwards they are those of the previous {before}. The hidden state starts at zero in every episode."
    )
    equations = [equation(CORES[c][0]) for c in cores if CORES.get(c, ("",))[0]]
    html = intro + items((AGENTS[c].title, AGENTS[c].description) for c in cores) + Markup("").join(equations)
    references = [*(AGENTS[c].citation for c in cores), *(CORES[c][1] for c in cores if c in CORES)]
    return Paragraph("Networks", html, tuple(dict.fromkeys(references)))


def _input(name: str, task) -> str:
    """Name one input of a network."""
    if name == "reward" and task.reward_classes:
        return f"last reward, one-hot ({task.reward_classes} classes, all zeros before the first choice)"
    return name if name == "time" else f"last {name}"


def regret(results: StudyResults) -> Paragraph:
    """Regret, and how its optimum is known, family by family of tasks."""
    families = list(dict.fromkeys(kind(TASKS[t]) for t in results.plan.tasks if t in TASKS))
    graded = families == ["informative_arm"]
    what = "mean outcomes μ" if graded else "reward probabilities p"
    intro = text(
        f"Expected cumulative regret of an episode, from the latent {what}, so that only choices count and not the "
        "luck of outcomes:"
    )
    said, cited = zip(*(OPTIMA[f] for f in families), strict=True) if families else ((), ())
    exact = "restless" not in families
    error = text(
        "Intervals of a core's mean regret and of its ratio to the optimum: Student's t over its networks plus the "
        "sampling error of the test episodes, which all networks share and which does not average out over them "
        "(degrees of freedom after Welch 1947); of a learner, the sampling error over the test episodes. The same "
        "intervals judge the claims. Because all sources meet the same episodes, their regret is also divided by the "
        f"Bayes-optimal learner's on these episodes. A network has “learned” when its ranking regret has gone at "
        f"least {LEARNED} % of the way from chance to the optimum{reflex(results)}."
    )
    html = intro + equation(OUTCOME_REGRET if graded else REGRET) + text(*said, simulated_optimum(results)) + error
    title = "Regret and its exact optimum" if exact else "Regret and its optimum"
    return Paragraph(title, html, tuple(dict.fromkeys((WANG, *filter(None, cited), "Welch 1947"))))


def tasks(results: StudyResults) -> Paragraph:
    """Tasks of the study, from their registry."""
    found = [TASKS[t] for t in results.plan.tasks if t in TASKS]
    html = items((task_title(t.name), f"{t.trials} trials; {t.description}") for t in found)
    lines = reconstructions(results)
    if lines:
        html += text("Not printed in the paper, our reconstruction (R), or otherwise read by us:") + bullets(lines)
    return Paragraph("Tasks", html, tuple(dict.fromkeys(t.citation for t in found if t.citation)))


def learners(results: StudyResults) -> Paragraph:
    """Learners of the study, from their registry."""
    found = [AGENTS[s] for s in results.names("learner") if s in AGENTS]
    html = items((e.title, e.description + _settings(e)) for e in found)
    if "reversal" in results.plan.tasks:
        html += text(
            "The exact filter of the reversal task knows that there is one reversal, and when it can come "
            "(first reversed "
            f"outcome on trials {reversal_window()}): it anticipates it, before any reversed outcome. It is a "
            "bound, not "
            "a model of what an animal knows."
        )
    return Paragraph("Learners", html, tuple(dict.fromkeys(e.citation for e in found)))


def _settings(entry) -> str:
    """Write the settings of a learner that its description does not already give."""
    symbols = {"alpha": "α", "beta": "β", "chi": "χ", "discount": "γ"}
    given = {symbols.get(name, name): f"{value:g}" for name, value in entry.settings.items()}
    lacking = [
        f"{name} = {value}" for name, value in given.items() if f"{name} = {value.lstrip('0')}" not in entry.description
    ]
    return f"; {', '.join(lacking)}" if lacking else ""


def _later(module: str, name: str) -> Callable[[StudyResults], Paragraph]:
    def paragraph(results: StudyResults) -> Paragraph:
        return getattr(import_module(f"pipeline.report.{module}"), name)(results)

    return paragraph


PARAGRAPHS: Mapping[str, Callable[[StudyResults], Paragraph]] = MappingProxyType(
    {
        "trial_table": trial_table,
        "networks": networks,
        "training": _later("methods_training", "training"),
        "rollouts": _later("methods_training", "rollouts"),
        "regret": regret,
        "volatility": _later("methods_restless", "volatility"),
        "two_step": _later("methods_two_step", "two_step"),
        "tasks": tasks,
        "learners": learners,
        **{
            name: _later("methods_analysis", name)
            for name in ("datasets", "behaviour", "regressions", "models", "comparison")
        },
    }
)


def methods(results: StudyResults, names: tuple[str, ...]) -> tuple[list[Paragraph], list[str]]:
    """Paragraphs of a page, those with something to say, and its references, each once, in alphabetical order."""
    found = [paragraph for paragraph in (PARAGRAPHS[name](results) for name in names) if str(paragraph.html)]
    return found, references(citation for paragraph in found for citation in paragraph.references)
