"""People with amounts on offer: the reader on small files made here, and the released files against their numbers."""

import csv
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.primates import DATASETS, gagne2020
from pipeline.primates.fetch import CACHE, ROOT, locate
from pipeline.primates.load import load, summary

NAME = "gagne2020_human_volatility"
PLACES = [os.environ.get("PRIMATE_DATA_DIR"), ROOT.parent / "shared" / "data", CACHE]
FOLDER = next((Path(p) for p in PLACES if p and (Path(p) / NAME / gagne2020.PEOPLE["online"]).is_file()), None)
HEADER = ["", "choice", "green_outcome", "green_mag", "blue_mag", "rt", "block", "run"]
COLUMN = {name: k for k, name in enumerate(HEADER)}


def path_of(subject, condition):
    if condition in ("gain", "loss"):
        return f"data/data_raw_exp2/behavioral_tablehit_batch_{condition}_{subject}_modelready.csv"
    return f"data/data_raw_exp1/behavioral_trial_table_{subject}_{condition}_modelready.csv"


def cells(condition, stable_first=True):
    """A run as the file has it: choices in turn, outcomes in threes."""
    sign, rows = ("-" if condition in ("pain", "loss") else ""), []
    for t in range(180):
        stable = (t < 90) == stable_first
        amounts = [f"{sign}{(t % 99 + 1) / 100}", f"{sign}{((t * 7) % 100 + 1) / 100}"]
        rows.append([str(t), f"{t % 2}.0", str(int(t % 3 == 0)), *amounts, str(500 + t),
                     "stable" if stable else "volatile", f"{t // 60}.0"])  # fmt: skip
    return rows


