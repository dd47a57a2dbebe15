"""The reader of costa2016 on small files made here: what it gives, and what it refuses. Needs no released file."""

import numpy as np
import pytest
import scipy.io

from pipeline.errors import UserError
from pipeline.primates import costa2016


def problem(animal="BB1", index=1, label=40, high=0.8, first=1, **other):
    """One problem as the file has it: every label late by one trial, choices and rewards alternating."""
    after = np.arange(1, 81) >= label
    better = np.where(after, -first, first)
    column = lambda values: np.asarray(values, float).reshape(-1, 1)  # noqa: E731
    return {
        "prob8020": np.full((2, 1), high == 0.8),
        "prob7030": np.full((2, 1), high == 0.7),
        "r": column(np.arange(80) % 2),
        "c": column(np.where(np.arange(80) % 3 == 0, 1, -1)),
        "hr_side": column(better),
        "rewardprob": np.where(better[:, None] == [-1, 1], high, round(1 - high, 1)),
        "block_addresses": column([1, label, 80]),
        "abs_superblock_idx": column([index]),
        "animal_ids": animal,
    } | other


def write(folder, problems):
    cells = np.empty((1, len(problems)), object)
    for k, content in enumerate(problems):
        cells[0, k] = content
    path = folder / costa2016.FILE
    scipy.io.savemat(path, {"all_stats": cells}, do_compression=True)
    return path


def changed(name, row, value):
    """A field of `problem` with one value altered."""
    values = np.array(problem()[name], float)
    values[row, 0] = value
    return {name: values}


def test_the_table_starts_block_2_on_the_first_reversed_outcome_and_keeps_the_files_labels_apart(tmp_path):
    path = write(tmp_path, [problem(label=40, first=1, high=0.7)])
    table = costa2016.read({costa2016.FILE: path})
    raw = costa2016.read_file_labels({costa2016.FILE: path})
    assert table["block"].tolist() == [1] * 38 + [2] * 42
    assert table["better_option"].tolist() == [1] * 38 + [0] * 42
    assert table["reward_probability_1"].tolist() == [0.7] * 38 + [0.3] * 42
    assert table["reward_probability_0"].tolist() == [0.3] * 38 + [0.7] * 42
    assert raw["block"].tolist() == [1] * 39 + [2] * 41
    assert table["choice"].tolist() == [1 if t % 3 == 0 else 0 for t in range(80)]
    assert table["reward"].tolist() == [t % 2 for t in range(80)]


def test_a_day_ends_where_the_problems_number_does_not_grow_and_animals_have_days_of_their_own(tmp_path):
    order = [("BB1", 1), ("BB1", 3), ("BB1", 2), ("BB2", 1), ("BB1", 5), ("BB1", 5), ("BB2", 4)]
    table = costa2016.read({costa2016.FILE: write(tmp_path, [problem(a, i) for a, i in order])})
    rows = table.iloc[::80][["subject", "session", "episode"]].itertuples(index=False, name=None)
    assert list(rows) == [
        ("BB1", 1, 1),
        ("BB1", 1, 2),
        ("BB1", 2, 1),
        ("BB2", 1, 1),
        ("BB1", 2, 2),
        ("BB1", 3, 1),
        ("BB2", 1, 2),
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (changed("c", 6, 0), "problem 2: c holds 0 in row 7; allowed: one of -1, 1"),
        (changed("c", 6, np.nan), "problem 2: c holds nan in row 7"),
        (changed("r", 0, 2), "problem 2: r holds 2 in row 1; allowed: one of 0, 1"),
        (changed("hr_side", 10, -1), "problem 2: hr_side does not change at block_addresses"),
        (changed("rewardprob", 3, 0.5), "problem 2: rewardprob holds 0.5 in row 4; allowed: one of 0.2, 0.3, 0.7, 0.8"),
        (changed("rewardprob", 3, 0.7), "problem 2: rewardprob does not sum to 1"),
        (changed("block_addresses", 2, 79), r"block_addresses is not \[1, reversal, 80\]"),
        (changed("block_addresses", 1, np.nan), "block_addresses holds nan in row 2; allowed: a finite number"),
        ({"block_addresses": np.array([[1.0], [80.0]])}, r"block_addresses has shape \(2, 1\), expected \(3, 1\)"),
        ({"c": np.ones((79, 1))}, r"problem 2: c has shape \(79, 1\), expected \(80, 1\)"),
        ({"abs_superblock_idx": np.array([[0.0]])}, "abs_superblock_idx is not a whole number from 1"),
        ({"prob7030": np.full((2, 1), True)}, "not one of the schedules 80/20 and 70/30"),
        ({"rewardprob": problem(high=0.7)["rewardprob"]}, "rewardprob is not the schedule of prob8020, prob7030"),
        ({"rewardprob": problem(first=-1)["rewardprob"]}, "rewardprob and hr_side disagree"),
        ({"animal_ids": np.array([[3.0]])}, "problem 2: animal_ids is .*expected one name of letters and digits"),
        ({"animal_ids": "BB 10"}, "problem 2: animal_ids is 'BB 10'"),
        ({"r": "yes"}, "problem 2 has no numeric field 'r'"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_value_that_the_task_cannot_produce_is_refused_by_problem_and_field(tmp_path, wrong, message):
    path = write(tmp_path, [problem(), problem(index=2, **wrong)])
    with pytest.raises(UserError, match=message) as said:
        costa2016.problems(path)
    assert str(path) in str(said.value) and "\n" not in str(said.value)


def test_a_file_without_a_field_or_without_the_problems_is_refused(tmp_path):
    lacking = problem()
    del lacking["r"]
    with pytest.raises(UserError, match="problem 1 has no numeric field 'r'; is it another release"):
        costa2016.problems(write(tmp_path, [lacking]))
    scipy.io.savemat(tmp_path / "other.mat", {"stats": 1})
    with pytest.raises(UserError, match="not a readable MATLAB file with the variable all_stats"):
        costa2016.problems(tmp_path / "other.mat")


@pytest.mark.parametrize("kept", [0, 60, 128, 400, 0.5, 0.95])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, kept):
    path = write(tmp_path, [problem(index=k) for k in range(1, 9)])
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(UserError, match="not a readable MATLAB file") as said:
        costa2016.problems(path)
    assert "\n" not in str(said.value)
