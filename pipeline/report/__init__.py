"""The report: one self-contained page per study, an index and the claims, from tidy CSV files. Registry `PAGES`.

A page is a list of sections; a section is a function ``(StudyResults) -> list of blocks`` in a module
``pipeline/report/sections_<study>.py``. Adding a study's page is that file and one line here. Sections are named, not
imported, because the registry is read when the workflow is parsed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType


def templates() -> str:
    """Fingerprint of templates and style sheet, for the rules that build pages (code hashes see modules only)."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "templates").iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Section:
    """One section of a page: its heading, and the function that makes its blocks."""

    name: str  # also the anchor
    title: str
    build: str  # "module:function", imported only when a page is built

    def load(self):
        """Import and return the function."""
        module, name = self.build.split(":")
        return getattr(import_module(module), name)


@dataclass(frozen=True)
class Page:
    """One study's page: heading, the question it asks, its one-sentence answer, its sections in order."""

    study: str
    short: str  # in the navigation
    title: str
    question: str
    answer: str  # "module:function", StudyResults → one sentence
    picture: str  # "module:function", StudyResults → Figure or Absent: the study's one picture, for the index
    sections: tuple[Section, ...]
    methods: tuple[str, ...] = ()  # paragraphs of `pipeline.report.methods.PARAGRAPHS`, in order

    def load(self, what: str):
        """Import and return the ``answer`` or ``picture`` function."""
        module, name = getattr(self, what).split(":")
        return getattr(import_module(module), name)


BANDITS, REVERSAL, MODELS, COMPARISON, MATRIX, LIMITS, SIZE = (
    f"pipeline.report.sections_{name}"
    for name in ("bandits", "reversal", "models", "comparison", "matrix", "limits", "size")
)

INFORMATIVE = "pipeline.report.sections_informative_arm"
TWO_STEP = "pipeline.report.sections_two_step"
RESTLESS = "pipeline.report.sections_restless"
PRIMATES = "pipeline.report.sections_primates"
CHECKS = "pipeline.report.sections_checks"

FITS = (  # what every page with hierarchical models shows of them
    Section("posteriors", "Hierarchical models", f"{MODELS}:posteriors"),
    Section("predictive", "Posterior predictive checks", f"{MODELS}:predictive"),
    Section("stacking", "Which model predicts whom", f"{MODELS}:stacking"),
)
MODEL_CHECKS = (
    Section("recovery", "Are the models' parameters recovered?", f"{CHECKS}:recovery"),
    Section("calibration", "Are their posteriors calibrated?", f"{CHECKS}:calibration"),
    Section("confusion", "Which models can be told apart?", f"{CHECKS}:confusion"),
    Section("sampler", "Sampler diagnostics", f"{MODELS}:sampler"),
)


def _primates(study: str, short: str, title: str, question: str, *more: Section) -> Page:
    """Page of a study that has animals or people and, so far, no networks."""
    return Page(
        study,
        short,
        title,
        question,
        f"{PRIMATES}:answer",
        f"{PRIMATES}:picture",
        (
            Section("summary", "Summary", f"{PRIMATES}:summary"),
            Section("mixed", "Hierarchical regressions", f"{CHECKS}:mixed"),
            *FITS[:1],
            *more,
            *FITS[1:],
            *MODEL_CHECKS,
            Section("claims", "Published claims", f"{COMPARISON}:claims"),
        ),
        ("trial_table", "datasets", "behaviour", "regressions", "models", "comparison"),
    )