def write(folder, *named, header=HEADER, laboratory=(), online=()):
    """Files of runs (subject, condition, rows) and of the participants (person, task, place) and (person, first)."""
    files = {}

    def put(name, lines):
        files[name] = folder / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        with open(files[name], "w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(lines)

    for subject, condition, rows in named:
        put(path_of(subject, condition), [header, *rows])
    put(gagne2020.PEOPLE["laboratory"], [("", "MID", "task", "task_position"), *((1, *row) for row in laboratory)])
    put(gagne2020.PEOPLE["online"], [("", "MID", "task_order"), *((1, *row) for row in online)])
    return files


def test_the_table_has_the_amount_of_the_chosen_option_where_the_outcome_falls_on_it(tmp_path):
    rows = cells("loss", stable_first=False)
    rows[4][COLUMN["choice"]] = ""
    table = gagne2020.read(write(tmp_path, ("mturk7", "loss", rows)))
    assert len(table) == 180 and set(table["condition"]) == {"loss"} and set(table["group"]) == {"online"}
    assert table["trial"].tolist() == list(range(1, 181)) and set(table["episode"]) == {1}
    assert table["block"].tolist() == [1] * 90 + [2] * 90
    assert table["volatility"].tolist() == [1] * 90 + [0] * 90
    for t, row in table.iterrows():
        green, blue, outcome = -(t % 99 + 1) / 100, -((t * 7) % 100 + 1) / 100, int(t % 3 == 0)
        assert (row["magnitude_1"], row["magnitude_0"]) == (green, blue)
        assert (row["outcome_1"], row["outcome_0"]) == (outcome, 1 - outcome)
        if t == 4:
            assert pd.isna(row["choice"]) and pd.isna(row["reward"]) and pd.isna(row["response_time"])
        else:
            assert row["choice"] == t % 2
            assert row["reward"] == (green * outcome if t % 2 else blue * (1 - outcome))
            assert row["response_time"] == pytest.approx((500 + t) / 1000)


def test_the_runs_of_a_person_are_sessions_in_the_order_in_which_they_were_made(tmp_path):
    runs = [(s, c, cells(c)) for s in ("cb1", "n2", "cb3") for c in ("pain", "rew")]
    runs += [("cb4", "rew", cells("rew")), ("mturk0", "gain", cells("gain")), ("mturk0", "loss", cells("loss"))]
    places = [("cb1", "pain", "1.0"), ("cb1", "reward", "2.0"), ("n2", "pain", "2.0"), ("n2", "reward", "1.0"),
              ("cb3", "pain", "2.0"), ("cb3", "reward", "NaN")]  # fmt: skip
    table = gagne2020.read(write(tmp_path, *runs, laboratory=places, online=[("mturk0", "loss_first")]))
    found = table.groupby(["subject", "condition"])["session"].unique().map(list).to_dict()
    assert found == {
        ("cb1", "pain"): [1], ("cb1", "reward"): [2], ("n2", "pain"): [2], ("n2", "reward"): [1],
        ("cb3", "pain"): [2], ("cb3", "reward"): [1],  # a place not known is before the second
        ("cb4", "reward"): [1], ("mturk0", "gain"): [2], ("mturk0", "loss"): [1],
    }  # fmt: skip
    assert len(gagne2020.without_excluded(table)) == 8 * 180, "cb1's run with pain is one that the authors leave out"


@pytest.mark.parametrize("places", [[], [("cb1", "pain", "1.0")], [("cb1", "pain", "1.0"), ("cb1", "reward", "NaN")]])
def test_two_runs_of_which_either_may_be_the_first_are_refused(tmp_path, places):
    files = write(tmp_path, ("cb1", "pain", cells("pain")), ("cb1", "rew", cells("rew")), laboratory=places)
    with pytest.raises(UserError, match=r"participant_table_exp1.csv.*which run of 'cb1' came first \(pain, reward\)"):
        gagne2020.read(files)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (7, "choice", "2.0", "column 'choice' holds '2.0' in row 7; allowed: 1 (green), 0 (blue) or an empty cell"),
        (7, "choice", "green", "column 'choice' holds 'green' in row 7"),
        (1, "choice", "nan", "column 'choice' holds 'nan' in row 1"),
        (180, "green_outcome", "", "column 'green_outcome' is empty in row 180; allowed: 0 or 1"),
        (3, "green_outcome", "0.5", "column 'green_outcome' holds '0.5' in row 3"),
        (9, "green_mag", "", "column 'green_mag' is empty in row 9; allowed: -1 ≤ amount < 0 (pain)"),
        (9, "blue_mag", "NaN", "column 'blue_mag' holds 'NaN' in row 9"),
        (9, "blue_mag", "0.4", "column 'blue_mag' holds '0.4' in row 9; allowed: -1 ≤ amount < 0 (pain)"),
        (9, "blue_mag", "-40", "column 'blue_mag' holds '-40' in row 9"),
        (9, "green_mag", "-0", "column 'green_mag' holds '-0' in row 9"),
        (2, "rt", "-5", "column 'rt' holds '-5' in row 2; allowed: milliseconds from 0 or an empty cell"),
        (2, "rt", "inf", "column 'rt' holds 'inf' in row 2"),
        (50, "block", "quiet", "column 'block' holds 'quiet' in row 50; allowed: one of stable, volatile"),
        (50, "block", "volatile", "column 'block' holds 'volatile' in row 50; allowed: 90 trials of one kind, then 90"),
    ],
)
def test_a_value_that_the_task_cannot_produce_is_refused_by_file_column_row_and_value(
    tmp_path, row, column, value, message
):
    rows = cells("pain")
    rows[row - 1][COLUMN[column]] = value
    files = write(tmp_path, ("cb9", "pain", rows))
    with pytest.raises(UserError) as said:
        gagne2020.read(files)
    for part in (str(files[path_of("cb9", "pain")]), message, "is it another release? Delete it"):
        assert part in str(said.value)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("kept", [0, 0.02, 0.3, 0.503, 0.97])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, kept):
    files = write(tmp_path, ("cb9", "rew", cells("rew")))
    path = files[path_of("cb9", "rew")]
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(UserError, match=r"trials, expected 180|cells, the header|column 'choice' is missing") as said:
        gagne2020.read(files)
    assert str(path) in str(said.value) and "\n" not in str(said.value)


