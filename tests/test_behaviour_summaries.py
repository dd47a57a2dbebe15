"""Summaries and curves against slow loops over the rows, against agents whose numbers are known, and the monkeys'."""

from collections import Counter
from math import log2

import numpy as np
import pandas as pd
import pytest
from behaviour_tables import monkeys, play, ragged, rescorla_wagner, table, win_stay_lose_shift

from pipeline.behaviour.run import analyse
from pipeline.rollout import Behaviour
from pipeline.rollout import table as rollout_table
from pipeline.tasks import TASKS


def values(found, subject="all"):
    summary = found["summary"]
    return summary[summary["subject"] == subject].set_index("statistic")["value"]


def by_episode(frame):
    """Rows of each episode by trial number, as plain dictionaries."""
    found = {}
    for row in frame.to_dict("records"):
        found.setdefault((row["subject"], row["session"], row["episode"]), {})[row["trial"]] = row
    return found


def usable(row):
    return row is not None and row["trial_type"] == "free" and not pd.isna(row["choice"])


def slow_entropy(counter):
    """H(strategy | condition) from counts {(condition, strategy): n}."""
    total = sum(counter.values())
    conditions = Counter()
    for (condition, _), n in counter.items():
        conditions[condition] += n
    return -sum(n / total * log2(n / conditions[c]) for (c, _), n in counter.items() if n)


def slow_summaries(frame):
    hits = Counter()
    strategy = {"erds": Counter(), "eods": Counter(), "erods": Counter()}
    entropies, regrets, perseveration = [], [], []
    for rows in by_episode(frame).values():
        last = max(rows)
        free = [rows[t] for t in range(1, last + 1) if usable(rows.get(t))]
        for row in free:
            good = row["choice"] == row["better_option"]
            hits["trials"] += 1
            hits["better"] += good
            hits["reward"] += row["reward"]
            if row["trial"] == 1:
                hits["first"] += 1
                hits["first better"] += good
        shares = [sum(row["choice"] == k for row in free) / len(free) for k in (0, 1)]
        entropies.append(-sum(s * log2(s) for s in shares if s > 0))
        regrets.append(sum(max(p) - p[row["choice"]] for row in free
                           for p in [(row["reward_probability_0"], row["reward_probability_1"])]))  # fmt: skip
        for t in range(1, last):
            a, b = rows.get(t), rows.get(t + 1)
            if not (usable(a) and usable(b)):
                continue
            stay, win = a["choice"] == b["choice"], a["reward"] > 0
            option = a["choice"] == a["better_option"]
            hits["pairs"] += 1
            hits["stay"] += stay
            hits["win" if win else "lose"] += 1
            hits["win stay"] += win and stay
            hits["lose shift"] += not win and not stay
            strategy["erds"][win, stay] += 1
            strategy["eods"][option, stay] += 1
            strategy["erods"][(win, option), stay] += 1
        for t in range(2, last + 1):
            a, b = rows.get(t - 1), rows.get(t)
            if a and b and a["block"] != b["block"] and a["better_option"] != b["better_option"]:
                for after in (0, 13):
                    row = rows.get(t + after)
                    if usable(row) and row["block"] == b["block"]:
                        hits["after", after] += 1
                        hits["newly", after] += row["choice"] == b["better_option"]
                run = 0
                while usable(rows.get(t + run)) and rows[t + run]["choice"] == a["better_option"]:
                    run += 1
                perseveration.append(run)
    return {
        "better_choice": hits["better"] / hits["trials"],
        "better_choice_trial_1": hits["first better"] / hits["first"],
        "reward_rate": hits["reward"] / hits["trials"],
        "stay": hits["stay"] / hits["pairs"],
        "win_stay": hits["win stay"] / hits["win"],
        "lose_shift": hits["lose shift"] / hits["lose"],
        "choice_entropy": np.mean(entropies),
        "newly_better_after_0": hits["newly", 0] / hits["after", 0],
        "newly_better_after_13": hits["newly", 13] / hits["after", 13],
        "perseveration": np.mean(perseveration),
        "regret": np.mean(regrets),
        **{name: slow_entropy(counter) for name, counter in strategy.items()},
    }