PAGES: Mapping[str, Page] = MappingProxyType(
    {
        page.study: page
        for page in (
            Page(
                "bandits",
                "Bandits",
                "Two-armed bandits",
                "Do recurrent networks learn to learn, and how close to the exact optimum do they come?",
                f"{BANDITS}:answer",
                f"{BANDITS}:picture",
                (
                    Section("summary", "Summary", f"{BANDITS}:summary"),
                    Section("regret", "Regret against the exact optimum", f"{BANDITS}:regret"),
                    Section("matrix", "Trained on one, tested on another", f"{MATRIX}:matrix"),
                    Section("exploration", "Exploration within an episode", f"{BANDITS}:exploration"),
                    Section("limits", "Goals, and what limits the networks", f"{LIMITS}:goals"),
                    Section("size", "Equal size, equal number of parameters", f"{SIZE}:size"),
                    Section("settings", "All hyperparameter settings", f"{BANDITS}:settings"),
                    Section("training", "Training", f"{BANDITS}:training"),
                    Section("ablation", "Reward input withheld", f"{BANDITS}:ablation"),
                    Section("claims", "Published claims", f"{COMPARISON}:claims"),
                ),
                ("trial_table", "networks", "training", "rollouts", "regret", "tasks", "learners"),
            ),
            Page(
                "reversal",
                "Reversal",
                "Reversal learning, networks beside monkeys",
                "Do networks trained on the monkeys' own task behave as the monkeys do?",
                f"{REVERSAL}:answer",
                f"{REVERSAL}:picture",
                (
                    Section("summary", "Summary", f"{REVERSAL}:summary"),
                    Section("reversal", "After the reversal", f"{REVERSAL}:reversal"),
                    Section("learning", "New objects", f"{REVERSAL}:learning"),
                    Section("kernels", "What a choice depends on", f"{REVERSAL}:kernels"),
                    Section("stay", "Stay regressions", f"{REVERSAL}:stay"),
                    Section("mixed", "Hierarchical regressions", f"{CHECKS}:mixed"),
                    Section("typicality", "Each animal among the networks", f"{REVERSAL}:typicality"),
                    Section("posteriors", "Hierarchical models", f"{MODELS}:posteriors"),
                    Section("predictive", "Posterior predictive checks", f"{MODELS}:predictive"),
                    Section("differences", "Group differences", f"{COMPARISON}:differences"),
                    Section("stacking", "Which model predicts whom", f"{MODELS}:stacking"),
                    *MODEL_CHECKS,
                    Section("training", "Networks' regret on this task", f"{REVERSAL}:training"),
                    Section("claims", "Published claims", f"{COMPARISON}:claims"),
                ),
                (
                    "trial_table",
                    "datasets",
                    "tasks",
                    "networks",
                    "training",
                    "rollouts",
                    "regret",
                    "learners",
                    "behaviour",
                    "regressions",
                    "models",
                    "comparison",
                ),
            ),
            Page(
                "informative_arm",
                "Informative arm",
                "Eleven arms, one informative",
                "Do networks learn to give up reward now for information that pays later?",
                f"{INFORMATIVE}:answer",
                f"{INFORMATIVE}:picture",
                (
                    Section("summary", "Summary", f"{INFORMATIVE}:summary"),
                    Section("returns", "Reward against the exact optimum", f"{INFORMATIVE}:returns"),
                    Section("choices", "Choices by trial", f"{INFORMATIVE}:choices"),
                    Section("settings", "All hyperparameter settings", f"{INFORMATIVE}:settings"),
                    Section("training", "Training", f"{INFORMATIVE}:training"),
                    Section("ablation", "Reward input withheld", f"{INFORMATIVE}:ablation"),
                    Section("claims", "Published claims", f"{COMPARISON}:claims"),
                ),
                ("trial_table", "networks", "training", "rollouts", "regret", "tasks", "learners"),
            ),
            Page(
                "restless",
                "Restless bandit",
                "Restless bandit: learning rate and volatility",
                "Do frozen networks learn faster where the world changes faster?",
                f"{RESTLESS}:answer",
                f"{RESTLESS}:picture",
                (
                    Section("summary", "Summary", f"{RESTLESS}:summary"),
                    Section("regret", "Regret against both exact filters", f"{RESTLESS}:regret"),
                    Section("learning-rates", "Learning rate against volatility", f"{RESTLESS}:learning_rate"),
                    Section("slope", "Hierarchical model of the learning rate", f"{RESTLESS}:slope"),
                    FITS[2],
                    *MODEL_CHECKS,
                    Section("settings", "All hyperparameter settings", f"{RESTLESS}:settings"),
                    Section("training", "Training", f"{RESTLESS}:training"),
                    Section("ablation", "Reward input withheld", f"{RESTLESS}:ablation"),
                    Section("claims", "Published claims", f"{COMPARISON}:claims"),
                ),
                (
                    "trial_table",
                    "networks",
                    "training",
                    "rollouts",
                    "regret",
                    "volatility",
                    "tasks",
                    "learners",
                    "models",
                ),
            ),
            Page(
                "two_step",
                "Two-step",
                "Two-step task",
                "Do networks choose as if they planned, though they were trained without a model?",
                f"{TWO_STEP}:answer",
                f"{TWO_STEP}:picture",
                (
                    Section("summary", "Summary", f"{TWO_STEP}:summary"),
                    Section("stay", "Stay by outcome and transition", f"{TWO_STEP}:stay"),
                    Section("effects", "Reward relative to reward by transition", f"{TWO_STEP}:effects"),
                    Section("lags", "Several trials back", f"{TWO_STEP}:lags"),
                    Section("mixed", "Hierarchical regressions", f"{CHECKS}:mixed"),
                    *FITS,
                    *MODEL_CHECKS,
                    Section("regret", "Regret against the exact optimum", f"{TWO_STEP}:regret"),
                    Section("settings", "All hyperparameter settings", f"{BANDITS}:settings"),
                    Section("training", "Training", f"{TWO_STEP}:training"),
                    Section("ablation", "Reward input withheld", f"{TWO_STEP}:ablation"),
                    Section("claims", "Published claims", f"{COMPARISON}:claims"),
                ),
                (
                    "trial_table",
                    "networks",
                    "training",
                    "rollouts",
                    "regret",
                    "two_step",
                    "tasks",
                    "learners",
                    "regressions",
                    "models",
                ),
            ),
            _primates(
                "matching",
                "Matching",
                "Matching: foraging on baited options",
                "How do people share their choices between two options that hold their rewards?",
                Section("conditions", "Medication", f"{PRIMATES}:condition_effects"),
            ),
            _primates(
                "volatility",
                "Volatility",
                "Stable and volatile blocks",
                "Do people learn faster where reversals are frequent?",
                Section("conditions", "Gains and losses", f"{PRIMATES}:condition_effects"),
            ),
            _primates(
                "two_step_drift",
                "Two-step, drifting",
                "Two-step task with drifting outcomes",
                "Do monkeys plan, or repeat what paid?",
            ),
        )
    }
)
