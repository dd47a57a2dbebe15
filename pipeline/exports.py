"""What others read a trial table with: README table, R line, data package; all generated from `trials.COLUMNS`."""

import hashlib
import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pipeline import trials
from pipeline.files import replacing

R_TYPES = {"string": "col_character()", "Int32": "col_integer()", "Float64": "col_double()"}
FRICTIONLESS_TYPES = {"string": "string", "Int32": "integer", "Float64": "number"}


def markdown_table() -> str:
    """Return the columns of the trial table as a Markdown table, for the README."""
    rows = ["| column | type | unit | values | meaning |", "|---|---|---|---|---|"]
    for column in trials.COLUMNS:
        name = f"`{column.name}_0`, `{column.name}_1`, …" if column.per_option else f"`{column.name}`"
        kind = {"string": "text", "Int32": "integer", "Float64": "number"}[column.dtype]
        presence = "; may be absent" if column.optional else ""
        meaning = (column.description + presence).replace("<", "&lt;")  # else Markdown takes <core> for a tag
        rows.append(f"| {name} | {kind} | {column.unit} | {_values(column)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _values(column: trials.Column) -> str:
    if column.levels:
        return ", ".join(column.levels)
    if column.low is not None and column.high is not None:
        return f"{column.low:g} … {column.high:g}"
    return f"≥ {column.low:g}" if column.low is not None else ""


def r_col_types(columns: Iterable[str] | None = None) -> str:
    """Return readr's ``col_types`` for a trial table, as R code: ``cols(source = col_character(), …)``.

    Parameters
    ----------
    columns : iterable of str, optional
        Columns of one table, each of which is then named. Without it the line fits every trial table: the columns that
        are always there are named, and the others are left to readr's guess (naming a column that a file does not have
        would give a warning).
    """
    wanted = None if columns is None else set(columns)
    named = [c for c in _declared(wanted) if (not c.optional if wanted is None else c.name in wanted)]
    parts = [f"{c.name} = {R_TYPES[c.dtype]}" for c in named]
    return f"cols({', '.join(parts if wanted is not None else [*parts, '.default = col_guess()'])})"


def _declared(columns) -> list[trials.Column]:
    """List the declared columns, with as many options as the named columns have."""
    suffixes = [name.rsplit("_", 1)[-1] for name in (() if columns is None else columns)]
    return trials.expand(max([2, *(int(suffix) + 1 for suffix in suffixes if suffix.isdigit())]))


def data_package(table_path: Path, table: pd.DataFrame, provenance: Mapping) -> dict:
    """Describe a written trial table as a data package (Frictionless Data), in ``{source}.json`` beside it.

    Parameters
    ----------
    table_path : path
        Any of the table's files, written already; those that are there (``.csv``, ``.parquet``) become resources.
    table : DataFrame
        The table itself.
    provenance : mapping
        What made it (commit, versions, seed, status …); kept as it is under ``provenance``.

    Returns
    -------
    dict
        The package as written.

    References
    ----------
    Data Package standard, version 2.0 (2024), https://datapackage.org
    """
    target = Path(table_path).with_suffix(".json")
    source = str(table["source"].iloc[0]) if len(table) else target.stem
    fields = [_field(c) for c in _declared(table.columns) if c.name in table.columns]
    schema = {"fields": fields, "missingValues": [""], "primaryKey": list(trials.KEY)}
    resources = [
        {
            "name": f"{target.stem.lower()}-{suffix}",
            "path": file.name,
            "format": suffix,
            "mediatype": kind,
            "encoding": "utf-8",
            "bytes": file.stat().st_size,
            "hash": "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest(),
            **({"type": "table", "schema": schema} if suffix == "csv" else {}),
        }
        for suffix, kind in (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet"))
        if (file := target.with_suffix(f".{suffix}")).is_file()
    ]
    package = {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": target.stem.lower(),
        "title": f"Trial table of {source}",
        "description": "One row per trial. Missing values are empty cells in CSV and null in Parquet.",
        "resources": resources,
        "counts": {"trials": len(table), "subjects": int(table["subject"].nunique())},
        "r": f'read_csv("{target.stem}.csv", col_types = {r_col_types(table.columns)})',
        "provenance": dict(provenance),
    }
    with replacing(target) as path:
        path.write_text(json.dumps(package, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return package


def _field(column: trials.Column) -> dict:
    constraints = {
        "required": None if column.missing else True,
        "enum": list(column.levels) or None,
        "minimum": column.low,
        "maximum": column.high,
    }
    field = {
        "name": column.name,
        "type": FRICTIONLESS_TYPES[column.dtype],
        "description": column.description,
        "unit": column.unit or None,
        "constraints": {key: value for key, value in constraints.items() if value is not None} or None,
    }
    return {key: value for key, value in field.items() if value is not None}


def refresh(text: str) -> str:
    """Put the generated R line and table of columns between their marks in the text of the README."""
    r_code = (
        "```r\nlibrary(readr)\n"
        'trials <- read_csv("results/standard/trials/reversal/costa2016_monkey_prl.csv",\n'
        + textwrap.fill(f"col_types = {r_col_types()})", 110, initial_indent="  ", subsequent_indent="    ")
        + "\n```"
    )
    for mark, content in (("r", r_code), ("columns", markdown_table().rstrip("\n"))):
        before, rest = text.split(f"<!-- {mark} -->", 1)
        after = rest.split(f"<!-- /{mark} -->", 1)[1]
        text = f"{before}<!-- {mark} -->\n{content}\n<!-- /{mark} -->{after}"
    return text


if __name__ == "__main__":
    readme = Path(__file__).parents[1] / "README.md"
    readme.write_text(refresh(readme.read_text()))
