"""The four monkeys' table against the statistics that were measured from the released file, to the digits recorded.

These tests need the file; where it is not there they are skipped with a warning that says how to provide it.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import statsmodels.api as sm

from pipeline import trials
from pipeline.primates import DATASETS, costa2016
from pipeline.primates.fetch import CACHE, ROOT, locate
from pipeline.primates.load import load, summary

NAME = "costa2016_monkey_prl"
PLACES = [os.environ.get("PRIMATE_DATA_DIR"), ROOT.parent / "shared" / "data", CACHE]
FOLDER = next((Path(p) for p in PLACES if p and (Path(p) / NAME / costa2016.FILE).is_file()), None)
if FOLDER is None:
    skipped = (
        f"THE MONKEYS' DATA WERE NOT CHECKED: {costa2016.FILE} is not on this machine. Set PRIMATE_DATA_DIR to a "
        f"folder that holds {NAME}/{costa2016.FILE} (address and checksum in resources/datasets.csv), or have it "
        f"downloaded into data/ with python -c \"from pipeline.primates.load import load; load('{NAME}')\"; then run "
        "the tests again."
    )
    warnings.warn(skipped, stacklevel=1)
    pytest.skip(skipped, allow_module_level=True)


def numbers(text):
    return [float(number) for number in text.split()]


@pytest.fixture(scope="module")
def files():
    return locate(NAME, FOLDER)


@pytest.fixture(scope="module")
def loaded(files):
    return costa2016.problems(files[costa2016.FILE])


@pytest.fixture(scope="module")
def table():
    return load(NAME, FOLDER)


@pytest.fixture(scope="module")
def value(table):
    return costa2016.facts(table).set_index(["subject", "statistic"])["value"].astype(float)


def grid(table, *columns):
    """Columns as (problems, 80) arrays in the order of the table."""
    return [table[name].to_numpy(float).reshape(-1, 80) for name in columns]


def test_the_table_holds_every_trial_of_four_monkeys(table):
    assert table.attrs["status"] == "complete"
    assert len(table) == 88_480
    assert set(table["subject"]) == set(DATASETS[NAME].subjects) == {"BB6", "BB7", "BB8", "BB10"}
    np.testing.assert_array_equal(grid(table, "trial")[0], np.tile(np.arange(1, 81), (1106, 1)))
    assert not table.duplicated(list(trials.KEY)).any()
    constant = {"source": NAME, "species": "monkey", "task": "reversal", "trial_type": "free", "options": 2}
    assert all((table[name] == only).all() for name, only in constant.items())
    assert table[["choice", "reward", "better_option", "block"]].notna().to_numpy().all()
    assert "response_time" not in table and "volatility" not in table


def test_there_are_551_problems_at_80_20_and_555_at_70_30(table):
    high = table[["reward_probability_0", "reward_probability_1"]].max(axis=1)
    assert high.groupby([table["subject"], table["session"], table["episode"]]).first().value_counts().to_dict() == {
        0.8: 551,
        0.7: 555,
    }
    assert (table["reward_probability_0"] + table["reward_probability_1"]).to_numpy(float) == pytest.approx(1)


def test_recording_days_are_where_the_problems_numbers_start_again(table, loaded):
    assert table.groupby("subject")["session"].max().to_dict() == {"BB10": 21, "BB6": 20, "BB7": 22, "BB8": 16}
    day, position, last = {}, {}, {}  # the obvious twin: one problem after the other
    expected = []
    for subject, index in zip(loaded.subject, loaded.index):
        if subject not in last or index <= last[subject]:
            day[subject], position[subject] = day.get(subject, 0) + 1, 0
        position[subject] += 1
        last[subject] = index
        expected.append((subject, day[subject], position[subject]))
    rows = table.iloc[::80][["subject", "session", "episode"]]
    assert list(rows.itertuples(index=False, name=None)) == expected


def test_choices_and_rewards_are_those_of_the_file(table, loaded):
    choice, reward = grid(table, "choice", "reward")
    np.testing.assert_array_equal(choice, np.where(loaded.choice == 1, 1, 0))
    np.testing.assert_array_equal(reward, loaded.reward)


def test_overall_statistics_are_as_recorded(value):
    assert value["all", "better_choice_trial_1"].round(3) == 0.498
    assert value["all", "reward_rate"].round(3) == 0.656
    assert value["all", "better_choice_file_labels"].round(3) == 0.816
    for subject, stay, shift in (("all", 0.955, 0.282), ("BB7", 0.986, 0.258), ("BB6", 0.954, 0.303)):
        assert value[subject, "win_stay"].round(3) == stay
        assert value[subject, "lose_shift"].round(3) == shift


def test_trials_1_to_10_of_a_problem_are_learned_as_recorded(value):
    curve = [value["all", f"better_choice_trial_{t}"].round(3) for t in range(1, 11)]
    assert curve == numbers(".498 .526 .606 .660 .706 .744 .775 .798 .804 .826")


def test_the_newly_better_object_is_taken_up_as_recorded_from_the_corrected_trial_on(value):
    curve = [value["all", f"newly_better_after_{t}"].round(3) for t in range(14)]
    assert curve[:6] == numbers(".156 .236 .353 .456 .563 .634")
    assert curve[13] == 0.861


def test_outcomes_reverse_one_trial_before_the_label_of_the_file(table, loaded):
    reward, old = loaded.reward, loaded.choice == loaded.better[:, :1]
    rows, label = np.arange(len(reward)), loaded.label - 1

    def old_object_pays(relative):
        chosen = old[rows, label + relative]
        return reward[rows, label + relative][chosen].mean()

    assert old_object_pays(-2).round(3) == 0.745
    assert old_object_pays(-1).round(3) == 0.236
    assert min(old_object_pays(k) for k in range(-12, -1)) > 0.6
    assert max(old_object_pays(k) for k in range(-1, 12)) < 0.4
    for subject in DATASETS[NAME].subjects:  # and so in every animal
        own = rows[loaded.subject == subject]
        first = old[own, label[own] - 1]
        assert reward[own, label[own] - 1][first].mean() < 0.4

    block, better = grid(table, "block", "better_option")
    reversal = (block == 2).argmax(1) + 1
    np.testing.assert_array_equal(reversal, loaded.label - 1)
    # After 30 to 49 trials of the first contingency; counted from 1 the first reversed outcome is trial 31 to 50.
    assert (reversal.min(), reversal.max()) == (31, 50)
    assert reversal.mean() == pytest.approx(40.66, abs=0.005)
    np.testing.assert_array_equal(better, np.where(block == 1, better[:, :1], 1 - better[:, :1]))


def test_reversals_are_uniform_over_their_twenty_trials(loaded):
    counts = np.bincount(loaded.label - 32, minlength=20)
    assert len(counts) == 20
    statistic = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert scipy.stats.chi2(19).sf(statistic) > 0.01


def test_outcomes_follow_the_latent_probabilities_of_the_table(table):
    choice, reward, block, p0, p1 = grid(
        table, "choice", "reward", "block", "reward_probability_0", "reward_probability_1"
    )
    chosen = np.where(choice == 1, p1, p0)
    first_reversed = (block == 2) & (np.cumsum(block == 2, 1) == 1)
    for rows in (block == 1, block == 2, first_reversed):
        residual = (reward - chosen)[rows]
        error = np.sqrt((chosen * (1 - chosen))[rows].mean() / rows.sum())
        assert abs(residual.mean()) < 4 * error
    file_label = np.where(first_reversed, 1 - chosen, chosen)
    assert abs((reward - file_label)[first_reversed].mean()) > 10 * np.sqrt(0.25 / first_reversed.sum())


def test_the_files_own_labels_remain_to_be_had(table, files, loaded):
    raw = costa2016.read_file_labels(files)
    key = [*trials.KEY, "choice", "reward"]
    pd.testing.assert_frame_equal(raw[key], table[key])
    better, block, p0, p1 = grid(raw, "better_option", "block", "reward_probability_0", "reward_probability_1")
    np.testing.assert_array_equal(better, (loaded.better + 1) // 2)
    np.testing.assert_array_equal(np.stack([p0, p1], -1), loaded.probability)
    np.testing.assert_array_equal((block == 2).argmax(1) + 1, loaded.label)
    assert (raw["choice"] == raw["better_option"]).mean().round(3) == 0.816
    differs = (raw["better_option"] != table["better_option"]).to_numpy(bool).reshape(-1, 80)
    np.testing.assert_array_equal(differs.sum(1), 1)


def test_reward_history_kernel_of_bb10_is_as_recorded(table):
    """Logit choice 1 on reward and choice history jointly, lags 1-6, with intercept.

    Reward history is r·(±1 for the object chosen), 0 without reward; choice history is ±1. Histories stay within the
    problem, and a problem's first six trials, whose history is incomplete, are left out.
    """
    choice, reward = grid(table[table["subject"] == "BB10"], "choice", "reward")
    signed, lags = 2 * choice - 1, range(1, 7)
    columns = [(reward * signed)[:, 6 - k : 80 - k].ravel() for k in lags] + [
        signed[:, 6 - k : 80 - k].ravel() for k in lags
    ]
    fit = sm.Logit(choice[:, 6:].ravel(), sm.add_constant(np.column_stack(columns))).fit(disp=0)
    assert list(fit.params[1:7].round(2)) == [1.56, 1.04, 0.74, 0.56, 0.31, 0.11]


def negative_log_likelihood(parameters, choice, reward):
    """−log P(choices) per trial, both (problems, 80), problems side by side.

    Q₀ = .5 for both objects of every problem, Q_c += α⁺ δ if δ = r − Q_c > 0 else α⁻ δ,
    log-odds of choice 1 = β (Q₁ − Q₀) + κ (±1: the last choice; 0 on trial 1).
    """
    alpha_minus, alpha_plus, beta, kappa = parameters
    rows = np.arange(len(choice))
    q, last, total = np.full((len(choice), 2), 0.5), np.zeros(len(choice)), 0.0
    for c, r in zip(choice.T, reward.T):
        sign = 2 * c - 1
        total += np.logaddexp(0, -sign * (beta * (q[:, 1] - q[:, 0]) + kappa * last)).sum()
        delta = r - q[rows, c]
        q[rows, c] += np.where(delta > 0, alpha_plus, alpha_minus) * delta
        last = sign
    return total / choice.size


@pytest.mark.parametrize(
    ("subject", "recorded", "nll"),
    [
        ("BB10", (0.35, 0.37, 3.18, 1.09), 0.3364),
        ("BB6", (0.40, 0.51, 2.89, 1.20), 0.3297),
        ("BB7", (0.27, 0.58, 5.44, 0.96), 0.2143),
        ("BB8", (0.28, 0.39, 3.45, 1.08), 0.3216),
    ],
)
def test_asymmetric_learning_with_stickiness_fits_each_animal_as_well_as_recorded(table, subject, recorded, nll):
    choice, reward = grid(table[table["subject"] == subject], "choice", "reward")
    choice = choice.astype(int)
    assert negative_log_likelihood(recorded, choice, reward) == pytest.approx(nll, abs=5e-4)
    best = scipy.optimize.minimize(
        negative_log_likelihood,
        x0=(0.5, 0.5, 3.0, 0.5),  # the same for every animal, away from all of them
        args=(choice, reward),
        method="L-BFGS-B",
        bounds=[(1e-3, 1), (1e-3, 1), (1e-3, 20), (-5, 5)],
    )
    assert best.fun <= nll + 5e-4
    assert best.fun >= nll - 5e-4, "a much better likelihood would be another model"


def test_the_facts_kept_in_resources_are_those_of_the_file(table):
    kept, made = summary(NAME), costa2016.facts(table)
    key = ["subject", "statistic"]
    assert list(map(tuple, kept[key].to_numpy())) == list(map(tuple, made[key].to_numpy()))
    np.testing.assert_allclose(kept["value"].astype(float), made["value"].astype(float), rtol=0, atol=1e-9)
    assert kept["n"].equals(made["n"])


def test_facts_equal_a_walk_through_the_trials_one_by_one(table):
    own = table[(table["subject"] == "BB8") & (table["session"] <= 2)].reset_index(drop=True)
    counts = {}

    def count(name, event):
        hit, of = counts.get(name, (0, 0))
        counts[name] = (hit + bool(event), of + 1)

    for _, problem in own.groupby(["session", "episode"]):
        rows = list(problem.itertuples())
        reversal = next(row.trial for row in rows if row.block == 2)
        for before, row in zip([None, *rows], rows):
            better = row.choice == row.better_option
            count("reward_rate", row.reward)
            count("better_choice", better)
            count("better_choice_file_labels", not better if row.trial == reversal else better)
            if before is not None:
                count(
                    "win_stay" if before.reward else "lose_shift", (row.choice == before.choice) == bool(before.reward)
                )
            if row.trial <= 10:
                count(f"better_choice_trial_{row.trial}", better)
            if 0 <= row.trial - reversal < 20:
                count(f"newly_better_after_{row.trial - reversal}", better)
    facts = costa2016.facts(own).set_index(["subject", "statistic"]).loc["BB8"]
    assert facts.loc[["trials", "problems", "sessions"], "value"].tolist() == [len(own), len(own) / 80, 2]
    assert set(facts.index) == {"trials", "problems", "sessions", *counts}
    for name, (hit, of) in counts.items():
        assert facts.loc[name, "value"] == pytest.approx(hit / of, abs=1e-6)
        assert facts.loc[name, "n"] == of
