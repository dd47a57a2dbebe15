"""The page on the restless bandit, from made-up tidy results."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import report_fixture
import yaml
from report_fixture import ROOT, write_results
from test_report_pages import Outline, figures_of, text_of

from pipeline.behaviour.volatility import COLUMNS, GAP, _rows
from pipeline.plan import Plan
from pipeline.provenance import provenance
from pipeline.report import PAGES, build
from pipeline.report.figures_restless import PER_THIRD, binned
from pipeline.report.load import load_study
from pipeline.report.statistics import simulated_optimum
from pipeline.seeds import generator

SLOPE = {"network": 3.0, "learner": 0.0}  # of α on ν
BOUND = 17  # episodes of every subject with a fit at a bound


def config(tasks=("restless",)) -> dict:
    found = yaml.safe_load((ROOT / "config.yaml").read_text())
    restless = found["studies"]["restless"] | {"tasks": list(tasks)}
    return found | {"scale": "standard", "studies": {"restless": restless}}


def made_up_fits(source, task, episodes=300) -> pd.DataFrame:
    """Fits of episodes whose learning rate rises with ν, for networks and the exact filters."""
    draw, parts = generator(3, source.name, task), []
    slope = 3.0 if source.kind == "network" or source.name.startswith("bayes") else 0.0
    for number in range(5 if source.kind == "network" else 1):
        volatility = draw.uniform(0, 0.2, episodes)
        alpha = np.clip(0.4 + slope * (volatility - 0.1) + 0.2 * draw.standard_normal(episodes), 0.01, 0.99)
        alpha[:BOUND] = 1.0
        alpha[BOUND] = np.nan  # β = 0
        frame = pd.DataFrame({"volatility": volatility, "alpha": alpha, "episode": np.arange(1, episodes + 1)})
        frame = frame.assign(subject=f"{source.agent}{number + 1:03d}".replace("_", ""), session=1, beta=4.0)
        parts.append(frame.assign(log_likelihood=-80.0, at_bound=(np.arange(episodes) < BOUND).astype(int)))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(source=source.name, task=task, one_option=0, n_trials=150)[list(COLUMNS["episodes"])]


def build_page(root, monkeypatch, tasks=("restless",), episodes=300):
    for table, value in ((report_fixture.OPTIMUM, 21.5), (report_fixture.CHANCE, 50.0)):
        for task in tasks:
            monkeypatch.setitem(table, task, value)
    settings = config(tasks)
    plan = Plan(settings)
    write_results(root, settings, agents=8)
    for source in plan.studies["restless"].sources:
        trained = [source.task] if source.kind == "network" else plan.studies["restless"].tasks
        fitted = pd.concat([made_up_fits(source, task, episodes) for task in trained])
        who = {"source": source.name, "species": source.kind}
        rows = [row for task in trained
                for row in _rows(fitted[fitted["task"] == task], who | {"task": task}, GAP, 0.95)]  # fmt: skip
        for name, frame in (("volatility", pd.DataFrame(rows)), ("episodes", fitted)):
            frame.to_csv(root / "behaviour" / "restless" / f"{source.name}.{name}.csv", index=False)
    results = load_study(root, "restless", plan)
    facts = provenance(settings, 1, "0123456789abcdef", now=datetime(2000, 1, 1, tzinfo=UTC))
    context = build.Context(facts | {"commit": "0" * 40, "dirty": False}, list(plan.studies), {})
    return results, build.page(results, context)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return build_page(tmp_path_factory.mktemp("restless"), patch, episodes=1000)


def test_the_page_is_well_formed_small_and_has_every_section(built):
    _, html = built
    outline = Outline(html)
    assert not outline.open
    assert len(set(outline.ids)) == len(outline.ids)
    assert len(html.encode()) < 2_000_000
    assert all(f'<h2 id="{section.name}">' in html for section in PAGES["restless"].sections)


def test_every_figure_asks_a_question_and_says_n_and_what_to_look_for(built):
    _, html = built
    bodies = dict(figures_of(html))
    assert {"learning-rate", "regret", "settings", "training", "ablation"} <= set(bodies)
    for slug, body in bodies.items():
        if slug.startswith("posterior"):
            continue
        caption = re.search(r"<figcaption>(.*?)</figcaption>", body, re.DOTALL)[1]
        assert re.search(r"<h3>(.*?)</h3>", body)[1].endswith("?"), slug
        assert re.search(r"\bn\b[^.]*?\d", caption), slug
        assert "Look for" in caption, slug
    assert "ranking episodes" in bodies["learning-rate"]


def test_our_numbers_stand_beside_the_printed_ones_and_the_ideal_observer(built):
    results, html = built
    body = text_of(html)
    assert "Printed: LSTM" in body and "1,000 is derived" in body and "p = 1e−61" in body and ".24" in body
    table = re.search(r'id="volatility".*?</table>', html, re.DOTALL)[0]
    assert "LSTM" in table and results.label("bayes_optimal") in table
    own = results.volatility
    value = own[(own["source"] == "lstm_restless") & (own["subject"] == "all")].set_index("statistic")["value"]
    assert f"{value['alpha_slope']:.3f}" in table and f"{value['alpha_r_squared']:.3f}" in table
    assert "p ≤" in table  # the largest over networks
    total, at_bound = len(results.episodes), int(results.episodes["at_bound"].sum())
    assert f"Of {total:,} episodes of all sources, {at_bound:,} have a fit at a bound" in body


def test_an_optimum_that_is_simulated_is_said_to_be_with_its_standard_error(built):
    results, _ = built
    assert simulated_optimum(results) == ""  # the made-up optimum is exact
    frame = results.evaluation.assign(optimum_standard_error=0.07)
    said = simulated_optimum(replace(results, evaluation=frame))
    assert "simulated" in said and "0.07" in said


def test_the_slope_of_the_hierarchical_model_is_shown_for_every_source(built):
    results, html = built
    body = dict(figures_of(html))["posterior-volatility-rescorla-wagner"]
    assert "a₁" in body
    assert set(results.posterior["parameter"]) >= {"a0", "a1", "beta"}


def test_both_exact_filters_are_references_of_regret(built):
    _, html = built
    table = re.search(r'id="filters".*?</table>', html, re.DOTALL)[0]
    assert "filter that infers ν" in table and "filter that knows ν" in table


def test_bins_divide_the_thirds_evenly_and_average_within_subjects_first():
    volatility = np.linspace(0, 0.2, 1201)
    own = pd.DataFrame({"volatility": volatility, "alpha": 2 * volatility, "subject": "a"})
    other = own.assign(alpha=own["alpha"] + 0.2, subject="b").iloc[::3]
    found = binned(pd.concat([own, other]))
    assert len(found) == 3 * PER_THIRD
    np.testing.assert_allclose(found["x"], (np.arange(12) + 0.5) * 0.2 / 12, atol=1e-12)
    np.testing.assert_allclose(found["value"], 2 * found["x"] + 0.1, atol=2e-3)  # subjects weigh the same
    assert found["n"].sum() == len(own) + len(other)
    nothing = binned(own.assign(alpha=np.nan))
    assert nothing.empty


def test_a_run_without_results_gives_a_page_that_says_so(tmp_path):
    plan = Plan(config())
    context = build.Context(provenance(config(), 1), list(plan.studies))
    html = build.page(load_study(tmp_path, "restless", plan), context)
    assert not Outline(html).open
    assert "Not answered" in html and "The pipeline has not written " in html


def test_volatility_read_both_ways_gives_a_panel_of_each(tmp_path, monkeypatch):
    results, html = build_page(tmp_path, monkeypatch, ("restless", "restless_sd"), 60)
    assert set(results.episodes["task"]) == {"restless", "restless_sd"}
    assert not Outline(html).open
    assert html.count("LSTM · ") >= 2
