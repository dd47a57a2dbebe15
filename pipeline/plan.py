"""What the config asks for: checked, cut to the scale, and spelled out as sources, jobs and files.

The workflow's wildcards come from here, so that adding a task, an agent, a model or a dataset to a study is one word
in config.yaml.
"""

import copy
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.agents import AGENTS
from pipeline.behaviour import MIXED
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.primates import DATASETS
from pipeline.tasks import TASKS
from pipeline.training import Training

SCHEMA = Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml"
ABLATED = "_noreward"
BY_NAME = {  # keys of a scale that name cores or tasks
    "settings_by_core": AGENTS,
    "settings_by_task": TASKS,
    "training_episodes_by_core": AGENTS,
    "training_episodes_by_task": TASKS,
    "training_by_task": TASKS,
}


KINDS = {"networks": "network", "learners": "learner", "primates": "primate"}  # words for all sources of a kind


class ConfigError(UserError):
    """A config that cannot be run as it is."""


@dataclass(frozen=True)
class Source:
    """One source of behaviour in one study."""

    name: str
    kind: str  # network | learner | primate
    agent: str = ""  # registry name of the core or learner
    task: str = ""  # training task of a network
    reward_input: bool = True
    matched: bool = False  # a core of equal parameter count, beside the cores of equal hidden size

    @property
    def ablated(self) -> bool:
        """Whether this is a network that does not see its reward."""
        return self.kind == "network" and not self.reward_input


@dataclass(frozen=True)
class Study:
    """One study, cut to the scale."""

    name: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    sources: tuple[Source, ...]
    best: int
    kernel_lags: int
    train_by_test: bool = False  # are networks tested on the study's other tasks, too?
    analyses: tuple[str, ...] = ()  # analyses besides those that every study has
    table_episodes: int | None = None  # overrides the scale's
    fits: tuple[tuple[str, str], ...] = ()  # (source, model) of every hierarchical fit
    mixed: tuple[tuple[str, str], ...] = ()  # (source, regression) of every hierarchical regression
    fit_episodes: int = 0  # first episodes of each network that fits read; 0: all
    checked: tuple[str, ...] = ()  # models whose recovery and calibration are checked on the study's structure
    planted: str = ""  # model with an effect that is planted, to see whether it is found

    @property
    def fitted(self) -> list[Source]:
        """Sources that some model is fitted to."""
        names = {source for source, _ in self.fits}
        return [s for s in self.sources if s.name in names]

    @property
    def regressed(self) -> list[Source]:
        """Sources that some hierarchical regression is fitted to."""
        names = {source for source, _ in self.mixed}
        return [s for s in self.sources if s.name in names]

    def of_kind(self, kind: str) -> list[Source]:
        """List the sources of one kind: network, learner or primate."""
        return [source for source in self.sources if source.kind == kind]


def check(config: Mapping) -> None:
    """Check a config against the schema and the registries.

    Raises
    ------
    ConfigError
        One message: the key, its value, what is allowed, and the likely slip.
    """
    import jsonschema

    schema = yaml.safe_load(SCHEMA.read_text())
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(dict(config)), key=lambda e: len(e.path))
    if errors:
        raise ConfigError(_explain(errors[0]))
    if config["scale"] not in config["scales"]:
        raise ConfigError(f"config: scale is {config['scale']!r}; {_allowed(config['scale'], config['scales'])}")
    named = [(key, registry, config.get(key, {})) for key, registry in (("cores", AGENTS), ("training_by_task", TASKS))]
    for scale, numbers in config["scales"].items():
        named += [(f"scales.{scale}.{key}", registry, numbers.get(key, {})) for key, registry in BY_NAME.items()]
    for key, registry, values in named:
        for value in values:
            if value not in registry:
                raise ConfigError(f"config: {key} holds {value!r}; {_allowed(value, registry)}")
    for name, study in config["studies"].items():
        for key, registry in (("tasks", TASKS), ("agents", AGENTS), ("learners", AGENTS), ("ablations", AGENTS),
                              ("models", MODELS), ("primates", DATASETS), ("ablation_tasks", TASKS),
                              ("matched_agents", AGENTS), ("matched_tasks", TASKS),
                              ("mixed_regressions", MIXED)):  # fmt: skip
            for value in study.get(key, []):
                if value not in registry:
                    raise ConfigError(f"config: studies.{name}.{key} holds {value!r}; {_allowed(value, registry)}")
        for key, kind in (
            ("agents", "core"),
            ("learners", "learner"),
            ("ablations", "core"),
            ("matched_agents", "core"),
        ):
            for value in study.get(key, []):
                if AGENTS[value].kind != kind:
                    raise ConfigError(f"config: studies.{name}.{key} holds {value!r}, which is a {AGENTS[value].kind}; "
                                      f"{key} takes a {kind}")  # fmt: skip

        known = [*KINDS, *study["agents"], *study.get("matched_agents", []), *study["learners"], *study["primates"]]
        for key in ("models", "mixed_regressions"):
            chosen = study.get(key, [])
            for entry, sources in chosen.items() if isinstance(chosen, Mapping) else ():
                for value in sources:
                    if value not in known:
                        raise ConfigError(
                            f"config: studies.{name}.{key}.{entry} holds {value!r}, which is no source of this study; "
                            f"{_allowed(value, known)}"
                        )


