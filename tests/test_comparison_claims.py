"""Published claims: how each kind is judged, and that every row of the table can be."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from pipeline.behaviour import REGRESSIONS
from pipeline.behaviour import STATISTICS as SUMMARIES
from pipeline.behaviour.volatility import VOLATILITY
from pipeline.comparison import claims as module
from pipeline.comparison.claim_source import Source
from pipeline.comparison.claim_statistics import STATISTICS
from pipeline.comparison.claim_statistics_behaviour import fieller
from pipeline.errors import UserError

PUBLISHED = Path(__file__).parents[1] / "resources" / "published_claims.csv"
BANDITS = ("di", "du", "de", "dm", "dh")
CHANCE = {"di": 16.6667, "du": 25.0, "de": 40.0, "dm": 25.0, "dh": 10.0, "informative_arm": 18.39, "restless": 37.5,
          "two_step": 2.0}  # fmt: skip
OPTIMUM = {"di": 1.748, "du": 1.221, "de": 0.625, "dm": 1.0, "dh": 2.312, "informative_arm": 4.45, "restless": 20.9,
           "two_step": 0.7}  # fmt: skip
MATCHED = ("lstm23", "gru27", "lowrank149")


def evaluation(source, task, regrets, best=None, se=0.02):
    """One row per agent, as an evaluation CSV has it."""
    n = len(regrets)
    return pd.DataFrame({
        "source": source, "agent": source.split("_")[0], "task": task, "subject": [f"a{k}" for k in range(n)],
        "test_regret": np.asarray(regrets, float), "test_regret_se": se, "chance_regret": CHANCE[task],
        "optimum_regret": OPTIMUM[task], "best": np.ones(n, int) if best is None else best, "n_test_episodes": 1000,
        "test_reward": 25 - np.asarray(regrets, float),
    })  # fmt: skip


def summary(value, low, high, source="costa2016_monkey_prl", statistic="win_stay", subject="all"):
    return pd.DataFrame([{"source": source, "subject": subject, "statistic": statistic, "value": value, "low": low,
                          "high": high, "n_subjects": 4}])  # fmt: skip


def agents(source, statistic, values, task, species="network"):
    """Summary rows of a source: "all" with a bootstrap interval, then each agent."""
    names = ["all", *(f"a{k}" for k in range(len(values)))]
    return pd.DataFrame({
        "source": source, "species": species, "task": task, "subject": names, "statistic": statistic,
        "value": [np.mean(values), *values], "low": np.mean(values) - 0.01, "high": np.mean(values) + 0.01,
        "n_subjects": [len(values), *(1 for _ in values)],
    })  # fmt: skip


def volatility(source, statistic, value, low, high, n=5, task="restless"):
    row = {
        "source": source,
        "task": task,
        "subject": "all",
        "statistic": statistic,
        "value": value,
        "low": low,
        "high": high,
    }
    return pd.DataFrame([row | {"p_value": 1e-5, "n_episodes": 1000, "n_subjects": n}])


def posterior(source, mean, low, high, r_hat=1.0):
    row = {"source": source, "model": "volatility_rescorla_wagner", "parameter": "a1", "mean": mean, "low": low,
           "high": high, "r_hat": r_hat}  # fmt: skip
    levels = [{"level": "group", "subject": np.nan}, *({"level": "subject", "subject": f"a{k}"} for k in range(3))]
    return pd.DataFrame([row | level for level in levels])


def two_step(source, rewards, interactions, error=0.02, cells=(0.95, 0.5, 0.45, 0.9)):
    """Regression rows of agents: contrasts of the stay probabilities, and these themselves."""
    rows = []
    for k, (a, b) in enumerate(zip(rewards, interactions)):
        who = {"source": source, "task": "two_step", "subject": f"a{k}", "standard_error": error, "separated": 0}
        terms = [("stay_difference", "reward", a), ("stay_difference", "reward:transition", b)]
        names = [f"reward {r}, {kind}" for r in (1, 0) for kind in ("common", "rare")]
        shift = 0.01 * (k - 1)
        terms += [
            ("stay_probability", name, p + shift * (1 if "common" in name else -1)) for name, p in zip(names, cells)
        ]
        rows += [who | {"regression": name, "term": term, "estimate": x, "low": x - 2 * error, "high": x + 2 * error}
                 for name, term, x in terms]  # fmt: skip
    mean = [r | {"subject": "all", "estimate": 77.0} for r in rows[:6]]  # never what a claim takes
    return pd.DataFrame(mean + rows)


def claim(statistic, published, judge, tolerance="", sources="lstm_du"):
    cells = {"id": "c", "paper": "p", "study": "bandits", "statement": "s", "statistic": statistic,
             "published": published, "judge": judge, "tolerance": tolerance, "sources": sources,
             "note": ""}  # fmt: skip
    return pd.DataFrame([cells])


def judged(one, *evaluations, summaries=None, **tables):
    return module.judge(
        one, {"evaluation": pd.concat(evaluations) if evaluations else None, "summary": summaries} | tables
    )


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
    for tolerance, published, verdict, word in (
        ("0.01", "0.955", "agrees", "interval lies within"), ("0.00051", "0.955", "deviates", "undecided:"),
        ("0.01", "0.968", "deviates", "undecided:"), ("0.01", "0.9", "deviates", "contradicted:"),
        ("", "0.95", "agrees", ""), ("", "0.9", "deviates", "contradicted:"),
    ):  # fmt: skip
        one = claim("summary name=win_stay", published, "value", tolerance, **costa)
        row = judged(one, summaries=ours).iloc[0]
        assert row["verdict"] == verdict and row["why"].startswith(word)
    for published, verdict, word in (("0.955", "agrees", "no interval"), ("0.9", "deviates", "undecided: no interval")):
        one = claim("summary name=win_stay", published, "value", "0.01", **costa)
        row = judged(one, summaries=summary(0.9555, np.nan, np.nan)).iloc[0]
        assert row["verdict"] == verdict and row["why"].startswith(word)


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
    nothing = module.judge(claims, {"summary": pd.DataFrame()})
    assert set(nothing["verdict"]) == {"not run"} and len(nothing) == len(claims)
    assert tuple(nothing.columns) == module.COLUMNS

    found = module.judge(claims, everything(("lstm", "gru", "vanilla", "lowrank")))
    assert set(found["verdict"]) == {"agrees", "deviates"}
    assert set(found["id"]) == set(claims["id"])
    networks = found[found["source"].str.contains("lstm23|gru27")]
    assert networks.empty and set(found.loc[found["source"] == "lowrank149_du", "id"]) == {
        "srnn-lowrank-lstm-parameters"
    }


def everything(cores):
    """Tables of a run of every study: every source that a claim asks for, with made-up numbers."""
    learners = {"du": ("thompson", "ucb", "gittins", "gittins90"), "informative_arm": ("thompson_target", "ucb"),
                "restless": ("thompson_walk", "ucb", "rescorla_wagner_slow", "rescorla_wagner_fast")}  # fmt: skip
    learners |= {task: learners["du"] for task in BANDITS}
    evaluations = [evaluation(name, task, [2.8]) for task, names in learners.items() for name in names]
    for core in cores:
        for trained in BANDITS:
            evaluations += [evaluation(f"{core}_{trained}", task, FIVE) for task in BANDITS]
            evaluations += [evaluation(f"{core}_{trained}_noreward", trained, FIVE + CHANCE[trained])]
        for task in ("informative_arm", "restless", "two_step"):
            evaluations += [evaluation(f"{core}_{task}", task, FIVE)]
        evaluations += [evaluation(f"{core}_two_step_noreward", "two_step", FIVE + CHANCE["two_step"])]
    evaluations += [evaluation(f"{core}_{task}", task, FIVE) for core in MATCHED for task in ("du", "di")]
    arm, restless, steps = (
        [f"{core}_{task}" for core in cores] for task in ("informative_arm", "restless", "two_step")
    )
    return {
        "evaluation": pd.concat(evaluations),
        "summary": pd.concat([agents(name, statistic, [0.9, 0.95, 1.0], "informative_arm") for name in arm
                              for statistic in ("optimal_episodes", "informative_trial_1")]),
        "volatility": pd.concat([volatility(name, statistic, 0.2, 0.1, 0.3) for name in restless
                                 for statistic in VOLATILITY]),
        "posterior": pd.concat([posterior(name, 0.5, 0.2, 0.8) for name in restless]),
        "regressions": pd.concat([two_step(name, [0.1] * 3, [0.8, 0.9, 1.0]) for name in (*steps, "model_free")]),
    }  # fmt: skip


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


def test_a_source_knows_its_core_and_its_task_whatever_the_underscores():
    for name, core, task in (("lstm_du", "lstm", "du"), ("lstm_du_noreward", "lstm", "du"), ("ucb", "ucb", ""),
                             ("gru_two_step_noreward", "gru", "two_step"),
                             ("lstm23_informative_arm", "lstm23", "informative_arm"),
                             ("vanilla_restless_sd", "vanilla", "restless_sd"), ("bayes_optimal", "bayes", ""),
                             ("thompson_walk", "thompson", ""), ("costa2016_monkey_prl", "costa2016", "")):  # fmt: skip
        assert (Source(name).core, Source(name).task) == (core, task)


def test_patterns_leave_out_cores_of_matched_size_ablated_networks_and_the_other_reading_of_volatility():
    for patterns, within, without in (
        ("*[a-z]_di", ("lstm_di", "lowrank_di"), ("lstm23_di", "lowrank149_di", "lstm_di_noreward", "lstm_du")),
        ("*[a-z]_d[em]", ("gru_de", "gru_dm"), ("gru_du", "gru27_de", "gru_de_noreward")),
        (
            "*[a-z]_restless|*[a-z]_restless_sd",
            ("lstm_restless", "gru_restless_sd"),
            ("lstm_restless_noreward", "lstm23_restless"),
        ),
        ("*[a-z]_restless", ("lstm_restless",), ("lstm_restless_sd",)),
        ("*[a-z]_two_step_noreward", ("lstm_two_step_noreward",), ("lstm_two_step", "lstm23_two_step_noreward")),
    ):
        assert all(module.named(patterns, name) for name in within), patterns
        assert not any(module.named(patterns, name) for name in without), patterns


def test_no_claim_names_a_core_of_matched_size_unless_it_is_about_them():
    for one in module.read(PUBLISHED).to_dict("records"):
        named = [c for c in MATCHED for task in CHANCE if module.named(one["sources"], f"{c}_{task}")]
        assert not named or "as many parameters" in one["statement"], one["id"]


IDEALS = pd.DataFrame([{"training_task": a, "task": "di", "regret": r, "standard_error": e, "exact": e == 0}
                       for a, r, e in (("di", 1.748, 0.0), ("du", 2.85, 0.02))])  # fmt: skip


def test_beside_a_claim_on_generalisation_stands_that_of_the_ideal_agents():
    one = claim("regret_minus test=di reference={core}_di", "> 0", "order", sources="lstm_du")
    tables = [evaluation("lstm_du", "di", FIVE + 2), evaluation("lstm_di", "di", FIVE + 1)]
    row = judged(one, *tables, ideals=IDEALS).iloc[0]
    assert row["verdict"] == "agrees" and "ideal agents of the same two training distributions: 1.1" in row["why"]
    assert "ideal" not in judged(one, *tables)["why"].iloc[0]
    learner = claim("regret_minus test=di reference=thompson", "> 0", "order", sources="lstm_du")
    assert "ideal" not in judged(learner, *tables, evaluation("thompson", "di", [2.8]), ideals=IDEALS)["why"].iloc[0]


def test_the_ideal_agent_of_the_training_distribution_is_a_reference_of_its_own():
    one = claim("regret_over test=di reference=ideal", "1", "ratio", "0.25")
    row = judged(one, evaluation("lstm_du", "di", [2.85, 2.85, 2.85], se=0.05), ideals=IDEALS).iloc[0]
    # No spread over agents: the luck of the shared episodes and the error of the simulated ideal are all there is.
    assert row["value"] == pytest.approx(1) and row["verdict"] == "agrees"
    assert row["high"] - 1 == pytest.approx(1.96 * np.hypot(0.05, 0.02) / 2.85, rel=1e-3)
    row = judged(one, evaluation("lstm_du", "di", FIVE)).iloc[0]
    assert row["verdict"] == "not run" and "ideal agent of lstm_du's training prior is not known" in row["why"]


def test_the_error_of_a_simulated_optimum_counts():
    exact = evaluation("lstm_restless", "restless", [22.0] * 3, se=0.3)
    one = claim("regret_minus test=restless reference=optimum", "> 0", "order", sources="lstm_restless")
    narrow, wide = (judged(one, exact.assign(optimum_standard_error=e)).iloc[0] for e in (0.0, 0.4))
    assert narrow["high"] - narrow["value"] == pytest.approx(1.96 * 0.3, rel=1e-3)
    assert wide["high"] - wide["value"] == pytest.approx(1.96 * 0.5, rel=1e-3)


@pytest.mark.parametrize(
    "regrets, verdict, word",
    [([4.45] * 5, "agrees", "interval"), ([4.45, 4.5, 4.7, 4.9, 4.6], "deviates", "undecided:"),
     ([6.0, 6.1, 6.2, 6.1, 6.0], "deviates", "contradicted:")],
)  # fmt: skip
def test_a_return_is_set_against_a_printed_number(regrets, verdict, word):
    one = claim("reward_over test={task} bound=20.55", "> 0.99", "order", sources="lstm_informative_arm")
    row = judged(one, evaluation("lstm_informative_arm", "informative_arm", regrets, se=0.006)).iloc[0]
    assert row["value"] == pytest.approx((25 - np.mean(regrets)) / 20.55)
    assert row["verdict"] == verdict and row["why"].startswith(word)


def test_a_return_has_the_error_of_its_agents_and_of_the_episodes_they_share():
    one = claim("reward test=informative_arm", "20.55", "value", "0.1", sources="lstm_informative_arm")
    table = evaluation("lstm_informative_arm", "informative_arm", [4.45] * 4, se=0.02)
    for column, error in ((None, 0.02), ("test_reward_se", 0.03)):
        row = judged(one, table if column is None else table.assign(**{column: error})).iloc[0]
        assert row["value"] == pytest.approx(20.55) and row["high"] - 20.55 == pytest.approx(1.96 * error, rel=1e-3)


def test_a_summary_of_networks_is_a_mean_over_agents_and_that_of_animals_a_bootstrap():
    values = [0.90, 0.95, 1.0]
    one = claim("summary name=optimal_episodes test={task}", "> 0.9", "order", sources="lstm_informative_arm|costa*")
    tables = pd.concat([agents("lstm_informative_arm", "optimal_episodes", values, "informative_arm"),
                        agents("costa2016_monkey_prl", "optimal_episodes", values, "", "monkey")])  # fmt: skip
    animal, network = (row for _, row in judged(one, summaries=tables).iterrows())
    assert network["high"] - 0.95 == pytest.approx(reach(0.05, 3, 0.01 / 1.96), rel=1e-4) and network["n"] == 3
    assert "speaks of these 3 agents (networks: the best) on these episodes" in network["why"]
    assert animal["high"] - 0.95 == pytest.approx(0.01) and animal["verdict"] == "agrees"
    assert network["verdict"] == "deviates" and network["why"].startswith("undecided:")


def reach(spread, n, shared):
    """Half an interval of a mean over n agents that differ by an SD and share episodes: Welch's t."""
    own = spread**2 / n
    freedom = (own + shared**2) ** 2 / (own**2 / (n - 1))
    return student.ppf(0.975, freedom) * np.sqrt(own + shared**2)


