"""Parts of the report: numbers and intervals, equations, figures, loading."""

import re
from dataclasses import fields, replace
from inspect import signature
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd
import pytest
import yaml
from report_fixture import ROOT, config, write_results
from scipy.stats import t as student

from pipeline.agents import AGENTS, optimum_restless
from pipeline.agents.cores import LowRank
from pipeline.behaviour import STATISTICS
from pipeline.comparison.claim_statistics import Source, regret_over
from pipeline.models import MODELS
from pipeline.plan import Plan
from pipeline.report import PAGES, templates
from pipeline.report.draw import data, svg
from pipeline.report.figures_behaviour import fact_curves
from pipeline.report.figures_stacking import stacking
from pipeline.report.figures_typicality import outside
from pipeline.report.load import load_study
from pipeline.report.mathml import mathml
from pipeline.report.methods import CORES, OUTCOME_REGRET, PARAGRAPHS, REGRET
from pipeline.report.methods_analysis import HISTORY, LEAVE_OUT, probe_rows
from pipeline.report.methods_training import (
    ADVANTAGE,
    FIELDS,
    GAIN,
    LOSS,
    LOSS_NORMALISED,
    NORMALISED,
    at_paper_scale,
    selection,
    settings_rows,
)
from pipeline.report.printed import printed
from pipeline.report.references import references
from pipeline.report.sections_models import posterior_table
from pipeline.report.statistics import LEARNED, crossing, regret_table, reward_bounds
from pipeline.report.style import CORES as COLOURS
from pipeline.report.style import LEARNERS, animals, count, interval, listed, number, prose, significant, task_label
from pipeline.tasks import TASKS
from pipeline.training import Training


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    settings = config("quick")
    write_results(root, settings, agents=8)
    return {study: load_study(root, study, settings) for study in Plan(settings).studies}


def test_numbers_are_written_with_true_minus_signs_and_dashes_for_missing_values():
    assert number(-0.1234) == "−0.123" and number(-0.0001) == "0.000" and number(1234.5, 1) == "1,234.5"
    assert number(None) == number(float("nan")) == number(pd.NA) == number("") == count(np.nan) == "–"
    assert interval(-1, 2, 1) == "[−1.0, 2.0]" and interval(np.nan, 2) == ""
    assert significant(0.000123) == "0.000123" and significant(12345.6) == "12,346" and significant(0.62, 2) == "0.62"
    assert listed(["a"]) == "a" and listed("abc") == "a, b and c" and listed([]) == ""


def test_distributions_are_written_with_true_subscripts():
    assert task_label("du") == "Dᵤ" and prose("on D_h, not MD_h or D_hard") == "on Dₕ, not MD_h or D_hard"


def test_animals_keep_the_order_of_the_registry_whatever_the_order_of_the_table():
    assert animals("costa2016_monkey_prl", ["BB10", "BB8", "BB6", "X1"]) == ["BB6", "BB8", "BB10", "X1"]


def test_the_regret_table_takes_the_best_agents_and_divides_by_the_exact_optimum(results):
    frame = results["bandits"].evaluation
    table = regret_table(results["bandits"]).set_index(["task", "source"])
    own = frame[frame["source"] == "lstm_du"]
    row = table.loc[("du", "lstm_du")]
    assert row["n"] == 5 and row["settings"] == 8
    assert row["mean"] == pytest.approx(own.loc[own["best"], "test_regret"].mean())
    assert row["ratio"] == pytest.approx(row["mean"] / 1.221) and row["median"] == own["test_regret"].median()
    learner = table.loc[("du", "thompson")]
    half = student.ppf(0.975, 1999) * 0.03
    assert (learner["low"], learner["high"]) == pytest.approx((2.3 * 1.221 - half, 2.3 * 1.221 + half))
    assert row["same"] == pytest.approx(row["mean"] / (1.02 * 1.221))  # the exact learner on the same episodes
    best = own.loc[own["best"], "test_regret"]
    parts = np.array([best.var() / 5, 0.03**2])  # the agents, and the test episodes that they share
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / 4 + parts[1] ** 2 / 1e6)
    assert row["high"] - row["mean"] == pytest.approx(student.ppf(0.975, freedom) * np.sqrt(parts.sum()))
    measured = regret_over(Source("lstm_du", {"evaluation": frame}), test="du", reference="optimum")
    assert (row["ratio"], row["ratio_low"], row["ratio_high"]) == pytest.approx(
        (measured.value, measured.low, measured.high)
    )


