"""The two-step page: what it draws of whom, and what it says where there is nothing."""

import pytest
import yaml
from report_fixture import ROOT

from pipeline.agents import AGENTS
from pipeline.agents.optimum import chance_regret, optimal_regret
from pipeline.behaviour.run import analyse
from pipeline.plan import Plan
from pipeline.report import PAGES, figures_two_step, sections_two_step
from pipeline.report.blocks import Absent, Figure, Table
from pipeline.report.load import load_study
from pipeline.report.methods_two_step import two_step
from pipeline.rollout import table
from pipeline.tasks import TASKS
from pipeline.training.evaluate import evaluate

LEARNERS = ("bayes_optimal", "model_based", "model_free", "random")
FILLED = {"summary", "stay", "effects", "lags", "regret"}  # sections that learners alone can fill


@pytest.fixture(scope="module")
def plan():
    return Plan(yaml.safe_load((ROOT / "config.yaml").read_text()) | {"scale": "standard"})


@pytest.fixture(scope="module")
def results(plan, tmp_path_factory):
    """Real results of the learners; no network was trained."""
    root, task = tmp_path_factory.mktemp("two_step"), TASKS["two_step"]
    bounds = {"chance_regret": chance_regret("two_step"), "optimum_regret": optimal_regret("two_step")}
    for folder in ("evaluation", "behaviour"):
        (root / folder / "two_step").mkdir(parents=True)
    for name in LEARNERS:
        agent = AGENTS[name].load()(task, **AGENTS[name].settings)
        rows, played = evaluate(agent, task, 10, 500, 1, 1, source=name, name=name, **bounds)
        rows.to_csv(root / "evaluation" / "two_step" / f"{name}.csv", index=False)
        for kind, found in analyse(table(played, name), replicates=5).items():
            found.to_csv(root / "behaviour" / "two_step" / f"{name}.{kind}.csv", index=False)
    return load_study(root, "two_step", plan)


def test_every_section_that_learners_can_fill_is_filled(results):
    for section in PAGES["two_step"].sections:
        blocks = section.load()(results)
        if section.name in FILLED:
            assert blocks and not any(isinstance(b, Absent) for b in blocks), section.name
    assert isinstance(PAGES["two_step"].load("picture")(results), Figure)


def test_the_relative_reward_effect_leaves_out_who_has_no_interaction_and_says_so(results):
    figure = figures_two_step.ratio(results)
    assert "want of an interaction to be relative to: Random choice" in figure.caption
    assert "Random choice" not in figure.svg and "Model-based" in figure.svg


def test_tables_flag_the_separated_fit_of_the_exact_filter_alone(results):
    logit = sections_two_step.effects(results)[1]
    remarks = {row.cells[0].text: row.cells[-1].text for row in logit.rows}
    assert remarks["Bayes-optimal (exact)"].startswith("separated") and remarks["Random choice"] == ""
    assert isinstance(logit, Table) and len(logit.rows) == len(LEARNERS)


def test_the_caption_of_the_summary_gives_reward_at_chance_and_at_the_optimum(results):
    caption = sections_two_step.summary(results)[0].caption
    assert "6.69 for the exact optimum, 5.00 at chance and 7.00" in caption and "0.312 of the 2.0 rewards" in caption


def test_methods_name_every_two_step_regression_and_their_sources(results):
    paragraph = two_step(results)
    assert "delta method" in paragraph.html and len(paragraph.references) >= 3


def test_without_results_every_section_says_why(plan, tmp_path):
    nothing = load_study(tmp_path, "two_step", plan)
    assert sections_two_step.answer(nothing).startswith("Not answered")
    for name in ("summary", "stay", "effects", "lags"):
        blocks = next(s for s in PAGES["two_step"].sections if s.name == name).load()(nothing)
        assert all(isinstance(b, Absent) and b.reason for b in blocks), name