def test_the_interval_of_agents_on_the_same_episodes_covers_the_truth_at_least_as_often_as_it_says():
    """Agents differ by .1, their own luck is .05, that of the episodes .15, which their spread does not show."""
    generator, repeats, hits, alone = np.random.default_rng(3), 150, 0, 0
    one = claim("regression name=stay_difference term=reward", "> 0", "sign", sources="lstm_two_step")
    for _ in range(repeats):
        agents_ = 0.3 + generator.normal(0, np.hypot(0.1, 0.05), 5) + generator.normal(0, 0.15)
        table = two_step("lstm_two_step", agents_, [0.9] * 5, float(np.hypot(0.05, 0.15)))
        row = judged(one, regressions=table).iloc[0]
        hits += row["low"] <= 0.3 <= row["high"]
        alone += abs(agents_.mean() - 0.3) < student.ppf(0.975, 4) * agents_.std(ddof=1) / np.sqrt(5)
    assert hits / repeats > 0.95 - 4 * np.sqrt(0.95 * 0.05 / repeats) and alone / repeats < 0.8


def test_subjects_with_episodes_of_their_own_share_no_luck():
    table = two_step("humans", [0.1, 0.2, 0.3], [0.9] * 3).assign(species="human")
    row = judged(claim("regression name=stay_difference term=reward", "> 0", "sign", sources="humans"),
                 regressions=table).iloc[0]  # fmt: skip
    assert row["high"] - 0.2 == pytest.approx(student.ppf(0.975, 2) * 0.1 / np.sqrt(3))