def test_rows_of_networks_tested_on_another_task_do_not_enter_the_regret_of_their_own(results):
    r = results["bandits"]
    other = r.evaluation[r.evaluation["source"] == "lstm_du"].assign(task="dh", test_regret=99.0)
    whole = r.evaluation
    try:
        r.evaluation = pd.concat([whole, other], ignore_index=True)
        assert not (regret_table(r)["mean"] == 99).any()
    finally:
        r.evaluation = whole


def test_reward_at_the_optimum_follows_from_the_two_regrets():
    # D_e: the better arm pays .9; the optimum loses .625 rewards in 100 trials
    assert reward_bounds("de", 40.0, 0.625) == pytest.approx((0.5, 0.9 - 0.00625))


def test_a_reversal_curve_crosses_one_half_at_the_first_trial_from_the_reversal_on():
    curve = pd.DataFrame({"x": [2, -1, 0, 1, 3], "value": [0.55, 0.9, 0.1, 0.4, 0.45]})
    assert crossing(curve) == 2 and np.isnan(crossing(curve, 0.95))


def test_kept_facts_become_curves_of_each_animal():
    facts = pd.DataFrame(
        {
            "subject": ["BB6", "all", "BB6", "BB6"],
            "value": [0.3, 0.2, 0.1, 0.9],
            "n": [1, 2, 3, 4],
            "statistic": ["newly_better_after_1", "newly_better_after_0", "newly_better_after_0", "win_stay"],
        }
    )
    curve = fact_curves(facts, "reversal")
    assert curve[["subject", "x", "value"]].to_numpy().tolist() == [["BB6", 0, 0.1], ["BB6", 1, 0.3]]
    assert fact_curves(facts, "reward_kernel").empty and fact_curves(None, "reversal").empty


def test_every_equation_of_cards_and_methods_becomes_well_formed_mathml():
    equations = [m.equation for m in MODELS.values()] + [
        LOSS,
        LOSS_NORMALISED,
        NORMALISED,
        LEAVE_OUT,
        ADVANTAGE,
        REGRET,
        OUTCOME_REGRET,
        HISTORY,
        *(e for e, _ in CORES.values() if e),
    ]
    for latex in equations:
        root = ElementTree.fromstring(mathml(latex))
        assert root.tag == "math", latex
        assert "\\" not in "".join(root.itertext()), latex


def test_mathml_sets_scripts_fractions_and_text_as_latex_means_them():
    assert (
        mathml("x_t^2") == '<math display="block"><mrow><msubsup><mi>x</mi><mi>t</mi><mn>2</mn></msubsup></mrow></math>'
    )
    assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in mathml(r"\frac{a}{b}")
    assert "<munderover><mo>∑</mo>" in mathml(r"\sum_{k=1}^{L} b_k")
    assert (
        "if&#160;r" in mathml(r"\text{if r}")
        and "<mi>α</mi>" in mathml(r"\alpha")
        and "<mi>ω</mi>" in mathml(r"\omega")
    )
    assert mathml(r"\unheard{x}") == r'<code class="latex">\unheard{x}</code>' and "<code" in mathml("{x")


def test_figures_are_the_same_bytes_again_and_their_ids_carry_the_name_of_the_figure():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [0.1, np.nan, 0.3]})

    def draw(slug):
        return svg(alt.Chart(data(frame)).mark_line(clip=True).encode(x="x:Q", y="y:Q"), slug, 'a "label" & more')

    first = draw("one")
    assert first == draw("one")
    ElementTree.fromstring(first)
    assert 'aria-label="a &quot;label&quot; &amp; more"' in first
    ids = re.findall(r'\bid="([^"]+)"', first)
    assert ids and all(name.startswith("one-") for name in ids) and all(f"url(#{name})" in first for name in ids)
    assert not set(ids) & set(re.findall(r'\bid="([^"]+)"', draw("two")))


