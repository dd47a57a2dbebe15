"""Published claims: how each kind is judged, and that every row of the table can be."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from pipeline.comparison import claims as module
from pipeline.comparison.claim_statistics import STATISTICS
from pipeline.errors import UserError

PUBLISHED = Path(__file__).parents[1] / "resources" / "published_claims.csv"
CHANCE = {"di": 16.6667, "du": 25.0, "de": 40.0, "dm": 25.0, "dh": 10.0}
OPTIMUM = {"di": 1.748, "du": 1.221, "de": 0.625, "dm": 1.0, "dh": 2.312}


def evaluation(source, task, regrets, best=None, se=0.02):
    """One row per agent, as an evaluation CSV has it."""
    n = len(regrets)
    return pd.DataFrame({
        "source": source, "agent": source.split("_")[0], "task": task, "subject": [f"a{k}" for k in range(n)],
        "test_regret": np.asarray(regrets, float), "test_regret_se": se, "chance_regret": CHANCE[task],
        "optimum_regret": OPTIMUM[task], "best": np.ones(n, int) if best is None else best, "n_test_episodes": 1000,
    })  # fmt: skip


def summary(value, low, high, source="costa2016_monkey_prl", statistic="win_stay", subject="all"):
    return pd.DataFrame([{"source": source, "subject": subject, "statistic": statistic, "value": value, "low": low,
                          "high": high, "n_subjects": 4}])  # fmt: skip


def claim(statistic, published, judge, tolerance="", sources="lstm_du"):
    cells = {"id": "c", "paper": "p", "study": "bandits", "statement": "s", "statistic": statistic,
             "published": published, "judge": judge, "tolerance": tolerance, "sources": sources,
             "note": ""}  # fmt: skip
    return pd.DataFrame([cells])


def judged(one, *evaluations, summaries=None):
    frame = pd.concat(evaluations) if evaluations else pd.DataFrame()
    return module.judge(one, frame, pd.DataFrame() if summaries is None else summaries)


FIVE = np.array([1.30, 1.34, 1.38, 1.33, 1.35])


@pytest.mark.parametrize(
    "thompson, verdict, why",
    [(2.79, "agrees", "below 0"), (1.0, "deviates", "above 0"), (1.35, "deviates", "interval includes 0")],
)
def test_an_order_holds_only_if_the_interval_of_the_difference_lies_on_the_published_side(thompson, verdict, why):
    row = judged(claim("regret_minus test=du reference=thompson", "< 0", "order"),
                 evaluation("lstm_du", "du", FIVE), evaluation("thompson", "du", [thompson])).iloc[0]  # fmt: skip
    assert row["verdict"] == verdict and why in row["why"] and row["n"] == 5
    assert row["value"] == pytest.approx(FIVE.mean() - thompson)


def test_the_interval_of_a_difference_holds_the_agents_spread_and_the_references_error():
    row = judged(claim("regret_minus test=du reference=thompson", "< 0", "order"),
                 evaluation("lstm_du", "du", FIVE), evaluation("thompson", "du", [2.79], se=0.02)).iloc[0]  # fmt: skip
    ours = FIVE.var(ddof=1) / 5
    freedom = (ours + 0.02**2) ** 2 / (ours**2 / 4 + 0.02**4 / 999)
    half = student.ppf(0.975, freedom) * np.sqrt(ours + 0.02**2)
    assert row["high"] - row["value"] == pytest.approx(half) and row["value"] - row["low"] == pytest.approx(half)


def test_the_welch_interval_covers_the_true_difference_as_often_as_it_says():
    generator = np.random.default_rng(1)
    hits, repeats = 0, 400
    one = claim("regret_minus test=du reference=thompson", "< 0", "order")
    for _ in range(repeats):
        row = judged(one, evaluation("lstm_du", "du", generator.normal(1.3, 0.1, 5)),
                     evaluation("thompson", "du", [generator.normal(2.8, 0.05)], se=0.05)).iloc[0]  # fmt: skip
        hits += row["low"] <= -1.5 <= row["high"]
    assert abs(hits / repeats - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats)


@pytest.mark.parametrize(
    "gittins, verdict, why",
    [(1.3, "agrees", "within 0.75"), (0.5, "deviates", "lies outside"), (1.08, "deviates", "reaches beyond")],
)
def test_a_ratio_holds_only_if_the_whole_interval_lies_within_the_tolerance(gittins, verdict, why):
    row = judged(claim("regret_over test=du reference=gittins", "1", "ratio", "0.25"),
                 evaluation("lstm_du", "du", FIVE), evaluation("gittins", "du", [gittins])).iloc[0]  # fmt: skip
    assert row["verdict"] == verdict and why in row["why"]


def test_a_value_is_held_to_its_tolerance_or_to_our_interval_without_one():
    ours = summary(0.9555, 0.948, 0.962)
    costa = {"sources": "costa*"}
    for tolerance, published, verdict in (("0.00051", "0.955", "agrees"), ("0.00051", "0.954", "deviates"),
                                          ("", "0.95", "agrees"), ("", "0.9", "deviates")):  # fmt: skip
        one = claim("summary name=win_stay", published, "value", tolerance, **costa)
        assert judged(one, summaries=ours)["verdict"].tolist() == [verdict]


def test_a_sign_is_that_of_the_whole_interval():
    for low, high, verdict in ((0.1, 0.3, "agrees"), (-0.1, 0.5, "deviates"), (-0.4, -0.2, "deviates")):
        one = claim("summary name=win_stay", "> 0", "sign", sources="costa*")
        assert judged(one, summaries=summary((low + high) / 2, low, high))["verdict"].tolist() == [verdict]


def test_only_the_best_agents_are_judged():
    table = evaluation("lstm_du", "du", [*FIVE, 20, 25], best=[1] * 5 + [0, 0])
    row = judged(claim("regret test=du", "1.3", "value", "0.1"), table).iloc[0]
    assert row["n"] == 5 and row["value"] == pytest.approx(FIVE.mean())


def test_each_source_of_the_pattern_is_judged_and_an_ablated_one_is_another_source():
    tables = [evaluation(f"{core}_di", "di", FIVE + 1) for core in ("lstm", "vanilla")]
    tables += [evaluation("lstm_di_noreward", "di", FIVE + 15), evaluation("thompson", "di", [2.8])]
    found = judged(claim("regret_minus test=di reference=thompson", "< 0", "order", sources="*_di"), *tables)
    assert found["source"].tolist() == ["lstm_di", "vanilla_di"]
    ablated = claim("regret_over test={task} reference=chance", "1", "ratio", "0.1", "*_d?_noreward")
    found = judged(ablated, *tables)
    assert found["source"].tolist() == ["lstm_di_noreward"] and found["verdict"].tolist() == ["agrees"]


def test_against_an_exact_reference_the_shared_test_episodes_count():
    table = evaluation("lstm_di_noreward", "di", [17.2, 17.2, 17.2, 17.2, 17.2], se=0.5)
    row = judged(claim("regret_over test={task} reference=chance", "1", "ratio", "0.1", "*_noreward"), table).iloc[0]
    # Five agents that always take one arm have no spread, yet their episodes' luck is 0.5 of 16.7.
    assert row["high"] - row["value"] == pytest.approx(1.96 * 0.5 / CHANCE["di"], rel=0.01)


def test_learned_share_is_0_at_chance_and_1_at_the_optimum():
    for regret, share in ((25.0, 0), (1.221, 1), ((25.0 + 1.221) / 2, 0.5)):
        row = judged(
            claim("learned_share test={task}", "> 0.5", "order"), evaluation("lstm_du", "du", [regret] * 3)
        ).iloc[0]
        assert row["value"] == pytest.approx(share, abs=1e-9)


def test_what_was_not_run_says_why():
    tables = [evaluation("lstm_du", "du", FIVE), evaluation("thompson", "du", [2.8])]
    cases = (
        (
            claim("regret_minus test=di reference=thompson", "< 0", "order", sources="*_di"),
            "no source *_di in this run",
        ),
        (
            claim("regret_minus test=du reference={core}_di", "< 0", "order"),
            "lstm_di was not evaluated on du: no train-by",
        ),
        (claim("regret_over test=du reference=gittins", "1", "ratio", "0.25"), "gittins was not evaluated on du"),
        (claim("summary name=win_stay", "0.9", "value"), "lstm_du has no win_stay of subject all"),
    )
    for one, why in cases:
        row = judged(one, *tables).iloc[0]
        assert row["verdict"] == "not run" and row["why"].startswith(why)
        assert np.isnan(row["value"]) and row["n"] == 0


def test_generalisation_is_judged_as_soon_as_a_network_is_evaluated_on_another_task():
    one = claim("regret_minus test=du reference={core}_di", "< 0", "order", sources="*_du")
    tables = [
        evaluation("lstm_du", "du", FIVE),
        evaluation("lstm_di", "di", FIVE),
        evaluation("lstm_di", "du", FIVE + 1),
    ]
    assert judged(one, *tables)["verdict"].tolist() == ["agrees"]


def test_a_single_agent_is_judged_by_its_episodes_and_says_so():
    row = judged(claim("regret test=du", "1.3", "value"), evaluation("lstm_du", "du", [1.31], se=0.05)).iloc[0]
    assert row["high"] - row["value"] == pytest.approx(1.962 * 0.05, rel=1e-3) and "one agent" in row["why"]


def test_every_published_claim_can_be_judged_and_is_once_everything_is_run():
    claims = module.read(PUBLISHED)
    assert set(claims["id"].str.split("-").str[0]) == {"w17", "srnn"}
    nothing = module.judge(claims, pd.DataFrame(), pd.DataFrame())
    assert set(nothing["verdict"]) == {"not run"} and len(nothing) == len(claims)
    assert tuple(nothing.columns) == module.COLUMNS

    tables = [evaluation(name, task, [2.8]) for name in ("thompson", "ucb", "gittins", "gittins90") for task in CHANCE]
    for core in ("lstm", "vanilla", "lowrank"):
        for trained in CHANCE:
            tables += [evaluation(f"{core}_{trained}", task, FIVE) for task in CHANCE]
            tables += [evaluation(f"{core}_{trained}_noreward", trained, FIVE + CHANCE[trained])]
    found = module.judge(claims, pd.concat(tables), pd.DataFrame())
    assert set(found["verdict"]) == {"agrees", "deviates"}
    assert set(found["id"]) == set(claims["id"])


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("judge", "roughly", "judge 'roughly' is not known"),
        ("statistic", "regrett test=du", "statistic 'regrett' is not known"),
        ("statistic", "regret_minus test=du", "must read 'regret_minus test=… reference=…'"),
        ("statistic", "regret test=du by=hand", "must read 'regret test=…'"),
        ("published", "lower", "a sign or an order reads '< 0'"),
        ("id", "", "occurs twice"),
    ],
)
def test_a_mistake_in_the_table_of_claims_stops_with_one_message(tmp_path, column, value, message):
    rows = pd.concat([claim("regret_minus test=du reference=ucb", "< 0", "order")] * 2, ignore_index=True)
    rows["id"] = ["", "d"]
    rows.loc[1, column] = value
    rows.to_csv(tmp_path / "claims.csv", index=False)
    with pytest.raises(UserError, match=message) as caught:
        module.read(tmp_path / "claims.csv")
    assert str(tmp_path) in str(caught.value)


def test_statistics_are_looked_up_and_never_evaluated():
    with pytest.raises(UserError, match="not known"):
        module.parse("__import__('os').getcwd()")
    assert all(name == entry.name and entry.description for name, entry in STATISTICS.items())


def test_the_written_table_reads_back_with_empty_cells_for_missing_numbers(tmp_path):
    found = judged(claim("regret test=du", "1.3", "value"))
    module.write(found, tmp_path / "claims.csv")
    text = (tmp_path / "claims.csv").read_text().splitlines()
    assert text[0] == ",".join(module.COLUMNS) and ",,,,0,not run," in text[1]


@pytest.mark.parametrize(
    "regret, verdict, word",
    [(1.0, "agrees", "interval"), (2.0, "deviates", "undecided:"), (3.0, "deviates", "contradicted:")],
)
def test_a_deviation_says_whether_it_is_undecided_or_contradicted(regret, verdict, word):
    ours = evaluation("lstm_di", "di", np.array(FIVE) - np.mean(FIVE) + regret)
    theirs = evaluation("thompson", "di", [2.0], se=0.01)
    row = judged(claim("regret_minus test=di reference=thompson", "< 0", "order", sources="*_di"), ours, theirs).iloc[0]
    assert row["verdict"] == verdict and row["why"].startswith(word)


@pytest.mark.parametrize(
    "published, tolerance, word",
    [("1.3", "0.02", "undecided:"), ("1.2", "0.02", "contradicted:"), ("1.2", "", "contr")],
)
def test_a_value_that_deviates_says_so_too(published, tolerance, word):
    row = judged(claim("regret test=du", published, "value", tolerance), evaluation("lstm_du", "du", FIVE)).iloc[0]
    assert row["verdict"] == "deviates" and row["why"].startswith(word)


@pytest.mark.parametrize(
    "judge, published, tolerance", [("order", "> 0", ""), ("ratio", "1", "0.5"), ("value", "1", "")]
)
def test_without_an_interval_nothing_is_decided(judge, published, tolerance):
    one = claim("summary name=win_stay", published, judge, tolerance, sources="costa*")
    row = judged(one, summaries=summary(0.9, np.nan, np.nan)).iloc[0]
    assert row["verdict"] == "deviates" and row["why"].startswith("undecided: no interval")


@pytest.mark.parametrize(
    "factor, verdict, word",
    [
        (0.5, "agrees", "interval"),
        (1.0, "agrees", "interval"),
        (1.25, "deviates", "undecided:"),
        (2.0, "deviates", "contradicted:"),
    ],
)
def test_as_well_or_slightly_better_is_not_held_against_a_network_that_is_much_better(factor, verdict, word):
    published = module.read(PUBLISHED)
    one = published[published["id"] == "w17-easy-medium-on-dh"].assign(note="", sources="lstm_de")
    centred = FIVE - FIVE.mean()
    row = judged(one, evaluation("lstm_dh", "dh", 4 + centred), evaluation("lstm_de", "dh", 4 * factor + centred))
    assert row["verdict"].tolist() == [verdict] and row["why"].iloc[0].startswith(word)


def reflex_regret(p, q, trials=100):
    """Regret of win-stay/lose-shift on two arms that pay with p and q, a recursion over P(arm 1); arrays (pairs,)."""
    first, regret = np.full_like(p, 0.5), 0.0
    for _ in range(trials):
        regret = regret + np.maximum(p, q) - first * p - (1 - first) * q
        first = first * p + (1 - first) * (1 - q)
    return regret.mean()


def test_learning_asks_more_than_the_reflex_of_the_notes_reaches():
    grid = (np.arange(400) + 0.5) / 400
    square = [x.ravel() for x in np.meshgrid(grid, grid)]
    worlds = {"di": square, "du": (grid, 1 - grid)} | {
        task: (np.array([p]), np.array([1 - p])) for task, p in (("de", 0.9), ("dm", 0.75), ("dh", 0.6))
    }
    claims = module.read(PUBLISHED)
    claims = claims[claims["id"].isin(["srnn-vanilla-learns", "srnn-lowrank-learns"])]
    assert len(claims) == 2
    for task, (p, q) in worlds.items():
        regret = reflex_regret(p, q)
        share = (CHANCE[task] - regret) / (CHANCE[task] - OPTIMUM[task])
        said = f"{share:.2f}".lstrip("0")
        for one in claims.to_dict("records"):
            # ".80 of the way on D_e, .69 on D_u, …"
            assert re.search(rf"{re.escape(said)} (of the way )?on D_{task[1]}\b", one["note"]), (task, share)
        row = judged(
            claims.iloc[:1].assign(sources=f"vanilla_{task}"), evaluation(f"vanilla_{task}", task, [regret] * 5)
        )
        assert row["why"].iloc[0].startswith("contradicted:")


def test_no_number_measured_from_the_data_counts_as_published():
    assert not module.read(PUBLISHED)["paper"].str.contains("data").any()