def test_a_learner_on_several_tasks_gives_each_its_own_summary():
    tables = pd.concat(
        [agents("ucb", "stay", [0.7], "du", "learner"), agents("ucb", "stay", [0.4], "restless", "learner")]
    )
    for task, value in (("du", 0.7), ("restless", 0.4)):
        row = judged(
            claim(f"summary name=stay test={task}", str(value), "value", sources="ucb"), summaries=tables
        ).iloc[0]
        assert row["value"] == pytest.approx(value)


def test_the_difference_of_two_summaries_adds_their_errors():
    tables = pd.concat(
        [agents("lstm_du", "stay", [0.7, 0.8, 0.9], "du"), agents("ucb", "stay", [0.5], "du", "learner")]
    )
    row = judged(claim("summary_minus name=stay reference=ucb", "> 0", "sign"), summaries=tables).iloc[0]
    ours, theirs = 0.1 / np.sqrt(3), np.hypot(0.01, 0.01) / 1.96  # our agents' shared episodes and the learner's own
    freedom = (ours**2 + theirs**2) ** 2 / (ours**4 / 2)
    assert row["value"] == pytest.approx(0.3) and row["verdict"] == "agrees"
    assert row["high"] - 0.3 == pytest.approx(student.ppf(0.975, freedom) * np.hypot(ours, theirs), rel=1e-3)