def _allowed(value, known) -> str:
    near = difflib.get_close_matches(str(value), list(map(str, known)), 1, 0.5)
    return (f"did you mean {near[0]!r}? " if near else "") + f"allowed: {', '.join(map(str, known))}"


def _explain(error) -> str:
    place = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        wrong = next(key for key in error.instance if key not in known)
        return f"config: unknown key {wrong!r} at {place}; {_allowed(wrong, known)}"
    if error.validator == "required":
        return f"config: {error.message} at {place}; see {SCHEMA.name}"
    if error.validator == "enum":
        return f"config: {place} is {error.instance!r}; {_allowed(error.instance, error.validator_value)}"
    hint = error.schema.get("description", "")
    slip = ""
    if isinstance(error.instance, str) and any(c.isdigit() for c in error.instance):
        slip = " (YAML reads 1e-3 as text: write 0.001 or 1.0e-3)"
    return f"config: {place} is {error.instance!r}: {error.message}{slip}. {hint}".strip()


class Plan:
    """The checked config at its scale; attribute access for the workflow.

    Parameters
    ----------
    config : mapping
        As read from config.yaml, with overrides.
    """

    def __init__(self, config: Mapping):
        check(config)
        self.config = copy.deepcopy(dict(config))
        self.scale = config["scale"]
        self.seed = config["seed"]
        scale = config["scales"][self.scale]
        self.numbers = {k: v for k, v in scale.items() if k not in ("only", "training", "checks", *BY_NAME)}
        only = scale.get("only", {})
        wanted = {name: study for name, study in config["studies"].items() if name in only.get("studies", [name])}
        self.checks = scale.get("checks", {})
        self.studies = {name: _study(name, study, only, bool(self.checks)) for name, study in wanted.items()}
        self.results = f"results/{self.scale}"
        self.reports = f"reports/{self.scale}"
        for source in self.names("network"):  # a typo in a training setting stops here, not hours later in its job
            Training.from_mapping(self.training(source))

    def source(self, study: str, name: str) -> Source:
        """Look a source of a study up by name."""
        return next(source for source in self.studies[study].sources if source.name == name)

    def episodes(self, study: str) -> dict[str, int]:
        """Numbers of ranking and test episodes of a study, and of those kept trial by trial."""
        found = {k: self.numbers[k] for k in ("ranking_episodes", "test_episodes", "table_episodes")}
        own = self.studies[study].table_episodes
        return found | ({"table_episodes": min(own, found["test_episodes"])} if own else {})

    def names(self, *kinds: str) -> list[str]:
        """List the names of all sources of these kinds in any study, each once."""
        found = [s.name for study in self.studies.values() for s in study.sources if s.kind in (kinds or (s.kind,))]
        return list(dict.fromkeys(found))

    def any_source(self, name: str) -> Source:
        """Find a source by name, whichever study it is in."""
        return next(s for study in self.studies.values() for s in study.sources if s.name == name)

    def training(self, name: str) -> dict:
        """Collect the settings of one training: common, then the core's, then the task's, then what the scale fixes."""
        source = self.any_source(name)
        numbers = {k: self.numbers[k] for k in ("settings", "training_episodes", "episodes_per_update")}
        scale = self.config["scales"][self.scale]
        for number in ("settings", "training_episodes"):
            by_core = {} if source.ablated else scale.get(f"{number}_by_core", {})  # chance needs no long search
            by_task = scale.get(f"{number}_by_task", {})
            numbers[number] = by_task.get(source.task, by_core.get(source.agent, numbers[number]))
        own = self.config["cores"].get(source.agent, {})
        task = self.config.get("training_by_task", {}).get(source.task, {})
        fixed = {**scale.get("training", {}), **scale.get("training_by_task", {}).get(source.task, {})}
        return {**numbers, **self.config["training"], **own, **task, **fixed}