@pytest.fixture(scope="module")
def irregular():
    return ragged(np.random.default_rng(11), subjects=2, sessions=2, episodes=8, length=40)


def test_summaries_of_each_subject_equal_slow_loops_over_the_rows(irregular):
    found = analyse(irregular, replicates=10)
    for subject in irregular["subject"].unique():
        slow = slow_summaries(irregular[(irregular["subject"] == subject).to_numpy(bool)])
        fast = values(found, subject)
        assert set(fast.index) == set(slow)
        for name, value in slow.items():
            assert fast[name] == pytest.approx(value, abs=1e-9), name


def test_all_pools_the_trials_for_shares_and_averages_subjects_for_entropies(irregular):
    found, slow = values(analyse(irregular, replicates=10)), slow_summaries(irregular)
    entropies = {"erds", "eods", "erods"}
    for name in set(slow) - entropies:
        assert found[name] == pytest.approx(slow[name], abs=1e-9), name
    parts = [slow_summaries(part) for _, part in irregular.groupby("subject")]
    for name in entropies:
        assert found[name] == pytest.approx(np.mean([part[name] for part in parts]), abs=1e-9)


def test_curves_equal_slow_loops_over_the_rows(irregular):
    curves = analyse(irregular, replicates=10, before=5, after=8)["curves"]
    curves = curves[curves["subject"] == "all"].set_index(["curve", "x"])
    hits, regret = {}, {}
    for rows in by_episode(irregular).values():
        for t, row in rows.items():
            if usable(row):
                good = int(row["choice"] == row["better_option"])
                hits.setdefault(("suboptimal", t), []).append(1 - good)
                if row["block"] == 1:
                    hits.setdefault(("learning", t), []).append(good)
                p = (row["reward_probability_0"], row["reward_probability_1"])
                regret.setdefault(t, []).append(max(p) - p[row["choice"]])
            before = rows.get(t - 1)
            if before and before["block"] != row["block"]:
                for x in range(-5, 9):
                    there = rows.get(t + x)
                    if usable(there) and there["block"] == (before if x < 0 else row)["block"]:
                        hits.setdefault(("reversal", x), []).append(int(there["choice"] == row["better_option"]))
    for key, found in hits.items():
        assert curves.loc[key, "value"] == pytest.approx(np.mean(found), abs=1e-9), key
        assert curves.loc[key, "n"] == len(found), key
    expected = {key for key in curves.index if key[0] in ("learning", "reversal", "suboptimal")}
    assert expected == set(hits)
    total = 0.0
    for t in sorted(regret):
        total += np.mean(regret[t])
        assert curves.loc[("regret", t), "value"] == pytest.approx(total, abs=1e-9)


def test_win_stay_lose_shift_stays_after_every_win_and_shifts_after_every_loss():
    found = values(analyse(play(win_stay_lose_shift, 30, 40, np.random.default_rng(1), sessions=2), replicates=20))
    assert found["win_stay"] == 1 and found["lose_shift"] == 1
    assert found["erds"] == 0 and found["erods"] == 0
    assert found["eods"] > 0.3  # which option was chosen says less than whether it paid


