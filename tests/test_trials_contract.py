"""The trial table: what it accepts, what it refuses and how it says so, and what comes back from disk."""

import numpy as np
import pandas as pd
import pytest

from pipeline import trials
from pipeline.agents import AGENTS
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS
from pipeline.trials import COLUMNS, TrialTableError


def good(rows=4):
    """A plain two-armed table with a missing choice in its third row."""
    repeats = rows // 4
    columns = {
        "source": "made",
        "species": "learner",
        "task": "du",
        "subject": "a01",
        "session": 1,
        "episode": 1,
        "trial": np.arange(1, rows + 1),
        "block": 1,
        "trial_type": "free",
        "options": 2,
        "choice": pd.array([0, 1, None, 1] * repeats, dtype="Int32"),
        "reward": pd.array([1.0, 0.0, None, 1.0] * repeats, dtype="Float64"),
        "better_option": pd.array([1, 1, None, 0] * repeats, dtype="Int32"),
        "response_time": [0.1, 1 / 3, np.nan, 2.5e-7] * repeats,
    }
    return trials.conform(pd.DataFrame(columns))


def played(name="thompson", task="reversal", episodes=5):
    entry = AGENTS[name]
    return table(play(entry.load()(TASKS[task], **entry.settings), TASKS[task], episodes, generator(1, "table")), name)


def refused(frame, *parts):
    with pytest.raises(TrialTableError) as caught:
        trials.conform(frame)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


def test_a_table_that_keeps_the_contract_comes_back_unchanged():
    frame = good()
    assert trials.check(frame) is frame
    assert trials.conform(frame).equals(frame)


@pytest.mark.parametrize("name", [c.name for c in COLUMNS if not c.optional])
def test_a_missing_column_is_named(name):
    refused(good().drop(columns=name), f"'{name}' is missing")


@pytest.mark.parametrize("name", ["better_option", "response_time"])
def test_an_optional_column_may_be_absent(name):
    trials.check(good().drop(columns=name))


def test_an_unknown_column_is_named_and_the_declared_ones_are_listed():
    frame = good()
    frame["colour"] = 1
    refused(frame, "unknown column 'colour'", "declared are source")
    with pytest.raises(TrialTableError, match="unknown column 'colour'"):
        trials.check(frame)


def test_a_column_that_stands_there_twice_is_named():
    refused(pd.concat([good(), good()[["choice"]]], axis=1), "column 'choice' is there twice")


@pytest.mark.parametrize("value", [2, 7])
def test_a_choice_beyond_the_options_is_refused_with_its_place_and_the_likely_slip(value):
    frame = good()
    frame.loc[1, "choice"] = value
    refused(
        frame,
        f"choice = {value}",
        "0 … options-1",
        "count options from 1?",
        "subject a01, session 1, episode 1, trial 2",
    )


@pytest.mark.parametrize(
    ("column", "value"), [("choice", -1), ("better_option", -1), ("session", 0), ("trial", 0), ("block", 0)]
)
def test_a_number_below_its_least_is_refused(column, value):
    frame = good()
    frame.loc[1, column] = value
    refused(frame, f"column '{column}' holds '{value}'", f"at least {int(column in ('session', 'trial', 'block'))}")


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [("species", "robot", "one of monkey, human, network, learner"), ("trial_type", "chosen", "one of free, forced"),
     ("subject", "monkey_1", "letters and digits only"), ("response_time", -0.1, "at least 0"),
     ("response_time", np.inf, "a finite number"), ("reward", -np.inf, "a finite number")],
)  # fmt: skip
def test_a_value_outside_its_declared_values_is_refused(column, value, allowed):
    frame = good()
    frame.loc[1, column] = value
    refused(frame, column, str(value), "session 1, episode 1, trial 2", allowed)


@pytest.mark.parametrize("name", [c.name for c in COLUMNS if not c.optional and not c.missing and c.name != "options"])
def test_a_missing_value_is_refused_where_there_must_be_one(name):
    frame = good()
    frame.loc[2, name] = pd.NA
    refused(frame, f"column '{name}' has a missing value")


def test_a_reward_that_is_missing_although_a_choice_was_made_is_refused():
    frame = good()
    frame.loc[0, "reward"] = np.nan
    refused(frame, "a trial with a choice must have a reward", "trial 1")


def test_a_reward_without_a_choice_is_refused():
    frame = good()
    frame.loc[2, "reward"] = 0
    refused(frame, "a trial without a choice cannot have a reward", "trial 3")


def test_two_rows_of_one_key_are_refused():
    frame = good()
    frame.loc[3, "trial"] = 2
    refused(frame, "rows must differ in their key (source, subject, session, episode, trial)", "trial 2")


def test_two_sources_in_one_table_are_refused():
    frame = good()
    frame.loc[3, "source"] = "other"
    refused(frame, "one source per table")


def test_a_policy_that_does_not_sum_to_one_is_refused():
    frame = played()
    frame.loc[7, "policy_0"] = 0.9
    frame.loc[7, "policy_1"] = 0.2
    refused(frame, "must sum to 1", "trial 8")


@pytest.mark.parametrize("value", [0, -2, 2.5, "many", None])
def test_a_number_of_options_that_is_none_is_refused(value):
    frame = good().astype({"options": object})
    frame.loc[2, "options"] = value
    refused(frame, "column 'options' holds", "trial 3", "a whole number of options")