STEPS = {"sources": "lstm_two_step"}


def test_a_term_of_a_regression_is_a_mean_over_agents():
    table = pd.concat(
        [two_step("lstm_two_step", [0.1, 0.2, 0.3], [0.8, 0.9, 1.0]), two_step("bayes_optimal", [0.0], [0.99])]
    )
    row = judged(claim("regression name=stay_difference term=reward", "> 0", "sign", **STEPS), regressions=table).iloc[
        0
    ]
    assert row["value"] == pytest.approx(0.2) and row["n"] == 3 and row["verdict"] == "deviates"
    assert row["high"] - 0.2 == pytest.approx(reach(0.1, 3, 0.02), rel=1e-4)
    assert "the Bayes-optimal learner itself: 0" in row["why"]
    row = judged(claim("regression name=stay_difference term=trial", "> 0", "sign", **STEPS), regressions=table).iloc[0]
    assert row["verdict"] == "not run" and "no estimate of trial" in row["why"]


def test_two_stay_probabilities_are_compared_within_agents():
    table = two_step("lstm_two_step", [0.1] * 3, [0.9] * 3)
    for term, other, value, verdict in (("reward_1,_common", "reward_1,_rare", 0.45, "agrees"),
                                        ("reward_0,_common", "reward_0,_rare", -0.45, "deviates")):  # fmt: skip
        one = claim(f"regression_minus name=stay_probability term={term} other={other}", "> 0", "sign", **STEPS)
        row = judged(one, regressions=table).iloc[0]
        # Agents differ by ±.01 in either cell, in opposite directions: the difference by ±.02.
        assert row["value"] == pytest.approx(value) and row["verdict"] == verdict
        assert row["high"] - value == pytest.approx(reach(0.02, 3, np.hypot(0.02, 0.02)), rel=1e-4)
    single = judged(one, regressions=two_step("lstm_two_step", [0.1], [0.9])).iloc[0]
    assert single["high"] - single["value"] == pytest.approx(1.96 * np.hypot(0.02, 0.02), rel=1e-3)


