"""The bandits page beyond its main figure: the train-by-test matrix, goals and their limits, equal parameter count."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from report_fixture import OPTIMUM, ROOT, config, write_results

from bench.bench_training import projected_minutes
from pipeline.comparison.claim_statistics import regret_over
from pipeline.plan import Plan
from pipeline.report import figures_matrix, sections_limits, sections_matrix
from pipeline.report.blocks import Absent
from pipeline.report.figures_size import compared
from pipeline.report.limits import DRAWN, GOALS, limits, verdict
from pipeline.report.load import load_study
from pipeline.report.selection import selection
from pipeline.report.statistics import excess_curve, matrix_table, measured, own_task, regret_table
from pipeline.report.style import look

CORES = ("lstm", "gru", "lowrank", "vanilla")


@pytest.fixture(scope="module")
def settings():
    found = config("standard")
    return found | {"studies": {"bandits": found["studies"]["bandits"]}}


@pytest.fixture(scope="module")
def results(settings, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    write_results(root, settings, agents=12)
    return load_study(root, "bandits", settings)


def test_the_evaluation_keeps_networks_on_their_own_task_and_the_transfer_the_best_ones_on_every_task(results):
    networks = results.evaluation[results.evaluation["source"].isin(results.names("network", None, None))]
    assert (networks["task"] == networks["training_task"]).all()
    assert (networks.groupby("source").size() == 12).all()
    learner = results.evaluation[results.evaluation["source"] == "ucb"]
    assert sorted(learner["task"]) == sorted(results.plan.tasks)
    own = results.transfer[results.transfer["source"] == "lstm_du"]
    assert own["best"].all() and dict(own.groupby("task").size()) == dict.fromkeys(results.plan.tasks, 5)
    assert set(results.transfer.loc[results.transfer["source"] == "lstm_du_noreward", "task"]) == {"du"}


def test_what_the_study_does_not_ask_for_is_not_reported_as_absent(results, settings, tmp_path):
    assert results.absent == {} and results.volatility.empty and results.episodes.empty
    assert len(results.ideals) == 25 and len(results.agents)
    plain = settings | {"studies": {"bandits": settings["studies"]["bandits"] | {"train_by_test": False}}}
    found = load_study(tmp_path, "bandits", plain)
    assert "ideals" not in found.absent and "volatility" not in found.absent
    asked = load_study(tmp_path, "bandits", settings)
    assert asked.absent["ideals"] == ["optimum/bandits.ideals.csv"]
    volatile = settings["studies"]["bandits"] | {"analyses": ["volatility"]}
    found = load_study(tmp_path, "bandits", settings | {"studies": {"bandits": volatile}})
    assert "behaviour/bandits/ucb.volatility.csv" in found.absent["volatility"]
    assert "behaviour/bandits/ucb.episodes.csv" in found.absent["episodes"]


def test_a_cell_of_the_matrix_holds_the_mean_its_interval_and_both_ideal_agents(results):
    table = matrix_table(results)
    assert len(table) == 4 * 25 and list(dict.fromkeys(table["core"])) == list(CORES)
    row = table[(table["source"] == "gru_di") & (table["task"] == "dh")].iloc[0]
    own = results.transfer[(results.transfer["source"] == "gru_di") & (results.transfer["task"] == "dh")]
    assert row["mean"] == pytest.approx(own["test_regret"].mean()) and row["n"] == 5
    assert row["optimum"] == OPTIMUM["dh"] and row["ideal"] == pytest.approx(1.25 * OPTIMUM["dh"])
    ours = regret_over(measured(results, "gru_di", results.transfer), test="dh", reference="optimum")
    assert (row["ratio"], row["ratio_low"], row["ratio_high"]) == pytest.approx((ours.value, ours.low, ours.high))
    diagonal = table[(table["task"] == table["training_task"]) & (table["source"] == "gru_dh")].iloc[0]
    main = regret_table(results).set_index("source").loc["gru_dh"]
    assert diagonal["mean"] == pytest.approx(main["mean"]) and diagonal["ideal"] == diagonal["optimum"]


def test_without_the_ideal_agents_the_matrix_says_that_they_are_not_known(results):
    table = matrix_table(replace(results, ideals=results.ideals.iloc[:0]))
    assert table["ideal"].isna().all() and table["ratio"].notna().all()
    figure = figures_matrix.matrix(results, table[table["core"] == "gru"], "gru")
    assert "ideal – → 1.75" in figure.svg and figure.svg.count("ideal – →") == 25


def test_shades_darken_with_the_distance_from_the_optimum():
    ratios = [0.9, 1.1, 1.3, 1.6, 2.5, 9]
    assert [figures_matrix.SHADES.index(figures_matrix.shade(r)) for r in ratios] == [0, 1, 2, 3, 4, 5]
    lightness = [sum(int(s[k : k + 2], 16) for k in (1, 3, 5)) for s in figures_matrix.SHADES]
    assert lightness == sorted(lightness, reverse=True)


def test_without_a_matrix_the_section_says_why(results):
    found = figures_matrix.matrices(replace(results, transfer=results.transfer.iloc[:0]))
    assert len(found) == 1 and isinstance(found[0], Absent)


def claim(name, source, verdict, why=""):
    return {"id": name, "source": source, "verdict": verdict, "why": why}


def test_a_pattern_agrees_only_if_all_its_claims_do_and_deviates_if_one_is_contradicted(results):
    undecided = "undecided: interval includes 0"
    rows = [
        claim("w17-di-thompson", "lstm_di", "agrees"),
        claim("w17-di-ucb", "lstm_di", "agrees"),
        claim("w17-di-thompson", "lstm23_di", "deviates", "contradicted: …"),  # equal parameters: another comparison
        claim("w17-di-thompson", "gru_di", "agrees"),
        claim("w17-di-ucb", "gru_di", "deviates", undecided),
        claim("w17-di-thompson", "vanilla_di", "deviates", "contradicted: interval lies above 0"),
        claim("w17-di-ucb", "vanilla_di", "deviates", undecided),
    ]
    table = sections_matrix.patterns(replace(results, claims=pd.DataFrame(rows)))[0]
    assert len(table.rows) == 1
    cells = table.rows[0].cells[1:]
    assert [c.badge for c in cells] == ["agrees", "undecided", "not-run", "deviates"]
    assert cells[1].small == "1 agree, 1 undecided" and cells[3].small == "1 contradicted, 1 undecided"


def test_every_matrix_claim_of_the_resources_belongs_to_one_stated_pattern():
    import re
    from pathlib import Path

    published = pd.read_csv(Path(__file__).parents[1] / "resources" / "published_claims.csv")
    for _, ids in sections_matrix.PATTERNS:
        assert published["id"].str.fullmatch(ids).any(), ids
    for name in published["id"]:
        assert sum(bool(re.fullmatch(ids, name)) for _, ids in sections_matrix.PATTERNS) <= 1


def test_cores_of_equal_parameter_count_stay_out_of_the_main_comparison(results):
    matched = {"lstm23_du", "lstm23_di", "gru27_du", "gru27_di", "lowrank149_du", "lowrank149_di"}
    assert set(results.names("network", matched=True)) == matched
    assert not matched & set(results.names("network")) and not matched & set(own_task(results)["source"])
    assert not matched & set(regret_table(results)["source"]) and not matched & set(matrix_table(results)["source"])
    apart = own_task(results, True)
    assert matched < set(apart["source"]) and "ucb" in set(apart["source"]) and "lstm_du" not in set(apart["source"])
    assert matched | {"lstm_du", "ucb"} < set(own_task(results, None)["source"])
    assert look(results.source("lstm23_du")).colour == look(results.source("lstm_du")).colour


def test_cores_are_compared_at_equal_parameters_and_at_equal_units_with_the_vanilla_network_in_both(results):
    table = compared(results)
    assert set(table["task"]) == {"du", "di"} and len(table) == 14
    du = table[table["task"] == "du"].set_index("core")
    assert (du.loc[du["matched"], "parameters"] / 2691).between(0.98, 1.02).all()
    assert set(du.index[du["matched"]]) == {"vanilla", "lstm23", "gru27", "lowrank149"}
    assert set(du.index[du["equal_units"]]) == set(CORES) and (du.loc[list(CORES), "units"] == 48).all()
    assert du.loc["lstm", "row"] == "LSTM, 48 units · 10,323" and du.loc["lstm23", "row"].startswith("LSTM, 23 units")


def test_a_goal_is_reached_or_missed_only_with_the_whole_interval():
    row = type("Row", (), {})()
    for low, high, said in (
        (1.0, 1.1, "reached"),
        (1.0, 1.2, "undecided"),
        (1.16, 1.3, "missed"),
        (1, np.nan, "undecided"),
    ):
        row.ratio_low, row.ratio_high = low, high
        assert verdict(row, 1.15) == said


def test_limits_hold_every_goal_with_the_setting_that_ranked_first_and_the_early_share_of_the_excess(results):
    table = limits(results).set_index("source")
    assert len(table) == sum(len(goals) for goals in GOALS.values())
    own = results.evaluation[results.evaluation["source"] == "lstm_dm"]
    first = own.loc[own["ranking_regret"].idxmin()]
    row = table.loc["lstm_dm"]
    assert row["single"] == pytest.approx(first["test_regret"] / OPTIMUM["dm"])
    curve = excess_curve(results, "lstm_dm", "dm").set_index("x")["value"]
    assert row["excess"] == pytest.approx(curve[100]) and row["early"] == pytest.approx(curve[20] / curve[100])
    curves = results.curves[(results.curves["task"] == "dm") & (results.curves["subject"] == "all")]
    curves = curves[curves["curve"] == "regret"].set_index(["source", "x"])["value"]
    assert curve[50] == pytest.approx(curves["lstm_dm", 50] - curves["bayes_optimal", 50])


def test_correlations_are_corrected_for_all_that_were_tried(results):
    table = limits(results)
    tried = np.concatenate([table[f"p_{name}"].dropna() for name in DRAWN])
    held = np.concatenate([table[f"holm_{name}"].dropna() for name in DRAWN])
    assert len(tried) == len(held) > 1
    order = np.argsort(tried)
    steps = np.minimum(1, np.maximum.accumulate(tried[order] * np.arange(len(tried), 0, -1)))  # Holm 1979, by hand
    np.testing.assert_allclose(held[order], steps)
    assert f"for all {len(tried)} correlations tried" in sections_limits.goal_table(results, table)[0].caption


def test_every_claim_on_dependent_arms_is_behind_a_stated_pattern():
    claims = pd.read_csv(ROOT / "resources" / "published_claims.csv")
    own = claims[(claims["study"] == "bandits") & (claims["paper"] == "Wang et al. 2017")]
    ids = [i for i in own["id"] if i != "w17-ablation"]
    assert {i: sum(bool(re.fullmatch(p, i)) for _, p in sections_matrix.PATTERNS) for i in ids} == dict.fromkeys(ids, 1)


def test_every_goal_that_the_mean_does_not_meet_has_its_reason_on_the_page(results):
    table = limits(results)
    above = table[table["ratio"] > table["goal"]]
    html = str(sections_limits.reasons(results, table)[0].html)
    assert len(above) and html.count("<li>") == len(above)
    for r in above.itertuples():
        assert f"{r.ratio:.2f} × against {r.goal:.2f} ×" in html


def trained(results, stop):
    """The same results under a config that stops settings at chance, or does not."""
    scale = results.config["scales"]["standard"]
    scale = scale | {"training": scale.get("training", {}) | {"stop_at_chance": stop}}
    return replace(results, config=results.config | {"scales": {"standard": scale}})


def test_settings_stopped_at_chance_are_counted_from_the_tables_of_the_training(results):
    stop = trained(results, True)
    table = sections_limits.all_settings(stop)[0]
    stopped = [row.cells[2].text for row in table.rows if not row.heading]
    assert set(stopped) == {"1"} and f"stopped there: {len(stopped)} in all" in table.caption
    assert "none was stopped" in sections_limits.all_settings(trained(results, False))[0].caption
    unknown = replace(stop, agents=results.agents.iloc[:0])
    assert "is not known" in sections_limits.all_settings(unknown)[0].caption


def test_unequal_numbers_of_settings_are_said_core_by_core(results):
    plan = Plan(results.config)
    if plan.training("lstm_du")["settings"] != plan.training("gru_du")["settings"]:
        assert f"LSTM {plan.training('lstm_du')['settings']}" in selection(results)
    assert str(plan.training("gru_du")["settings"]) in selection(results)


def test_the_projected_time_of_the_printed_experiments_is_that_of_three_rounds_of_jobs():
    # 100 settings × 20,000 episodes × 100 trials at 200,000 trials per second: 1,000 s a job, five jobs on two cores
    assert projected_minutes(200_000) == pytest.approx(3 * 1000 / 60)