def test_colours_of_cores_are_those_of_the_palette_for_colour_blind_readers():
    okabe_ito = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert len(set(COLOURS.values())) == len(COLOURS) and set(COLOURS.values()) <= okabe_ito


def test_every_declared_section_answer_picture_and_paragraph_can_be_loaded():
    for page in PAGES.values():
        assert all(callable(section.load()) for section in page.sections)
        assert callable(page.load("answer")) and callable(page.load("picture"))
        assert set(page.methods) <= set(PARAGRAPHS)


def test_a_study_without_sections_of_its_own_still_has_a_page(results, monkeypatch):
    from pipeline.provenance import provenance
    from pipeline.report import build

    monkeypatch.setattr(build, "PAGES", {})
    html = build.page(results["bandits"], build.Context(provenance(config(), 1), ["bandits"]))
    assert "<h1>Bandits</h1>" in html and "Published claims" in html


def test_only_sources_of_the_plan_are_read_and_files_that_lack_are_named(tmp_path):
    settings = config("quick")
    write_results(tmp_path, settings, agents=8)
    stray = tmp_path / "evaluation" / "bandits" / "gru_du.csv"
    stray.write_text((tmp_path / "evaluation" / "bandits" / "lstm_du.csv").read_text())
    (tmp_path / "behaviour" / "bandits" / "ucb.curves.csv").unlink()
    found = load_study(tmp_path, "bandits", settings)
    assert "gru_du" not in set(found.evaluation["source"])
    assert found.absent == {"curves": ["behaviour/bandits/ucb.curves.csv"]}
    assert "behaviour/bandits/ucb.curves.csv" in found.why_absent("curves")


def test_the_fingerprint_of_the_templates_is_stable_within_a_checkout():
    assert templates() == templates() and re.fullmatch(r"[0-9a-f]{16}", templates())


def test_every_training_setting_is_in_the_table_with_its_value_and_departures_are_marked(results):
    assert set(FIELDS) == {field.name for field in fields(Training)}
    table = {row[0]: row[1:] for row in settings_rows(results["bandits"])}
    assert len(table) == len(FIELDS) + 5
    others = {"reversal", "daw_two_step", "miranda_two_step"}  # tasks of other papers
    assert all(printed(task, name) is not None for name in FIELDS for task in TASKS if task not in others)
    assert table["Episodes per update"] == ("16", "1", "differs")
    assert table["Value cost β_v, of ½ (R − V)²"] == ("0.05", ".05", "")
    assert table["λ of the generalised advantage"][0] == f"{Training().trace:g}"
    assert table["Test episodes"][0] == "500" and table["Test episodes"][2] == ""  # printed for experiment 1 only


def test_settings_that_differ_between_cores_are_given_per_core(results):
    r = replace(results["bandits"], config=results["bandits"].config | {"cores": {"lowrank": {"clip": 0.5}}})
    table = {row[0]: row[1] for row in settings_rows(r)}
    assert "LSTM: 0.05; " in table["Largest gradient norm, per network"]
    assert "Low-rank RNN: 0.5" in table["Largest gradient norm, per network"]
    assert ":" not in table["Value cost β_v, of ½ (R − V)²"]


@pytest.fixture(scope="module")
def planned():
    """Every study at the standard scale, without results: what the texts take from the plan."""
    settings = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"scale": "standard"}
    return {study: load_study("nowhere", study, settings) for study in settings["studies"]}


def rows_of(found) -> dict[str, tuple[str, str, str]]:
    return {row[0]: row[1:] for row in settings_rows(found)}