@pytest.mark.parametrize(
    "rewards, interactions, verdict, word",
    [([0.01, -0.02, 0.02, 0.0], [0.95, 0.97, 0.93, 0.96], "agrees", "interval lies below"),
     ([-0.04, -0.05, -0.03, -0.04], [0.95, 0.97, 0.93, 0.96], "agrees", "interval lies below"),
     ([0.06, 0.08, 0.05, 0.07], [0.95, 0.97, 0.93, 0.96], "deviates", "undecided:"),
     ([0.27, 0.29, 0.28, 0.28], [0.95, 0.97, 0.93, 0.96], "deviates", "contradicted:"),
     ([0.60, 0.62, 0.61, 0.59], [0.6, 0.61, 0.6, 0.59], "deviates", "contradicted:"),
     ([0.1, 0.9, -0.3, 0.5], [0.6, 0.61, 0.6, 0.59], "deviates", "undecided:"),
     ([0.1, 0.2, 0.1, 0.1], [0.3, -0.4, 0.1, 0.2], "deviates", "undecided: no interval")],
)  # fmt: skip
def test_model_based_is_a_reward_effect_that_is_small_next_to_the_interaction(rewards, interactions, verdict, word):
    published = module.read(PUBLISHED)
    one = published[published["id"] == "w17-two-step-model-based"].assign(sources="lstm_two_step")
    free = two_step("model_free", [0.36], [0.24], 0.01)
    table = pd.concat([two_step("lstm_two_step", rewards, interactions, 0.005), free])
    row = judged(one, regressions=table).iloc[0]
    assert row["value"] == pytest.approx(abs(np.mean(rewards) / np.mean(interactions)) / 1.5)
    assert row["verdict"] == verdict and row["why"].startswith(word)
    assert not row["low"] < 0


