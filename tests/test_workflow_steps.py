"""What the rules ask: files of a study, and fingerprints that change with what matters and with nothing else."""

from pathlib import Path

import yaml

from pipeline import codehash, workflow
from pipeline.agents import AGENTS
from pipeline.models import MODELS
from pipeline.plan import Plan

PLAN = Plan(yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text()))


def closure(*modules):
    return {path.relative_to(codehash.PACKAGE).as_posix() for path in codehash.closure(*modules)}


def test_every_fit_of_a_study_is_asked_for_once():
    study = PLAN.studies["reversal"]
    found = workflow.fits(PLAN, study, "json")
    assert len(found) == len(set(found)) == len(study.sources) * len(study.models)


def test_ablated_networks_and_learners_left_out_are_not_fitted():
    fitted = [source.name for source in PLAN.studies["restless"].fitted]
    assert fitted == ["lstm_restless", "gru_restless", "lowrank_restless", "vanilla_restless", "bayes_optimal"]


def test_primates_have_no_regret_file():
    assert not [path for path in workflow.evaluations(PLAN, PLAN.studies["reversal"]) if "costa2016" in path]


def test_facts_stand_in_only_where_animals_are_asked_for():
    assert workflow.facts([PLAN.studies["bandits"]]) == []
    (path,) = workflow.facts([PLAN.studies["reversal"]])
    assert (codehash.PACKAGE.parent / path).is_file()


def test_fingerprints_repeat_and_tell_tasks_cores_and_learners_apart():
    sources = [PLAN.any_source(name) for name in ("lstm_du", "lstm_de", "gru_du")]
    codes = [workflow.training_code(source) for source in sources]
    assert len(set(codes)) == 3
    assert codes == [workflow.training_code(source) for source in sources]
    assert workflow.rollout_code("ucb", ["du"]) != workflow.rollout_code("gittins", ["du"])


def test_a_fit_depends_on_the_machinery_of_models_and_training_does_not():
    fit = closure("pipeline.models.fitting", "pipeline.models.hierarchy", "pipeline.models.predictive")
    every = {f"models/{path.name}" for path in (codehash.PACKAGE / "models").glob("*.py")} - {"models/__init__.py"}
    cards = {"models/" + MODELS[name].step.__module__.rsplit(".", 1)[1] + ".py" for name in MODELS}
    assert every - cards - fit <= {"models/recover.py"}  # recovery studies are not part of a fit
    trained = closure("pipeline.training.loop", *(AGENTS[a].factory.split(":")[0] for a in ("lstm", "lowrank")))
    assert not [path for path in trained if path.startswith(("models/", "behaviour/", "report/", "comparison/"))]


def test_a_page_depends_on_its_templates(monkeypatch):
    study = [PLAN.studies["reversal"]]
    before = workflow.page_code(study)
    monkeypatch.setattr("pipeline.report.templates", lambda: "other")
    assert workflow.page_code(study) != before


def test_a_network_of_the_matrix_plays_its_own_task_first_and_then_all_others():
    assert workflow.played_by(PLAN, "bandits", "lstm_dm") == ["dm", "di", "du", "de", "dh"]
    for alone in ("lstm_du_noreward", "lstm23_du"):
        assert workflow.played_by(PLAN, "bandits", alone) == ["du"]
    assert workflow.played_by(PLAN, "restless", "gru_restless") == ["restless"]


def test_a_study_needs_no_results_of_other_studies():
    for study in PLAN.studies.values():
        for path in workflow.study_results(PLAN, study):
            assert study.name in path or path.startswith(f"{PLAN.results}/training/")