def test_what_the_paper_prints_is_that_of_the_task_s_own_experiment(planned):
    arm, restless, steps = (rows_of(planned[s]) for s in ("informative_arm", "restless", "two_step"))
    rate, discount, entropy = "Learning rate η", "Discount γ", "Entropy cost β_e (per nat)"
    assert arm[rate] == ("0.005", ".001", "differs") and arm[discount] == ("0.8", ".8", "")
    assert arm[entropy] == ("1", "1 → 0", "") and arm["Trials unrolled"][1:] == ("5", "")
    assert restless[rate][1:] == (".001", "differs") and restless[entropy][1:] == ("1 → 0", "differs")
    assert restless["Trials unrolled"][1:] == ("150", "") and "1,000, derived" in restless["Test episodes"][1]
    assert steps[rate][1].startswith("tuned") and steps[entropy][1:] == (".05", "differs")
    assert steps["Trials unrolled"][1:] == ("20 steps (10 trials)", "")
    for table in (arm, restless, steps):
        for name in ("λ of the generalised advantage", "Learning rate over training", "Episodes per update"):
            assert table[name][2] == "differs", name
        assert table["Training episodes per network"][2] == "differs"
    bandits = rows_of(planned["bandits"])
    assert bandits["Test episodes"][1].startswith("Dᵢ: 300; Dᵤ") and bandits["Test episodes"][2] == "differs (Dᵢ)"


def test_the_paper_scale_is_said_to_be_printed_only_where_it_is(planned):
    said = at_paper_scale(planned["two_step"])
    assert "Optimiser" in said.split("(R)")[1] and "Episodes per update" not in said
    own = planned["two_step"].config["scales"]["paper"] | {"episodes_per_update": 4}
    config = planned["two_step"].config | {"scales": planned["two_step"].config["scales"] | {"paper": own}}
    assert "except of these: Episodes per update" in at_paper_scale(replace(planned["two_step"], config=config))


def test_nothing_is_printed_of_the_reversal_task(planned):
    assert not any(said or remark for _, said, remark in rows_of(planned["reversal"]).values())
    html = str(PARAGRAPHS["training"](planned["reversal"]).html)
    assert "not one of Wang et al. 2017" in html and "<th>Departure</th>" not in html


def test_the_selection_says_what_is_drawn_and_where_cores_were_not_treated_alike(planned):
    plan = planned["bandits"].config["scales"]["standard"]
    said = {study: selection(found) for study, found in planned.items()}
    assert "different in their seed alone" in said["informative_arm"]
    assert "learning rate and β_e of its own (γ is fixed)" in said["restless"]
    assert "learning rate, γ and β_e of its own" in said["two_step"]
    assert f"LSTM {plan['training_episodes_by_core']['lstm']:,}" in said["bandits"]
    assert "one of selection and training, too" in said["bandits"] and "LSTM (23 units)" not in said["bandits"]
    assert "LSTM (23 units)" in selection(planned["bandits"], None)
    assert "A difference between cores" not in said["reversal"]  # all cores alike there


def test_the_optimum_of_every_family_of_tasks_has_its_method(planned):
    html = {study: str(PARAGRAPHS["regret"](found).html) for study, found in planned.items()}
    assert (
        "simulated, over 10,000 episodes" in html["restless"]
        and optimum_restless.BATCH * optimum_restless.BATCHES == 10_000
    )
    assert "simulated, over" not in "".join(text for study, text in html.items() if study != "restless")
    assert "binomial" in html["two_step"] and "μ" in html["informative_arm"] and "pooled count" in html["bandits"]
    assert all("win-stay" not in html[study] for study in ("informative_arm", "restless", "two_step"))


def test_every_reconstruction_of_a_task_stands_on_its_page(planned):
    html = {study: str(PARAGRAPHS["tasks"](found).html) for study, found in planned.items()}
    assert "12 classes" in html["informative_arm"] and "folding" in html["restless"] and "slip" in html["two_step"]
    assert "middle of the tested range" in html["restless"] and "best of a grid" in html["restless"]
    assert "ranked on ranking episodes of the task that they were trained on" in html["bandits"]


def test_the_first_weights_of_the_low_rank_core_are_those_it_has():
    assert LowRank.gain == GAIN


def test_every_learner_has_a_look_of_its_own():
    learners = [name for name, entry in AGENTS.items() if entry.kind == "learner"]
    assert set(learners) == set(LEARNERS)
    assert len({dash for _, dash in LEARNERS.values()}) == len(LEARNERS)