def test_without_an_interaction_of_the_reference_nothing_is_relative_to_it():
    statistic = "relative_effect name=stay_difference term=reward to=reward:transition reference=model_free"
    one = claim(statistic, "< 0.5", "order", **STEPS)
    ours = two_step("lstm_two_step", [0.1] * 3, [0.8, 0.9, 1.0])
    for table in (ours, pd.concat([ours, two_step("model_free", [0.4], [-0.1])])):
        assert judged(one, regressions=table)["verdict"].tolist() == ["not run"]


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    generator = np.random.default_rng(2)
    hits, repeats, n = 0, 1000, 5
    for _ in range(repeats):
        draws = generator.multivariate_normal([0.2, 0.5], [[0.01, 0.005], [0.005, 0.01]], n)
        _, low, high = fieller(*draws.mean(0), np.cov(draws, rowvar=False) / n, student.ppf(0.975, n - 1))
        hits += low <= 0.4 <= high
    assert abs(hits / repeats - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats)


def test_the_interval_of_a_ratio_is_the_set_of_ratios_that_a_t_test_does_not_reject():
    covariance = np.array([[0.04, 0.01], [0.01, 0.02]])
    ratio, low, high = fieller(0.3, 1.0, covariance, 2.0)
    grid = np.linspace(-3, 3, 60001)
    kept = grid[np.abs(0.3 - grid) <= 2 * np.sqrt(0.04 - 2 * grid * 0.01 + grid**2 * 0.02)]
    assert (ratio, low, high) == pytest.approx((0.3, kept.min(), kept.max()), abs=2e-4)
    assert np.isnan(fieller(0.3, 0.2, covariance, 2.0)[1:]).all()


@pytest.mark.parametrize(
    "id, low, value, high, verdict, word",
    [("w17-restless-slope", 1.0, 1.5, 2.0, "agrees", "interval"),
     ("w17-restless-slope", -1.0, 0.5, 2.0, "deviates", "undecided:"),
     ("w17-restless-r2", 0.2, 0.26, 0.32, "agrees", "interval"),
     ("w17-restless-r2", 0.2, 0.32, 0.4, "deviates", "undecided:"),
     ("w17-restless-r2", 0.02, 0.04, 0.06, "deviates", "contradicted:"),
     ("w17-restless-high-middle", -0.3, -0.2, -0.1, "deviates", "contradicted:")],
)  # fmt: skip
def test_learning_rate_against_volatility_is_judged_with_the_ideal_observer_beside_it(
    id, low, value, high, verdict, word
):
    published = module.read(PUBLISHED)
    one = published[published["id"] == id]
    statistic = one["statistic"].iloc[0].split("=")[1]
    table = pd.concat([volatility("lstm_restless", statistic, value, low, high),
                       volatility("bayes_optimal", statistic, 0.11, 0.1, 0.12, 1)])  # fmt: skip
    row = judged(one, volatility=table).iloc[0]
    assert row["verdict"] == verdict and row["why"].startswith(word) and row["n"] == 5
    assert "the Bayes-optimal learner itself: 0.11" in row["why"] and "p = 1e-05" in row["why"]


