"""What the rules ask: files of a study, and fingerprints that change with what matters and with nothing else."""

import copy
from pathlib import Path

import yaml

from pipeline import codehash, workflow
from pipeline.agents import AGENTS
from pipeline.models import MODELS
from pipeline.plan import Plan

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
PLAN = Plan(CONFIG)


def closure(*modules):
    return {path.relative_to(codehash.PACKAGE).as_posix() for path in codehash.closure(*modules)}


def test_every_fit_of_a_study_is_asked_for_once():
    study = PLAN.studies["reversal"]
    found = workflow.fits(PLAN, study, "json")
    assert len(found) == len(set(found)) == len(study.fits)


def test_ablated_networks_and_learners_left_out_are_not_fitted():
    fitted = [source.name for source in PLAN.studies["restless"].fitted]
    assert fitted == ["lstm_restless", "gru_restless", "lowrank_restless", "vanilla_restless", "bayes_optimal"]


def test_fits_read_the_first_episodes_of_networks_and_every_session_of_animals():
    found = copy.deepcopy(CONFIG)
    found["studies"]["reversal"]["fit_episodes"] = 100
    plan = Plan(found)
    assert workflow.episodes_read(plan, "reversal", "lstm_reversal") == 100
    assert workflow.episodes_read(plan, "reversal", "costa2016_monkey_prl") == 0


def test_every_model_of_a_checked_study_has_its_recovery_and_ranks():
    found = copy.deepcopy(CONFIG)
    numbers = {"datasets": 200, "tune": 200, "draws": 250, "confusion": 40, "planted": 60}
    found["scales"]["standard"]["checks"] = numbers
    found["studies"]["restless"] |= {"checks": True, "planted": "volatility_rescorla_wagner"}
    plan = Plan(found)
    study = plan.studies["restless"]
    files = workflow.checks(plan, study)
    assert len(files) == len(set(files)) == 2 * len(study.models) + 2
    assert f"{plan.results}/checks/restless.planted.csv" in files
    assert workflow.checks(plan, plan.studies["bandits"]) == []


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
    cards = closure(*(MODELS[name].step.__module__ for name in MODELS))
    checks = closure("pipeline.models.calibrate", "pipeline.models.structures", "pipeline.models.worlds")
    shown = {"models/verdicts.py"}  # read by the pages alone
    assert every - cards - checks - fit - shown <= {"models/recover.py"}  # sweeps by hand are part of no result
    assert "models/calibrate.py" not in fit  # checks are made anew when fits change, not the other way round
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