def test_only_what_was_computed_is_listed_under_behaviour(results):
    html = str(PARAGRAPHS["behaviour"](results["reversal"]).html)
    there = set(results["reversal"].summary["statistic"])
    assert all((f">{s.title}<" in html) == (name in there) for name, s in STATISTICS.items() if "<" not in s.title)
    assert "Omission, rare transition" not in html


def test_the_optimisers_are_described_with_the_constants_that_they_have():
    from pipeline.training.optimisers import OPTIMISERS

    rmsprop = signature(OPTIMISERS["rmsprop"]).parameters
    assert (rmsprop["decay"].default, rmsprop["epsilon"].default) == (0.99, 1e-8)
    assert signature(OPTIMISERS["adam"]).parameters["decay"].default == (0.9, 0.999)


def test_what_counts_as_learned_is_what_the_evaluation_counts():
    from pipeline.training import evaluate

    assert evaluate.LEARNED * 100 == LEARNED


def test_references_are_written_in_full_once_and_remarks_are_none():
    found = references(["Auer et al. 2002", "Bellman 1956; Feldman 1962", "Auer et al. 2002, x; as measured by us"])
    assert [r.split(" (")[0] for r in found] == ["Auer P, Cesa-Bianchi N, Fischer P", "Bellman R", "Feldman D"]


def test_every_citation_of_the_registries_has_a_reference_in_full():
    cited = [x.citation for x in (*AGENTS.values(), *TASKS.values(), *MODELS.values(), *STATISTICS.values())]
    assert not [r for r in references(cited) if " et al. " in r or " & " in r.split(" (")[0]]


def test_the_reach_of_a_parameter_is_that_of_one_outcome_of_a_typical_learner(results):
    reach = {(row[0], row[1]): row for row in probe_rows(results["reversal"])}
    # α: Q moves from .5 to .5 + α/2, hence P from ½ to 1 / (1 + exp(−β/2)), β = 3
    low, high = (float(v) for v in reach["Rescorla–Wagner", "α"][-1].split(" to "))
    assert low == pytest.approx(0.5, abs=0.005) and high == pytest.approx(1 / (1 + np.exp(-1.5)), abs=0.005)
    assert [row[2] for key, row in reach.items() if key[1] == "α⁻"] == ["unrewarded"]


def test_a_source_with_one_model_that_passed_has_no_weights_and_says_so(results):
    r = results["reversal"]
    own = r.stacking.assign(note="")
    alone = own["source"] == "lstm_reversal"
    own.loc[alone, "weight"] = np.nan
    passed = own.loc[alone, "model"].iloc[0]
    badges = r.badges.copy()
    badges["passed"] = badges["passed"] & ((badges["source"] != "lstm_reversal") | (badges["model"] == passed))
    figure = stacking(replace(r, stacking=own, badges=badges))
    assert "no weights: only one model passed" in figure.svg and "fit failed" in figure.svg
    assert "no weight is given" in figure.caption and "79 sessions" in figure.caption


def test_an_animal_is_outside_only_beyond_every_network(results):
    own = pd.DataFrame({"value": [1.0, 2.0, 3.1], "reference_low": [1.0] * 3, "reference_high": [3.0] * 3})
    assert outside(own).tolist() == [0, 0, 1]
    found = results["reversal"].typicality
    assert outside(found).sum() == found["outside"].sum()


def test_the_posterior_table_shows_sds_shrinkage_and_is_folded(results):
    table = posterior_table(results["reversal"])
    assert table.folded
    heads = [i for i, row in enumerate(table.rows) if row.heading]
    monkeys = next(i for i in heads if "Monkeys" in table.rows[i].cells[0].text)
    cells = table.rows[monkeys + 1].cells
    assert [c.text for c in cells[2:5]] == ["0.610", "0.610", "0.20"] and cells[2].small == "[0.310, 0.970]"
    learner = next(i for i in heads if "Thompson" in table.rows[i].cells[0].text)
    assert [c.text for c in table.rows[learner + 1].cells[2:4]] == ["–", "–"]
