"""One monkey with amounts on offer: the reader on small files made here, and the released file against its numbers."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io

from pipeline.errors import UserError
from pipeline.primates import DATASETS, donahue_lee
from pipeline.primates.fetch import CACHE, ROOT
from pipeline.primates.load import load, summary

NAME = "donahue_lee_monkey_prl_magnitude"
PLACES = [os.environ.get("PRIMATE_DATA_DIR"), ROOT.parent / "shared" / "data", CACHE]
FOLDER = next((Path(p) for p in PLACES if p and (Path(p) / NAME / donahue_lee.FILE).is_file()), None)


def made():
    """40 trials as the file has them: 20 stable, then blocks of 10 in a volatile stretch."""
    t = np.arange(40)
    high = np.where((t < 20) | (t >= 30), 80, 20)
    amounts = np.array([1, 2, 4, 8])
    ones = np.ones(40)
    columns = [ones, ones, t + 1, t % 2, t // 2 % 2, t % 3 > 0, high, 100 - high, amounts[t % 4], amounts[t // 4 % 4],
               t >= 20, ones, ones]  # fmt: skip
    return np.column_stack(columns).astype(float)


def write(folder, content):
    path = folder / donahue_lee.FILE
    scipy.io.savemat(path, content, do_compression=True)
    return path


def read(folder, data):
    return donahue_lee.read({donahue_lee.FILE: write(folder, {"neuronDataSample": {"trialData": data}})})


def test_the_table_has_amounts_in_units_of_the_largest_and_the_outcome_of_the_chosen_colour_alone(tmp_path):
    data = made()
    table = read(tmp_path, data)
    for row, raw in zip(table.itertuples(), data):
        colour, paid, amount = int(raw[4]), raw[5], raw[8:10]
        assert row.choice == colour and row.reward == amount[colour] * paid / 8
        assert (row.magnitude_0, row.magnitude_1) == tuple(amount / 8)
        assert (row.reward_probability_0, row.reward_probability_1) == (raw[6] / 100, raw[7] / 100)
        other = 1 - colour
        assert getattr(row, f"outcome_{colour}") == paid and pd.isna(getattr(row, f"outcome_{other}"))
        value = raw[6:8] * amount
        assert pd.isna(row.better_option) if value[0] == value[1] else row.better_option == value.argmax()
    assert table["block"].tolist() == [1] * 20 + [2] * 10 + [3] * 10
    assert table["volatility"].tolist() == [0] * 20 + [1] * 20


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (5, 5, 2, "trialData holds 2 in row 5, column 5; allowed: one of 0, 1"),
        (5, 6, np.nan, "trialData holds nan in row 5, column 6; allowed: a whole number"),
        (5, 9, 3, "trialData holds 3 in row 5, column 9; allowed: one of 1, 2, 4, 8"),
        (5, 9, 0, "trialData holds 0 in row 5, column 9"),
        (5, 10, 2.5, "trialData holds 2.5 in row 5, column 10; allowed: a whole number"),
        (9, 7, 50, "trialData holds 50 in row 9, column 7; allowed: one of 20, 80"),
        (9, 8, 80, "trialData holds 80 in row 9, column 8; allowed: 20 or 80, 100 together with column 7"),
        (9, 3, 12, "trialData holds 12 in row 9, column 3; allowed: 1, 2, 3"),
        (9, 11, 3, "trialData holds 3 in row 9, column 11"),
    ],
)
def test_a_value_that_the_task_cannot_produce_is_refused_by_file_row_and_column(tmp_path, row, column, value, message):
    data = made()
    data[row - 1, column - 1] = value
    with pytest.raises(UserError) as said:
        read(tmp_path, data)
    for part in (donahue_lee.FILE, message, "is it another release?"):
        assert part in str(said.value)
    assert "\n" not in str(said.value)


def test_a_file_of_another_shape_or_cut_short_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"trialData has shape \(40, 12\), expected \(trials, 13\)"):
        read(tmp_path, made()[:, :12])
    for content in (
        {"neuronDataSample": {"other": 1}},
        {"neuronDataSample": 3.0},
        {"neuronDataSample": np.empty((0, 0))},
    ):
        with pytest.raises(UserError, match="there is no numeric field 'trialData'"):
            donahue_lee.session(write(tmp_path, content))
    with pytest.raises(UserError, match="not a readable MATLAB file with the variable neuronDataSample"):
        donahue_lee.session(write(tmp_path, {"other": 1}))
    path = write(tmp_path, {"neuronDataSample": {"trialData": made()}})
    whole = path.read_bytes()
    for kept in (0, 100, 200, len(whole) - 40):
        path.write_bytes(whole[:kept])
        with pytest.raises(UserError, match="not a readable MATLAB file") as said:
            donahue_lee.session(path)
        assert "\n" not in str(said.value)


@pytest.fixture(scope="module")
def table():
    if FOLDER is None:
        reason = f"THE MONKEY'S SESSION WAS NOT CHECKED: set PRIMATE_DATA_DIR to a folder with {NAME}"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)
    return load(NAME, FOLDER)


def test_the_table_holds_640_trials_in_stable_and_volatile_blocks(table):
    assert len(table) == 640 and set(table["subject"]) == set(DATASETS[NAME].subjects)
    sizes = table.groupby("block").agg(size=("trial", "size"), volatile=("volatility", "unique"))
    assert sizes["size"].tolist() == ([80] * 2 + [20] * 8) * 2
    assert [list(v) for v in sizes["volatile"]] == ([[0]] * 2 + [[1]] * 8) * 2
    pairs = (8 * table[["magnitude_0", "magnitude_1"]]).astype(int).value_counts().to_dict()
    expected = {(1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 4), (4, 1), (4, 2), (4, 4), (8, 1)}
    assert pairs == dict.fromkeys(expected, 64)


def test_each_colour_pays_as_its_column_of_probabilities_says(table):
    chosen = np.where(table["choice"] == 1, table["reward_probability_1"], table["reward_probability_0"]).astype(float)
    paid = (table["reward"] > 0).to_numpy(float)
    for probability in (0.2, 0.8):
        among = paid[np.isclose(chosen, probability)]
        assert abs(among.mean() - probability) < 3 * np.sqrt(probability * (1 - probability) / len(among))
    assert (table["outcome_0"].isna() == (table["choice"] == 1)).all()
    assert (table["outcome_1"].isna() == (table["choice"] == 0)).all()


def test_the_monkey_prefers_the_likelier_colour_and_the_larger_amount(table):
    facts = donahue_lee.facts(table).set_index("statistic")
    for name in ("likelier_option", "larger_magnitude", "better_choice"):
        assert facts.loc[name, "value"] - 0.5 > 8 * np.sqrt(0.25 / facts.loc[name, "n"])


def test_the_facts_kept_in_resources_are_those_of_the_file_and_of_a_walk_through_the_trials(table):
    kept, made_now = summary(NAME), donahue_lee.facts(table)
    assert kept[["subject", "statistic", "n"]].equals(made_now[["subject", "statistic", "n"]])
    np.testing.assert_allclose(kept["value"].astype(float), made_now["value"].astype(float), rtol=0, atol=1e-9)
    counts, before = {}, None

    def count(name, event):
        hit, of = counts.get(name, (0, 0))
        counts[name] = (hit + bool(event), of + 1)

    for row in table.itertuples():
        p, m = (row.reward_probability_0, row.reward_probability_1), (row.magnitude_0, row.magnitude_1)
        likelier = p[row.choice] == max(p)
        count("paid", row.reward > 0)
        count("likelier_option", likelier)
        count(f"likelier_option_{'volatile' if row.volatility else 'stable'}", likelier)
        if m[0] != m[1]:
            count("larger_magnitude", m[row.choice] == max(m))
        value = [round(100 * a * 8 * b) for a, b in zip(p, m)]
        if value[0] != value[1]:
            count("better_choice", value[row.choice] == max(value))
        if before is not None:
            stay = row.choice == before.choice
            count(*(("win_stay", stay) if before.reward > 0 else ("lose_shift", not stay)))
        before = row
    facts = made_now.set_index("statistic")
    assert set(facts.index) == {"trials", "blocks", *counts}
    for name, (hit, of) in counts.items():
        assert facts.loc[name, "value"] == pytest.approx(hit / of, abs=1e-6) and facts.loc[name, "n"] == of