def test_a_file_without_a_column_or_of_another_kind_is_refused(tmp_path):
    header = ["" if name == "green_mag" else name for name in HEADER]
    with pytest.raises(UserError, match=r"column 'green_mag' is missing; it has .*blue_mag"):
        gagne2020.read(write(tmp_path, ("cb9", "rew", cells("rew")), header=header))
    files = write(tmp_path, ("cb9", "rew", cells("rew")))
    files[path_of("cb9", "rew")].write_bytes(b"\xff\xfe\x00choice")
    with pytest.raises(UserError, match="not a readable CSV file"):
        gagne2020.read(files)
    with pytest.raises(UserError, match="none of 2 files is a run"):
        gagne2020.read({name: path for name, path in files.items() if "participant" in name})
    files = write(tmp_path, ("mturk1", "gain", cells("gain")), online=[("mturk1", "first_gain")])
    with pytest.raises(UserError, match=r"participant_table_exp2.csv: column 'task_order' holds 'first_gain' in row 1"):
        gagne2020.read(files)


@cache
def released():
    """The released table; the test is skipped, loudly, where the files are not on this machine."""
    if FOLDER is None:
        reason = (
            f"THE PEOPLE'S CHOICES WERE NOT CHECKED: set PRIMATE_DATA_DIR to a folder with {NAME} (addresses and "
            f'checksums in resources/datasets.csv), or run python -c "from pipeline.primates.load import load; '
            f"load('{NAME}')\""
        )
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)
    return load(NAME, FOLDER)


@pytest.fixture(scope="module")
def table():
    return released()


def test_the_table_holds_every_trial_of_465_runs(table):
    assert table.attrs["status"] == "complete" and len(table) == 83_700
    runs = table[["subject", "session", "condition"]].drop_duplicates()
    assert runs["condition"].value_counts().to_dict() == {"gain": 147, "loss": 147, "pain": 86, "reward": 85}
    assert set(table["subject"]) == set(DATASETS[NAME].subjects) and len(DATASETS[NAME].subjects) == 235
    assert (table.groupby(["subject", "session", "episode"]).size() == 180).all() and set(table["episode"]) == {1}
    both = runs.groupby("subject").size()
    assert (both == 1).sum() == 5 and (both == 2).sum() == 230
    assert runs.loc[runs["subject"].isin(both.index[both == 2]), "session"].value_counts().to_dict() == {1: 230, 2: 230}
    assert (table.groupby(["subject", "session", "block"]).size() == 90).all()
    assert table.groupby("group")["condition"].unique().map(set).to_dict() == {
        "laboratory": {"pain", "reward"},
        "online": {"gain", "loss"},
    }


def test_every_number_is_that_of_its_file(table):
    files = locate(NAME, FOLDER)
    found = {key: rows for key, rows in table.groupby(["subject", "condition"])}
    names = {value: key for key, value in gagne2020.CONDITIONS.items()}
    for key in list(found)[::23]:
        file = pd.read_csv(files[path_of(key[0], names[key[1]])])
        rows = {name: found[key][name].to_numpy(float, na_value=np.nan) for name in found[key].select_dtypes("number")}
        np.testing.assert_array_equal(rows["choice"], file["choice"])
        np.testing.assert_array_equal(rows["magnitude_1"], file["green_mag"])
        np.testing.assert_array_equal(rows["magnitude_0"], file["blue_mag"])
        np.testing.assert_array_equal(rows["outcome_1"], file["green_outcome"])
        np.testing.assert_array_equal(rows["volatility"], file["block"] == "volatile")
        np.testing.assert_allclose(rows["response_time"], file["rt"].where(file["choice"].notna()) / 1000, rtol=1e-12)


