"""What is generated from the contract: README table, R line, data package."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from pipeline import exports, trials
from pipeline.agents import AGENTS
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS


@pytest.fixture(scope="module")
def frame():
    entry = AGENTS["rescorla_wagner"]
    found = table(
        play(entry.load()(TASKS["reversal"]), TASKS["reversal"], 20, generator(1, "exports")), "rescorla_wagner"
    )
    found.loc[found["trial"] == 5, ["choice", "reward"]] = pd.NA  # as if nothing had been chosen
    return trials.check(found)


@pytest.fixture
def written(frame, tmp_path):
    trials.write(frame, tmp_path / "rescorla_wagner.parquet", tmp_path / "rescorla_wagner.csv")
    return tmp_path / "rescorla_wagner.parquet"


def test_the_readme_table_has_a_row_per_declared_column():
    rows = exports.markdown_table().strip().splitlines()
    assert len(rows) == 2 + len(trials.COLUMNS)
    assert all(row.count("|") == 6 for row in rows)
    for column, row in zip(trials.COLUMNS, rows[2:], strict=True):
        assert row.startswith(f"| `{column.name}") and column.unit in row and "<" not in row
        assert all(level in row for level in column.levels)


def test_the_r_line_of_a_table_names_each_of_its_columns_once(frame):
    line = exports.r_col_types(frame.columns)
    assert line.startswith("cols(") and line.endswith(")")
    parts = dict(part.split(" = ") for part in line[5:-1].split(", "))
    assert list(parts) == list(frame.columns)
    assert parts["subject"] == "col_character()" and parts["choice"] == "col_integer()"
    assert parts["policy_1"] == "col_double()"


def test_the_general_r_line_names_only_what_is_always_there():
    line = exports.r_col_types()
    for column in trials.COLUMNS:
        assert (f"{column.name} = " in line) == (not column.optional)


def test_the_data_package_describes_the_files_beside_it(written, frame):
    made = exports.data_package(written, frame, {"commit": "abc", "seed": 1})
    package = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    assert package == json.loads(json.dumps(made))
    assert package["provenance"] == {"commit": "abc", "seed": 1}
    assert package["counts"] == {"trials": 1600, "subjects": 1}
    for resource in package["resources"]:
        content = (written.parent / resource["path"]).read_bytes()
        assert resource["bytes"] == len(content) and resource["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert [r["format"] for r in package["resources"]] == ["csv", "parquet"]


def test_the_schema_of_the_data_package_is_the_contract(written, frame):
    schema = exports.data_package(written, frame, {})["resources"][0]["schema"]
    assert schema["missingValues"] == [""] and schema["primaryKey"] == list(trials.KEY)
    assert [f["name"] for f in schema["fields"]] == list(frame.columns)
    fields = {f["name"]: f for f in schema["fields"]}
    assert fields["species"] == {"name": "species", "type": "string", "description": "who behaves",
                                 "constraints": {"required": True, "enum": list(trials.SPECIES)}}  # fmt: skip
    assert fields["choice"]["type"] == "integer" and fields["choice"]["constraints"] == {"minimum": 0}
    assert fields["policy_1"]["constraints"] == {"minimum": 0, "maximum": 1}
    assert fields["policy_1"]["unit"] == "probability" and fields["reward"]["type"] == "number"


def test_every_cell_of_the_csv_keeps_the_schema_of_its_data_package(written, frame):
    """A reader that knows only the JSON and the standard finds nothing wrong."""
    resource = exports.data_package(written, frame, {})["resources"][0]
    schema = resource["schema"]
    cells = pd.read_csv(written.parent / resource["path"], dtype=str, keep_default_na=False)
    assert list(cells.columns) == [f["name"] for f in schema["fields"]]
    assert not cells.duplicated(schema["primaryKey"]).any()
    for field in schema["fields"]:
        column, limits = cells[field["name"]], field.get("constraints", {})
        filled = column[~column.isin(schema["missingValues"])]
        assert len(filled) == len(column) or not limits.get("required")
        if "enum" in limits:
            assert set(filled) <= set(limits["enum"])
        if field["type"] == "integer":
            assert filled.str.fullmatch(r"-?\d+").all()
        if field["type"] != "string":
            assert (filled.astype(float) >= limits.get("minimum", float("-inf"))).all()
            assert (filled.astype(float) <= limits.get("maximum", float("inf"))).all()


def test_the_same_table_gives_the_same_package(written, frame):
    exports.data_package(written, frame, {"commit": "abc"})
    first = written.with_suffix(".json").read_bytes()
    exports.data_package(written.with_suffix(".json"), frame, {"commit": "abc"})
    assert written.with_suffix(".json").read_bytes() == first
    assert sorted(p.suffix for p in written.parent.iterdir()) == [".csv", ".json", ".parquet"]


def test_a_table_without_rows_has_a_package_with_its_reason(tmp_path):
    trials.write(trials.empty(), tmp_path / "gone.parquet", tmp_path / "gone.csv")
    package = exports.data_package(
        tmp_path / "gone.json", trials.empty(), {"status": "missing", "reason": "no network"}
    )
    assert package["counts"] == {"trials": 0, "subjects": 0}
    assert package["provenance"]["reason"] == "no network" and package["title"].endswith("gone")


def r(code, folder):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed (apt install r-base-core r-cran-readr): the R line was not tried")
    if subprocess.run(["Rscript", "-e", "library(readr)"], capture_output=True).returncode:
        pytest.skip("R has no readr (apt install r-cran-readr): the R line was not tried")
    done = subprocess.run(["Rscript", "-e", f"options(warn = 2); library(readr); {code}"],
                          cwd=folder, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("which", ["the table's own line", "the general line"])
def test_r_reads_the_csv_with_the_documented_line_and_counts_the_same(which, written, frame):
    own = exports.data_package(written, frame, {})["r"]
    line = (
        own
        if which == "the table's own line"
        else f'read_csv("rescorla_wagner.csv", col_types = {exports.r_col_types()})'
    )
    counted = r(
        f"t <- {line}; stop_for_problems(t); cat(nrow(t), length(unique(t$episode)), sum(is.na(t$choice)), "
        "sum(t$choice == 1, na.rm = TRUE), sum(t$reward, na.rm = TRUE), "
        "sum(t$better_option == t$choice, na.rm = TRUE), class(t$choice), class(t$subject), class(t$policy_0), "
        "format(sum(t$policy_0), digits = 12))",
        written.parent,
    )
    expected = [len(frame), frame["episode"].nunique(), frame["choice"].isna().sum(), (frame["choice"] == 1).sum(),
                frame["reward"].sum(), (frame["better_option"] == frame["choice"]).sum()]  # fmt: skip
    assert [float(x) for x in counted[:6]] == [float(x) for x in expected]
    assert counted[6:9] == ["integer", "character", "numeric"]
    assert float(counted[9]) == pytest.approx(frame["policy_0"].sum(), rel=1e-10)


def test_the_readme_shows_the_declared_columns_and_the_r_line():
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert exports.refresh(readme) == readme, "run python -m pipeline.exports"