def test_a_coin_has_no_strategy_and_a_perseverator_one_choice():
    generator = np.random.default_rng(2)
    coin = values(analyse(play(lambda c, r: np.full(len(c), 0.5), 200, 40, generator), replicates=20))
    pairs = 200 * 39
    for name in ("erds", "erods", "eods"):  # 2 n ln2 (1 − H) is χ² with one degree of freedom per condition
        assert 1 - coin[name] < 30 / (2 * pairs * np.log(2))
    assert abs(coin["win_stay"] - 0.5) < 4 * 0.5 / np.sqrt(pairs / 2)
    first = table(np.zeros((1, 30), int), np.ones((1, 30)), np.r_[np.zeros(20, int), np.ones(10, int)][None], 0.8,
                  np.r_[np.ones(20, int), np.full(10, 2)][None])  # fmt: skip
    stuck = values(analyse(first, replicates=20))
    assert stuck["choice_entropy"] == 0 and stuck["stay"] == 1
    assert stuck["perseveration"] == 10 and stuck["newly_better_after_0"] == 0
    assert stuck["regret"] == pytest.approx(10 * 0.6)


def test_an_omniscient_agent_has_no_regret_and_takes_the_newly_better_option_at_once():
    generator = np.random.default_rng(3)
    seen = play(rescorla_wagner, 20, 40, generator)
    seen["choice"] = seen["better_option"]
    found = values(analyse(seen, replicates=20))
    assert found["regret"] == 0 and found["newly_better_after_0"] == 1 and found["perseveration"] == 0


def test_regret_equals_that_of_the_session_loop():
    generator = np.random.default_rng(4)
    world = TASKS["di"].begin(2, 12, generator)
    choice = generator.integers(2, size=(2, 12, 100))
    reward = np.stack([world.act(choice[..., t]) for t in range(100)], -1)
    behaviour = Behaviour(
        TASKS["di"], ("s1", "s2"), "learner", choice, reward, np.full((2, 12, 100, 2), 0.5), world.columns()
    )
    found = analyse(rollout_table(behaviour, "coin"), replicates=20)
    assert values(found)["regret"] == pytest.approx(behaviour.regret().mean(), abs=1e-5)
    assert values(found, "s2")["regret"] == pytest.approx(behaviour.regret()[1].mean(), abs=1e-5)
    regret = found["curves"].query("subject == 'all' and curve == 'regret'")
    assert regret["value"].iloc[-1] == pytest.approx(behaviour.regret().mean(), abs=1e-5)


@pytest.fixture(scope="module")
def animals():
    return analyse(monkeys(), replicates=200)


def test_the_four_monkeys_summaries_are_those_measured_from_the_released_file(animals):
    found = values(animals)
    expected = {"win_stay": 0.955, "lose_shift": 0.282, "reward_rate": 0.656, "better_choice_trial_1": 0.498,
                "newly_better_after_0": 0.156, "newly_better_after_13": 0.861}  # fmt: skip
    for name, value in expected.items():
        assert round(found[name], 3) == pytest.approx(value) or abs(found[name] - value) < 0.00051, name
    for subject, stay, shift in (("BB7", 0.986, 0.258), ("BB6", 0.954, 0.303)):
        assert abs(values(animals, subject)["win_stay"] - stay) < 0.00051
        assert abs(values(animals, subject)["lose_shift"] - shift) < 0.00051


def test_the_four_monkeys_curves_are_those_measured_from_the_released_file(animals):
    curves = animals["curves"].query("subject == 'all'").set_index(["curve", "x"])["value"]
    reversal = [curves["reversal", x] for x in range(6)]
    assert np.allclose(reversal, [0.156, 0.236, 0.353, 0.456, 0.563, 0.634], atol=0.00051)
    learning = [curves["learning", t] for t in range(1, 11)]
    assert np.allclose(learning, [0.498, 0.526, 0.606, 0.660, 0.706, 0.744, 0.775, 0.798, 0.804, 0.826], atol=0.00051)


def test_the_four_monkeys_intervals_resample_sessions_of_these_animals_only(animals):
    rows = animals["summary"].query("subject == 'all'")
    assert set(rows["unit"]) == {"sessions within subjects"}
    assert rows["note"].str.contains("no population").all()
    assert set(rows["n_subjects"]) == {4} and set(rows["n_sessions"]) == {79} and set(rows["n_episodes"]) == {1106}
    assert (rows["low"] < rows["value"]).all() and (rows["value"] < rows["high"]).all()