def _study(name: str, study: Mapping, only: Mapping, checks: bool) -> Study:
    tasks = tuple(t for t in study["tasks"] if t in only.get("tasks", [t]))
    agents = [a for a in study["agents"] if a in only.get("agents", [a])]
    sources = [Source(f"{a}_{t}", "network", a, t) for a in agents for t in tasks]
    blind = [(a, t) for a in study["ablations"] if a in agents for t in study["ablation_tasks"] if t in tasks]
    sources += [Source(f"{a}_{t}{ABLATED}", "network", a, t, reward_input=False) for a, t in blind]
    equal = [(a, t) for a in study.get("matched_agents", []) for t in study.get("matched_tasks", [])]
    equal = [(a, t) for a, t in equal if a in only.get("agents", [a]) and t in tasks]
    sources += [Source(f"{a}_{t}", "network", a, t, matched=True) for a, t in equal]
    sources += [Source(learner, "learner", learner) for learner in study["learners"]]
    sources += [Source(dataset, "primate") for dataset in study["primates"]]
    models = _cut(study["models"], only.get("models"))
    return Study(
        name,
        tasks,
        tuple(models),
        tuple(sources),
        study["best"],
        study["kernel_lags"],
        study.get("train_by_test", False),
        tuple(study.get("analyses", ())),
        study.get("table_episodes"),
        _chosen(sources, models),
        _chosen(sources, study.get("mixed_regressions", [])),
        study.get("fit_episodes", 0),
        tuple(models) if checks and study.get("checks") else (),
        study.get("planted", "") if checks and study.get("planted") in models else "",
    )


def _chosen(sources: list[Source], wanted) -> tuple[tuple[str, str], ...]:
    """Pairs (source, entry) that a list (for every source) or a mapping (entry → sources) asks for.

    A mapping names sources, cores (their networks on every task) or kinds of source (`KINDS`). Networks without reward
    input, which are at chance, and those of equal parameter count take part only where they are named.
    """
    found = []
    for source in sources:
        for entry in wanted:
            names = wanted[entry] if isinstance(wanted, Mapping) else list(KINDS)
            plain = not source.ablated and not source.matched
            if source.name in names or (plain and (source.agent in names or _word(source) in names)):
                found.append((source.name, entry))
    return tuple(found)


def _cut(wanted, kept):
    """Entries of a list or mapping that a scale keeps."""
    if kept is None:
        return wanted
    return (
        {k: v for k, v in wanted.items() if k in kept}
        if isinstance(wanted, Mapping)
        else [k for k in wanted if k in kept]
    )


def _word(source: Source) -> str:
    return next(word for word, kind in KINDS.items() if kind == source.kind)


def data_dir(config: Mapping) -> str | None:
    """Folder of primate data: the config key, else $PRIMATE_DATA_DIR, else ../shared/data where there is one."""
    named = config.get("primate_data_dir") or os.environ.get("PRIMATE_DATA_DIR")
    if named:
        if not Path(named).is_dir():
            where = "config key primate_data_dir or $PRIMATE_DATA_DIR"
            raise ConfigError(
                f"primate data: {named!r} ({where}) is not a folder; name one, or leave both empty to download"
            )
        return named
    beside = Path("..") / "shared" / "data"
    return str(beside) if beside.is_dir() else None
