"""The page on the task with an informative arm, from small results that the pipeline's own functions made."""

import re
from datetime import UTC, datetime

import pandas as pd
import pytest
import yaml
from report_fixture import ROOT

from pipeline.agents import AGENTS
from pipeline.agents.optimum import bounds
from pipeline.behaviour.run import analyse
from pipeline.plan import Plan
from pipeline.provenance import provenance
from pipeline.report import PAGES, build
from pipeline.report import figures_informative_arm as figures
from pipeline.report import sections_informative_arm as sections
from pipeline.report.blocks import Absent, Figure, Note, Table
from pipeline.report.load import load_study
from pipeline.report.statistics import best_per_trial, reward_bounds
from pipeline.rollout import table
from pipeline.tasks import TASKS
from pipeline.training import Training, train
from pipeline.training.evaluate import evaluate

NAME, TASK = "informative_arm", TASKS["informative_arm"]


def settings():
    found = yaml.safe_load((ROOT / "config.yaml").read_text())
    return found | {"studies": {NAME: found["studies"][NAME]}}


def write_study(root):
    """What the workflow leaves of this study: evaluation, training curves, summaries and curves of every source."""
    ends = bounds(NAME)
    for source in Plan(settings()).studies[NAME].sources:
        if source.kind == "network":
            training = Training(settings=3, training_episodes=64, episodes_per_update=16, learning_rate=(1e-3, 5e-3))
            agent = train(source.agent, NAME, training, 5, reward_input=source.reward_input, progress=False)
            (root / "training" / source.name).mkdir(parents=True)
            agent.curve.to_csv(root / "training" / source.name / "curve.csv", index=False)
        else:
            agent = AGENTS[source.agent].load()(TASK, **AGENTS[source.agent].settings)
        numbers = {"ranking_episodes": 40, "test_episodes": 120, "best": 2, "seed": 5}
        rows, played = evaluate(agent, TASK, **numbers, source=source.name, name=source.agent, **ends)
        found = analyse(table(played, source.name, episodes=40), replicates=50, lags=2)
        for folder in ("evaluation", "behaviour"):
            (root / folder / NAME).mkdir(parents=True, exist_ok=True)
        rows.to_csv(root / "evaluation" / NAME / f"{source.name}.csv", index=False)
        for kind, frame in found.items():
            frame.to_csv(root / "behaviour" / NAME / f"{source.name}.{kind}.csv", index=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("informative")
    write_study(root)
    return load_study(root, NAME, Plan(settings()))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    return load_study(tmp_path_factory.mktemp("empty"), NAME, Plan(settings()))


def page_of(results):
    facts = provenance(settings(), 1, "0123456789abcdef", now=datetime(2000, 1, 1, tzinfo=UTC))
    return build.page(results, build.Context(facts | {"commit": "0" * 40, "dirty": False}, [NAME]))


def cells(block):
    return {row.cells[0].text: [cell.text for cell in row.cells] for row in block.rows}


def test_the_page_has_all_its_sections_and_figures(results):
    html = page_of(results)
    assert all(f'id="{section.name}"' in html for section in PAGES[NAME].sections)
    assert set(re.findall(r'<figure id="figure-([a-z-]+)">', html)) == {
        "return",
        "choices",
        "settings",
        "training",
        "ablation",
    }
    assert len(html.encode()) < 2_000_000 and "nan" not in re.sub(r"<[^>]*>", " ", html).lower().split()


def test_rewards_of_the_table_are_those_that_the_sources_earned(results):
    found = figures.return_table(results, ablated=True).set_index("source")
    for name, row in found.iterrows():
        own = results.evaluation[results.evaluation["source"] == name]
        own = own[own["best"].astype(bool)]
        assert row["mean"] == pytest.approx(own["test_reward"].astype(float).mean(), abs=1e-4)
        assert row["low"] <= row["mean"] <= row["high"]
    assert found["optimum"].iloc[0] == pytest.approx(20.55) and found["blind"].iloc[0] == 7
    assert found["chance"].iloc[0] == pytest.approx(6.6136, abs=1e-4)
    assert found.loc["bayes_optimal", "mean"] == pytest.approx(20.55, abs=0.15)
    assert found.loc["thompson_target", "mean"] == pytest.approx(11, abs=2.5)


def test_the_summary_says_who_asks_first_and_who_follows_the_optimal_policy(results):
    rows = cells(sections.summary(results)[0])
    assert rows["Exact optimum"][1] == "20.55" and rows["Chance"][2] == "−13.94"
    assert rows[results.label("bayes_optimal")][3:5] == ["1.000", "1.000"]
    assert rows[results.label("thompson_target")][3:5] == ["0.000", "0.000"]
    label = results.label("lstm_informative_arm")
    assert rows[label][5].endswith("/ 3") and results.label("lstm_informative_arm_noreward") in rows


def test_every_network_trained_stands_in_the_table(results):
    (made,) = sections.every_network(results)
    names = {row.cells[0].text for row in made.rows if not row.heading}
    assert {"lstm001", "gru002", "lowrank003", "vanilla001"} <= names
    frame = results.evaluation[results.evaluation["source"] == "gru_informative_arm"].sort_values("rank")
    row = next(r for r in made.rows if r.cells[0].text == frame["subject"].iloc[0])
    assert float(row.cells[3].text) == pytest.approx(float(frame["test_reward"].iloc[0]), abs=0.006)


def test_there_is_a_panel_of_choices_for_every_core_and_learner(results):
    figure = figures.choices(results)
    for name in (*results.names("network"), *results.names("learner")):
        assert results.label(name) in figure.svg
    assert {key.label for key in figure.legend} == {"informative arm", "target", "any other arm"}
    own = results.curves[results.curves["subject"] == "all"]
    total = own[own["curve"].isin(figures.KINDS)].groupby(["source", "x"])["value"].sum()
    assert total.to_numpy() == pytest.approx(1)


def test_with_one_learning_rate_for_all_no_figure_of_learning_rates_is_drawn(results):
    assert isinstance(sections.settings(results)[0], Figure)
    whole = results.evaluation
    try:
        results.evaluation = whole.assign(
            learning_rate=whole["learning_rate"].where(whole["learning_rate"].isna(), 0.001)
        )
        (block,) = sections.settings(results)
        assert isinstance(block, Note) and "0.001" in block.html
    finally:
        results.evaluation = whole


def test_training_curves_run_between_chance_and_optimum_in_rewards_per_trial(results):
    own = results.evaluation
    best = best_per_trial(NAME, own)
    assert best == pytest.approx(5, abs=1e-4)
    assert reward_bounds(NAME, 25 - 6.6136, 4.45, best) == pytest.approx((6.6136 / 5, 20.55 / 5), abs=1e-4)
    assert best_per_trial("du", own) is None
    figure = sections.training(results)[0]
    assert isinstance(figure, Figure) and "4.0" in figure.svg


def test_the_ablation_is_measured_against_the_blind_policy(results):
    figure = sections.ablation(results)[0]
    assert "blind" in figure.question and "leave the informative arm alone" in figure.caption


def test_the_answer_names_every_core_and_thompson_sampling(results):
    text = sections.answer(results)
    for name in results.names("network"):
        assert results.label(name) in text
    assert "20.55" in text and "Thompson" in text


def test_without_results_every_section_says_what_is_missing(nothing):
    assert sections.answer(nothing).startswith("Not answered")
    for section in PAGES[NAME].sections:
        for block in section.load()(nothing):
            assert isinstance(block, Absent | Note | Table)
    assert "has not written" in page_of(nothing)


def test_a_run_without_ablation_says_so(results):
    bare = pd.Series(results.sources)
    whole = results.sources
    try:
        results.sources = tuple(s for s in bare if s.reward_input)
        assert "No network" in sections.ablation(results)[0].html
    finally:
        results.sources = whole