def test_a_reward_is_the_amount_chosen_where_the_outcome_fell_and_a_missed_choice_is_missing(table):
    missed = table["choice"].isna()
    assert missed.sum() == 380
    assert table.loc[missed, ["reward", "response_time"]].isna().all(axis=None)
    rows = table[~missed]
    green = rows["choice"] == 1
    chosen = {name: rows[f"{name}_1"].where(green, rows[f"{name}_0"]) for name in ("magnitude", "outcome")}
    assert (rows["reward"] == chosen["magnitude"] * chosen["outcome"]).all()
    assert (table["outcome_0"] + table["outcome_1"] == 1).all()
    bad = table["condition"].isin(["pain", "loss"])
    for k in (0, 1):
        assert ((table[f"magnitude_{k}"] < 0) == bad).all()
        assert table[f"magnitude_{k}"].abs().max() <= 1


def test_people_go_where_the_outcome_fell_if_it_was_good_and_away_from_it_if_it_was_bad(table):
    facts = gagne2020.facts(table).set_index(["subject", "statistic"])
    for condition in ("reward", "pain", "gain", "loss"):
        share, n = facts.loc[(condition, "follows_outcome"), ["value", "n"]]
        assert share - 0.5 > 10 * np.sqrt(0.25 / n)
        assert facts.loc[(condition, "larger_magnitude"), "value"] > 0.55


def test_the_selection_of_the_authors_leaves_157_of_the_171_runs_of_the_laboratory(table):
    kept = gagne2020.without_excluded(table)
    runs = kept[["subject", "session", "condition"]].drop_duplicates()["condition"].value_counts()
    assert runs.to_dict() == {"gain": 147, "loss": 147, "reward": 80, "pain": 77}
    there = set(zip(table["subject"], table["condition"]))
    assert all((person, c) in there for c, people in gagne2020.EXCLUDED.items() for person in people)


def test_the_facts_kept_in_resources_are_those_of_the_files(table):
    kept, made = summary(NAME), gagne2020.facts(table)
    assert kept[["subject", "statistic"]].equals(made[["subject", "statistic"]])
    np.testing.assert_allclose(kept["value"].astype(float), made["value"].astype(float), rtol=0, atol=1e-9)
    assert kept["n"].equals(made["n"])


def test_facts_equal_a_walk_through_the_trials_one_by_one(table):
    own = table[table["subject"].isin(["cb100", "mturk3", "n42"])]
    counts, times = {}, []

    def count(name, event):
        hit, of = counts.get(name, (0, 0))
        counts[name] = (hit + bool(event), of + 1)

    for _, run in own.groupby(["subject", "session"]):
        before = None
        for row in run.itertuples():
            good = row.outcome_0 if row.condition in ("pain", "loss") else row.outcome_1
            if not pd.isna(row.choice):
                count("good_outcome", row.choice == good)
                count("green", row.choice == 1)
                if row.magnitude_0 != row.magnitude_1:
                    count("larger_magnitude", (row.magnitude_0, row.magnitude_1)[row.choice]
                          == max(row.magnitude_0, row.magnitude_1))  # fmt: skip
                if before is not None:
                    count("follows_outcome", row.choice == before)
                    count(f"follows_outcome_{'volatile' if row.volatility else 'stable'}", row.choice == before)
                times.append(row.response_time)
            before = good
    facts = gagne2020.facts(own).set_index(["subject", "statistic"]).loc["all"]
    missed = int(own["choice"].isna().sum())
    assert facts.loc[["people", "runs", "trials", "missed"], "value"].tolist() == [3, 6, 1080, missed]
    for name, (hit, of) in counts.items():
        assert facts.loc[name, "value"] == pytest.approx(hit / of, abs=1e-6) and facts.loc[name, "n"] == of
    assert facts.loc["response_time", "value"] == pytest.approx(np.median(times), abs=1e-6)
    assert set(facts.index) == {"people", "runs", "trials", "missed", "response_time", *counts}