def test_a_source_without_volatility_was_not_run():
    table = volatility("lstm_restless", "not_run", np.nan, np.nan, np.nan)
    row = judged(
        claim("volatility statistic=alpha_slope", "> 0", "sign", sources="lstm_restless"), volatility=table
    ).iloc[0]
    assert row["verdict"] == "not run" and "no alpha_slope" in row["why"]


@pytest.mark.parametrize("low, r_hat, verdict", [(0.2, 1.0, "agrees"), (-0.2, 1.0, "deviates"), (0.2, 1.2, "not run")])
def test_a_posterior_is_judged_by_its_interval_if_its_sampler_converged(low, r_hat, verdict):
    one = claim("posterior model=volatility_rescorla_wagner parameter=a1", "> 0", "sign", sources="lstm_restless")
    row = judged(one, posterior=posterior("lstm_restless", 0.5, low, 0.8, r_hat)).iloc[0]
    assert row["verdict"] == verdict and row["n"] == (0 if verdict == "not run" else 3)


@pytest.mark.parametrize(
    "column, value, why",
    [("ess_bulk", 250.0, "smallest bulk effective sample size 250, below 400"), ("ess_tail", 390.0, "tail"),
     ("r_hat", 1.02, "largest R-hat 1.02, above 1.01"), ("passed", False, "its diagnostics failed")],
)  # fmt: skip
def test_one_row_of_a_fit_that_failed_its_diagnostics_forbids_all(column, value, why):
    one = claim("posterior model=volatility_rescorla_wagner parameter=a1", "> 0", "sign", sources="lstm_restless")
    table = posterior("lstm_restless", 0.5, 0.2, 0.8).assign(ess_bulk=2000.0, ess_tail=1500.0)
    assert judged(one, posterior=table)["verdict"].tolist() == ["agrees"]
    table = table.assign(passed=value) if column == "passed" else table.reset_index(drop=True)
    table.loc[2, column] = value  # not the row that the claim is about
    row = judged(one, posterior=table).iloc[0]
    assert row["verdict"] == "not run" and why in row["why"]


@pytest.mark.parametrize("factor, verdict, word", [(1.0, "deviates", "contradicted:"), (1.25, "deviates", "undecided:"),
                                                   (2.0, "agrees", "interval")])  # fmt: skip
def test_doing_poorly_is_a_quarter_more_regret_than_the_specialist(factor, verdict, word):
    published = module.read(PUBLISHED)
    one = published[published["id"] == "w17-hard-on-de"].assign(note="", sources="lstm_dh")
    centred = FIVE - FIVE.mean()
    row = judged(one, evaluation("lstm_de", "de", 4 + centred), evaluation("lstm_dh", "de", 4 * factor + centred))
    assert row["verdict"].tolist() == [verdict] and row["why"].iloc[0].startswith(word)


def test_every_statistic_that_a_claim_names_exists_where_it_is_computed():
    for text in module.read(PUBLISHED)["statistic"]:
        name, arguments = module.parse(text)
        if name == "summary":
            assert arguments["name"] in SUMMARIES
        elif name == "volatility":
            assert arguments["statistic"] in VOLATILITY
        elif "name" in arguments:
            known = REGRESSIONS[arguments["name"]].terms if arguments["name"] in REGRESSIONS else ()
            cells = [f"reward_{r},_{kind}" for r in (0, 1) for kind in ("common", "rare")]
            assert {arguments["term"], arguments.get("to", arguments["term"])} <= {*known, *cells}


def test_existing_ids_of_the_bandits_are_kept():
    ids = set(module.read(PUBLISHED)["id"])
    assert {"w17-di-thompson", "w17-ablation", "w17-hard-on-dm", "srnn-lowrank-lstm"} <= ids
    assert {
        f"w17-matrix-{task}-{kind}" for task in ("du", "de", "dm", "dh") for kind in ("gittins", "specialist")
    } <= ids
