"""What the rules of the workflow ask: which files a step needs, and which code its result depends on."""

from collections.abc import Iterable

from pipeline.agents import AGENTS
from pipeline.codehash import code_hash
from pipeline.models import MODELS
from pipeline.plan import Plan, Source, Study
from pipeline.primates import DATASETS
from pipeline.tasks import TASKS


def fits(plan: Plan, study: Study, suffix: str) -> list[str]:
    """List the files of one kind from every fit of a study."""
    return [f"{plan.results}/models/{study.name}/{source}.{model}.{suffix}" for source, model in study.fits]


def behaviours(plan: Plan, study: Study, suffix: str) -> list[str]:
    """List the files of one kind from the behaviour of every source of a study."""
    return [f"{plan.results}/behaviour/{study.name}/{source.name}.{suffix}" for source in study.sources]


def evaluations(plan: Plan, study: Study) -> list[str]:
    """List the regret files of every network and learner of a study."""
    return [f"{plan.results}/evaluation/{study.name}/{s.name}.csv" for s in study.sources if s.kind != "primate"]


def regressions(plan: Plan, study: str, name: str) -> list[str]:
    """List the hierarchical regressions asked of one source."""
    return [regression for source, regression in plan.studies[study].mixed if source == name]


def episodes_read(plan: Plan, study: str, name: str) -> int:
    """First episodes of each subject that fits read: networks play more than a fit needs; 0 stands for all."""
    return plan.studies[study].fit_episodes if plan.source(study, name).kind == "network" else 0


def checks(plan: Plan, study: Study) -> list[str]:
    """List the files that check a study's models on simulated data."""
    folder = f"{plan.results}/checks"
    found = [f"{folder}/{study.name}.{m}.{kind}.csv" for m in study.checked for kind in ("recovery", "ranks")]
    found += [f"{folder}/{study.name}.confusion.csv"] if study.checked else []
    return found + ([f"{folder}/{study.name}.planted.csv"] if study.planted else [])


def volatilities(plan: Plan, study: Study) -> list[str]:
    """List the volatility analyses of every source of a study that asks for them."""
    return behaviours(plan, study, "volatility.csv") if "volatility" in study.analyses else []


def ideals(plan: Plan, study: Study) -> list[str]:
    """List the file of the ideal agents' regrets of a study with a train-by-test matrix."""
    return [f"{plan.results}/optimum/{study.name}.ideals.csv"] if study.train_by_test else []


def played_by(plan: Plan, study: str, name: str) -> list[str]:
    """List the tasks that a network is tested on: its own, then the study's others if there is a matrix.

    Ablated networks and those of equal parameter count are tested on their own task only.
    """
    own = plan.source(study, name)
    other = [t for t in plan.studies[study].tasks if t != own.task]
    return [own.task, *(other if plan.studies[study].train_by_test and own.reward_input and not own.matched else [])]


def study_results(plan: Plan, study: Study) -> list[str]:
    """List every tidy file that a study's page shows."""
    found = evaluations(plan, study)
    found += [f"{plan.results}/training/{source.name}/curve.csv" for source in study.of_kind("network")]
    found += [f"{plan.results}/trials/{study.name}/{source.name}.parquet" for source in study.of_kind("primate")]
    for suffix in ("summary.csv", "curves.csv", "regressions.csv"):
        found += behaviours(plan, study, suffix)
    for suffix in ("posterior.csv", "json", "predictive.csv"):
        found += fits(plan, study, suffix)
    found += [*volatilities(plan, study), *ideals(plan, study), *checks(plan, study)]
    found += [f"{plan.results}/mixed/{study.name}/{source.name}.csv" for source in study.regressed]
    if "volatility" in study.analyses:
        found += behaviours(plan, study, "episodes.csv")
    if study.models:
        kinds = ("groups", "stacking", "typicality")
        found += [f"{plan.results}/comparison/{study.name}.{kind}.csv" for kind in kinds]
    return [*found, f"{plan.results}/claims/{study.name}.csv"]


def facts(studies: Iterable[Study]) -> list[str]:
    """List the files of facts that stand in for datasets that cannot be had."""
    names = {source.name for study in studies for source in study.of_kind("primate")}
    return sorted(f"resources/{DATASETS[name].summary}" for name in names if DATASETS[name].summary)


def dataset_code(name: str) -> str:
    """Fingerprint of the code that reads a dataset."""
    entry = DATASETS[name]
    return code_hash("pipeline.primates.load", "pipeline.exports", entry.reader, entries=(entry,))


def optimum_code(task: str) -> str:
    """Fingerprint of the code behind the exact optimum of a task."""
    return code_hash("pipeline.agents.optimum", TASKS[task].world, entries=(TASKS[task], AGENTS["bayes_optimal"]))


def ideals_code(tasks: Iterable[str]) -> str:
    """Fingerprint of the code behind the ideal agents' regrets."""
    played = [TASKS[task] for task in tasks]
    worlds = (task.world for task in played)
    return code_hash("pipeline.agents.ideals", *worlds, entries=(*played, AGENTS["bayes_optimal"]))


def training_code(source: Source) -> str:
    """Fingerprint of a training: its own code and the registry entries it uses, never any analysis."""
    core, task = AGENTS[source.agent], TASKS[source.task]
    return code_hash("pipeline.training.loop", core.factory, task.world, entries=(core, task))


def rollout_code(agent: str, tasks: Iterable[str]) -> str:
    """Fingerprint of frozen behaviour: the session loop, the agent and its tasks."""
    entry, played = AGENTS[agent], [TASKS[task] for task in tasks]
    modules = ("pipeline.rollout", "pipeline.exports", "pipeline.training.evaluate", entry.factory)
    return code_hash(*modules, *(task.world for task in played), entries=(entry, *played))


def fit_code(model: str) -> str:
    """Fingerprint of a fit: the machinery and the module that declares the model."""
    modules = ("pipeline.models.fitting", "pipeline.models.hierarchy", "pipeline.models.predictive")
    return code_hash(*modules, MODELS[model].step.__module__)


def check_code(model: str) -> str:
    """Fingerprint of the checks of a model: simulation, fit and the module that declares the model."""
    modules = ("pipeline.models.calibrate", "pipeline.models.structures", "pipeline.models.worlds")
    return code_hash(*modules, MODELS[model].step.__module__)


def page_code(studies: Iterable[Study]) -> str:
    """Fingerprint of the report, its templates, and the registry entries that its methods text is made of."""
    from pipeline.report import PAGES, templates

    studies = list(studies)
    modules = {section.build for page in PAGES.values() for section in page.sections}
    modules |= {MODELS[model].step.__module__ for study in studies for model in study.models}
    entries = [TASKS[task] for study in studies for task in study.tasks]
    entries += [AGENTS[source.agent] for study in studies for source in study.sources if source.kind != "primate"]
    entries += [DATASETS[source.name] for study in studies for source in study.of_kind("primate")]
    entries += [PAGES.get(study.name) for study in studies] + [templates()]
    return code_hash("pipeline.report.build", "pipeline.report.load", *sorted(modules), entries=tuple(entries))