@pytest.mark.parametrize(("column", "values"), [("choice", ["a", "b", "a", "b"]), ("choice", [0.5, 1, 0, 1]),
                                                ("reward", ["much", "1", "0", "1"])])  # fmt: skip
def test_values_of_another_kind_are_refused_by_conform(column, values):
    refused(good().assign(**{column: values}), f"column '{column}' is not")


def test_another_dtype_is_refused_by_check_which_names_the_remedy():
    with pytest.raises(TrialTableError, match=r"column 'choice' has dtype Int64, not Int32 \(use trials.conform\)"):
        trials.check(good().astype({"choice": "Int64"}))


def test_per_option_columns_follow_the_number_of_options():
    frame = good().assign(options=3, choice=[2, 0, None, 1], policy_0=0.2, policy_1=0.3, policy_2=0.5)
    assert list(trials.conform(frame).columns[-3:]) == ["policy_0", "policy_1", "policy_2"]
    refused(good().assign(policy_0=0.2, policy_1=0.3, policy_2=0.5), "unknown column 'policy_2'")


def test_conform_puts_columns_in_the_declared_order():
    frame = good()
    assert list(trials.conform(frame[list(frame.columns[::-1])]).columns) == list(frame.columns)


def test_a_table_without_rows_is_valid_and_survives_the_disk(tmp_path):
    trials.write(
        trials.empty(), tmp_path / "t.parquet", tmp_path / "t.csv", {"status": "missing", "reason": "no network"}
    )
    found = trials.read(tmp_path / "t.parquet")
    assert len(found) == 0 and found.attrs == {"status": "missing", "reason": "no network"}
    assert found.dtypes.equals(trials.empty().dtypes)
    assert trials.read(tmp_path / "t.csv").dtypes.equals(trials.empty().dtypes)


# Files


@pytest.mark.parametrize(
    "frame", [good(40), played(), played("bayes_optimal", "di")], ids=["gaps", "reversal", "bandit"]
)
def test_both_formats_give_the_very_same_table_back(frame, tmp_path):
    trials.write(frame, tmp_path / "t.parquet", tmp_path / "t.csv")
    for name in ("t.parquet", "t.csv"):
        found = trials.read(tmp_path / name)
        pd.testing.assert_frame_equal(found, frame, check_exact=True)
    assert trials.read(tmp_path / "t.parquet").attrs == {"status": "complete"}


@pytest.mark.parametrize("subject", ["007", "NA", "null", "True", "1e3"])
def test_names_that_look_like_something_else_stay_names(subject, tmp_path):
    frame = good().assign(subject=pd.array([subject] * 4, dtype="string"))
    trials.write(frame, tmp_path / "t.parquet", tmp_path / "t.csv")
    assert (
        set(trials.read(tmp_path / "t.csv")["subject"])
        == {subject}
        == set(trials.read(tmp_path / "t.parquet")["subject"])
    )


def test_missing_is_an_empty_cell_in_csv(tmp_path):
    trials.write(good(), tmp_path / "t.parquet", tmp_path / "t.csv")
    header, *rows = (tmp_path / "t.csv").read_text().splitlines()
    cells = dict(zip(header.replace('"', "").split(","), rows[2].split(","), strict=True))
    assert [cells[name] for name in ("choice", "reward", "better_option", "response_time")] == ["", "", "", ""]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        trials.write(played(), tmp_path / f"{name}.parquet", tmp_path / f"{name}.csv", {"commit": "abc"})
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_truncated_parquet_file_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "t.parquet"
    trials.write(played(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(
        TrialTableError, match=r"t\.parquet: not a readable trial table.*delete it and run snakemake again"
    ):
        trials.read(path)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_an_absent_file_is_named(name, tmp_path):
    with pytest.raises(TrialTableError, match=f"{name}: there is no such trial table"):
        trials.read(tmp_path / name)


@pytest.mark.parametrize(("old", "new", "part"), [('"free"', '"fre"', "trial_type"), (",2,0,", ",2,seven,", "choice"),
                                                  ("choice", "chose", "unknown column 'chose'")])  # fmt: skip
def test_a_csv_that_breaks_the_contract_is_named_with_what_is_wrong(old, new, part, tmp_path):
    trials.write(good(), tmp_path / "t.parquet", tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text()
    assert old in text
    (tmp_path / "t.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(TrialTableError, match=r"t\.csv: ") as caught:
        trials.read(tmp_path / "t.csv")
    assert part in str(caught.value)


def test_an_interrupted_write_leaves_nothing_and_keeps_what_was_there(tmp_path, monkeypatch):
    import pyarrow.parquet

    real = pyarrow.parquet.write_table

    def interrupted(arrow, path, **settings):
        real(arrow, path, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(pyarrow.parquet, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trials.write(good(), tmp_path / "t.parquet", tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    trials.write(good(), tmp_path / "t.parquet")
    before = (tmp_path / "t.parquet").read_bytes()
    monkeypatch.setattr(pyarrow.parquet, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trials.write(played(), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_table_that_breaks_the_contract_is_never_written(tmp_path):
    frame = good()
    frame.loc[0, "choice"] = 7
    with pytest.raises(TrialTableError):
        trials.write(frame, tmp_path / "t.parquet", tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_every_column_says_what_it_is():
    names = [c.name for c in COLUMNS]
    assert len(set(names)) == len(names)
    for column in COLUMNS:
        assert column.description and column.dtype in ("string", "Int32", "Float64")
        assert column.unit or column.dtype != "Float64"
