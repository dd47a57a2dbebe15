"""Methods text of a page: paragraphs with equations and references. Registry `PARAGRAPHS`; facts from registries."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from markupsafe import Markup

from pipeline.agents import AGENTS
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, equation, items, text
from pipeline.report.style import task_title
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
LOSS = r"L = \langle -\log \pi(a_t)\, A_t + \beta_v \tfrac{1}{2} (R_t - V_t)^2 - \beta_e H(\pi_t) \rangle"
ADVANTAGE = (
    r"\delta_t = r_t + \gamma V_{t+1} - V_t, \quad A_t = \delta_t + \gamma \lambda A_{t+1}, \quad "
    r"R_t = A_t + V_t, \quad V_{T+1} = 0"
)
REGRET = r"R_T = \sum_{t=1}^{T} ( \max_k p_{t,k} - p_{t,a_t} )"


def trial_table(results: StudyResults) -> Paragraph:
    """Units of the analysis."""
    return Paragraph(
        "Trial table and units",
        text(
            "Networks, learners and animals are written as one table, one row per trial, and analysed by the same "
            "code, "
            "which cannot tell who behaved. An episode is where a learner's state is reset; a session (an animal's "
            "day, a "
            "network's batch of test episodes) is the unit of clustering and of leaving out; a subject (an animal, a "
            "trained network) is the unit of inference. With fewer than eight subjects, sessions are resampled within "
            "each subject, each subject is shown, and nothing is claimed about a population."
        ),
    )


def networks(results: StudyResults) -> Paragraph:
    """Recurrent cores and their inputs."""
    cores = [c for c in dict.fromkeys(s.agent for s in results.sources if s.kind == "network") if c in AGENTS]
    inputs = sorted({kind for t in results.plan.tasks if t in TASKS for kind in TASKS[t].inputs})
    intro = text(
        f"A recurrent core feeds a softmax policy and a linear value. Its input is what the task gives: last "
        f"{', last '.join(k for k in inputs if k != 'time')}{', and time' if 'time' in inputs else ''}. Before the "
        f"first "
        "choice of an episode the last action is all zeros and the last reward 0; afterwards they are those of the "
        "previous trial. The hidden state starts at zero in every episode."
    )
    equations = [equation(CORES[c][0]) for c in cores if CORES.get(c, ("",))[0]]
    html = intro + items((AGENTS[c].title, AGENTS[c].description) for c in cores) + Markup("").join(equations)
    references = [*(AGENTS[c].citation for c in cores), *(CORES[c][1] for c in cores if c in CORES)]
    return Paragraph("Networks", html, tuple(dict.fromkeys(references)))


def training(results: StudyResults) -> Paragraph:
    """Loss and hyperparameters."""
    scale = results.config["scales"][results.config["scale"]]
    intro = text(
        f"Advantage actor–critic with full backpropagation through each episode; {scale['training_episodes']:,} "
        f"episodes "
        f"per network, {scale['episodes_per_update']} per update. For each core and task {scale['settings']} networks "
        f"are "
        "trained, each with its own weights, seed, learning rate, discount and entropy cost. The loss is averaged over "
        "trials and episodes; advantage and target carry no gradient:"
    )
    references = ("Mnih et al. 2016, arXiv:1602.01783", "Schulman et al. 2016, arXiv:1506.02438", WANG)
    return Paragraph("Training", intro + equation(LOSS) + equation(ADVANTAGE), references)


def rollouts(results: StudyResults) -> Paragraph:
    """Frozen tests."""
    scale = results.config["scales"][results.config["scale"]]
    return Paragraph(
        "Frozen test",
        text(
            "Weights are frozen; only activations change; actions are sampled from the policy. Settings are ranked on "
            f"{scale['ranking_episodes']:,} episodes, and the best {results.plan.best} are reported on "
            f"{scale['test_episodes']:,} others, the same for every source; all settings are shown beside them."
        ),
        (WANG,),
    )


def regret(results: StudyResults) -> Paragraph:
    """Regret and its exact optimum."""
    intro = text(
        "Expected cumulative regret of an episode, from the latent reward probabilities, so that only choices count "
        "and "
        "not the luck of outcomes:"
    )
    optimum = text(
        "The optimum is computed, not simulated: by dynamic programming over success and failure counts (independent "
        "arms), from the pooled count, which is sufficient (p₂ = 1 − p₁), or with a hidden-state filter (reversal)."
    )
    return Paragraph(
        "Regret and its exact optimum", intro + equation(REGRET) + optimum, (WANG, "Bellman 1956, Sankhyā 16:221")
    )


def tasks(results: StudyResults) -> Paragraph:
    """Tasks of the study, from their registry."""
    found = [TASKS[t] for t in results.plan.tasks if t in TASKS]
    html = items((task_title(t.name), f"{t.trials} trials; {t.description}") for t in found)
    return Paragraph("Tasks", html, tuple(dict.fromkeys(t.citation for t in found if t.citation)))


def learners(results: StudyResults) -> Paragraph:
    """Learners of the study, from their registry."""
    found = [AGENTS[s] for s in results.names("learner") if s in AGENTS]
    html = items((e.title, e.description) for e in found)
    return Paragraph("Learners", html, tuple(dict.fromkeys(e.citation for e in found)))


def _later(name: str) -> Callable[[StudyResults], Paragraph]:
    def paragraph(results: StudyResults) -> Paragraph:
        from pipeline.report import methods_analysis

        return getattr(methods_analysis, name)(results)

    return paragraph


PARAGRAPHS: Mapping[str, Callable[[StudyResults], Paragraph]] = MappingProxyType(
    {
        "trial_table": trial_table,
        "networks": networks,
        "training": training,
        "rollouts": rollouts,
        "regret": regret,
        "tasks": tasks,
        "learners": learners,
        **{name: _later(name) for name in ("datasets", "behaviour", "regressions", "models", "comparison")},
    }
)


def methods(results: StudyResults, names: tuple[str, ...]) -> tuple[list[Paragraph], list[str]]:
    """Paragraphs of a page, those with something to say, and its references, each once, in alphabetical order."""
    found = [paragraph for paragraph in (PARAGRAPHS[name](results) for name in names) if str(paragraph.html)]
    parts = [part.strip() for p in found for reference in p.references for part in reference.split("; ")]
    return found, sorted(dict.fromkeys(filter(None, parts)), key=str.lower)
