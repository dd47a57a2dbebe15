"""The trial table: the one contract between whatever behaves and whatever analyses behaviour.

Everything left of this table makes behaviour (networks, learners, animals); everything right of it analyses behaviour
and cannot tell who made it. `COLUMNS` is the single declaration: the check, the writers, the data-package JSON, the
README table and the R line all come from it (`pipeline.exports`).

A column with ``per_option`` stands for one column per option, ``name_0``, ``name_1``, …; optional ones may be absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import UserError

SPECIES = ("monkey", "human", "network", "learner")
KEY = ("source", "subject", "session", "episode", "trial")


class TrialTableError(UserError):
    """A table that does not keep the contract."""


@dataclass(frozen=True)
class Column:
    """One column of the trial table; dtypes are pandas' nullable types, so that missing is missing."""

    name: str
    dtype: str
    description: str
    unit: str = ""
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    missing: bool = False  # may a value be missing?
    optional: bool = False  # may the whole column be absent?
    per_option: bool = False  # one column per option: name_0, name_1, …


COLUMNS: tuple[Column, ...] = (
    Column("source", "string", "dataset, learner, or <core>_<training task>; one source per file"),
    Column("species", "string", "who behaves", levels=SPECIES),
    Column("task", "string", "task of this trial, a name of the registry TASKS or of the dataset's own task"),
    Column("subject", "string", "an animal, a person or one trained network; letters and digits only"),
    Column("session", "Int32", "an animal's day, a person's visit, a network's batch of test episodes; from 1", low=1),
    Column("episode", "Int32", "stretch after which a learner's state is reset; counts from 1 per session", low=1),
    Column("trial", "Int32", "trial within the episode; from 1", low=1),
    Column("block", "Int32", "stretch of constant contingency within the episode; from 1", low=1, missing=True),
    Column("trial_type", "string", "free choice, or forced by the experimenter", levels=("free", "forced")),
    Column("options", "Int32", "number K of options on offer", low=1),
    Column("choice", "Int32", "option chosen (first stage), 0 … K-1; missing if no choice was made", low=0,
           missing=True),
    Column("reward", "Float64", "outcome received; missing if no choice was made", "reward", missing=True),
    Column("group", "string", "group of subjects (young, elderly, …); the same for all trials of a subject",
           missing=True, optional=True),
    Column("condition", "string", "what sets the sessions of a subject apart (drug off, on, …); one per session",
           missing=True, optional=True),
    Column("reward_probability", "Float64", "latent probability that the option pays", "probability",
           low=0, high=1, missing=True, optional=True, per_option=True),
    Column("expected_reward", "Float64", "latent mean outcome of the option, where it is more than a probability",
           "reward", missing=True, optional=True, per_option=True),
    Column("magnitude", "Float64", "amount that the option is seen to offer before the choice; negative for a loss",
           "reward", missing=True, optional=True, per_option=True),
    Column("outcome", "Float64", "what the option paid or would have paid, as a share of its magnitude, where known",
           "share of magnitude", low=0, high=1, missing=True, optional=True, per_option=True),
    Column("better_option", "Int32", "option of highest latent value; missing if tied or unknown", low=0, missing=True,
           optional=True),
    Column("volatility", "Float64", "volatility of the contingency, in the task's own unit", "task", low=0,
           missing=True, optional=True),
    Column("response_time", "Float64", "from offer to (first-stage) choice", "s", low=0, missing=True, optional=True),
    Column("transition", "string", "two-step tasks: kind of transition", levels=("common", "rare"), missing=True,
           optional=True),
    Column("second_state", "Int32", "two-step tasks: second-stage state reached", low=0, missing=True, optional=True),
    Column("second_choice", "Int32", "two-step tasks: second-stage choice", low=0, missing=True, optional=True),
    Column("second_trial_type", "string", "two-step tasks: free or forced second-stage choice",
           levels=("free", "forced"), missing=True, optional=True),
    *(
        Column(f"second_outcome_{j}", "Float64",
               f"two-step tasks: expected outcome of second-stage option {j % 2} of state {j // 2}", "reward",
               missing=True, optional=True)
        for j in range(4)
    ),
    Column("policy", "Float64", "probability the agent gave to the option before choosing", "probability",
           low=0, high=1, missing=True, optional=True, per_option=True),
    Column("value", "Float64", "networks: critic's value V before the choice", "reward", missing=True, optional=True),
    Column("reward_prediction_error", "Float64",
           "networks: r + gamma V' - V at the outcome, with V' = 0 after the last trial", "reward", missing=True,
           optional=True),
    Column("transition_prediction_error", "Float64",
           "networks on two-step tasks: gamma V' - V from the first-stage choice to the second stage", "reward",
           missing=True, optional=True),
)  # fmt: skip


def expand(options: int) -> list[Column]:
    """List the declared columns with per-option columns written out for ``options`` options."""
    spread = []
    for column in COLUMNS:
        names = [f"{column.name}_{k}" for k in range(options)] if column.per_option else [column.name]
        spread += [
            column if name == column.name else Column(**{**vars(column), "name": name, "per_option": False})
            for name in names
        ]
    return spread


def empty(options: int = 2) -> pd.DataFrame:
    """Return a valid table without rows: what stands in for a dataset that cannot be had."""
    required = [c for c in expand(options) if not c.optional]
    return pd.DataFrame({c.name: pd.array([], dtype=c.dtype) for c in required})


def conform(table: pd.DataFrame) -> pd.DataFrame:
    """Order the columns as declared and give each its declared dtype; then `check`."""
    declared = _declared(table)
    ordered = {}
    for name, column in declared.items():
        if name in table.columns:
            try:
                ordered[name] = table[name].astype(column.dtype)
            except (TypeError, ValueError) as error:
                raise TrialTableError(f"trial table: column {name!r} is not {column.dtype}: {error}") from error
    return check(pd.DataFrame(ordered, index=table.index))


def check(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table unchanged if it keeps the contract.

    Raises
    ------
    TrialTableError
        One message naming the column, the first offending rows by key, the value, and what is allowed.
    """
    from pandera.errors import SchemaError

    _declared(table)
    try:
        _schema(_number_of_options(table)).validate(table)
    except SchemaError as error:
        raise TrialTableError(_message(table, error)) from None
    return table


def _declared(table: pd.DataFrame) -> dict[str, Column]:
    """Map name to declared column, after a look for columns that are not declared or stand there twice."""
    declared = {c.name: c for c in expand(_number_of_options(table))}
    for name, twice in zip(table.columns, table.columns.duplicated(), strict=True):
        if name not in declared:
            raise TrialTableError(f"trial table: unknown column {name!r}; declared are {', '.join(declared)}")
        if twice:
            raise TrialTableError(f"trial table: column {name!r} is there twice")
    return declared


def _number_of_options(table: pd.DataFrame) -> int:
    if "options" not in table.columns:
        raise TrialTableError("trial table: column 'options' is missing; it holds the number of options on offer")
    values = pd.to_numeric(table["options"], errors="coerce")
    if not len(values):
        return 2
    bad = (values.isna() | (values < 1) | (values % 1 != 0)).to_numpy(bool, na_value=True)
    if bad.any():
        raise TrialTableError(f"trial table: column 'options' holds {table['options'].iloc[int(bad.argmax())]} at "
                              f"{_place(table, bad)}; it must be a whole number of options, 1 or more")  # fmt: skip
    return int(values.max())


@lru_cache
def _schema(options: int):
    import pandera.pandas as pa

    columns = {}
    for c in expand(options):
        checks = []
        if c.levels:
            checks.append(pa.Check.isin(c.levels, error=f"one of {', '.join(c.levels)}"))
        if c.low is not None:
            checks.append(pa.Check.ge(c.low, error=f"at least {c.low:g}"))
        if c.high is not None:
            checks.append(pa.Check.le(c.high, error=f"at most {c.high:g}"))
        if c.name == "subject":
            checks.append(pa.Check.str_matches(r"^[A-Za-z0-9]+$", error="letters and digits only (BIDS labels)"))
        if c.dtype.startswith("Float"):
            checks.append(pa.Check(lambda s: ~s.isin([np.inf, -np.inf]), error="a finite number"))
        columns[c.name] = pa.Column(c.dtype, checks, nullable=c.missing, required=not c.optional)
    return pa.DataFrameSchema(columns, strict=True, checks=_table_checks())


def _table_checks():
    import pandera.pandas as pa

    def below_options(column):
        def test(t):
            return (t[column] < t["options"]).fillna(True).astype(bool) if column in t else True

        return pa.Check(test, error=f"{column} must lie in 0 … options-1 (did the file count options from 1?)")

    def outcome_with_choice(t):
        return t["choice"].isna() | t["reward"].notna()

    def outcome_without_choice(t):
        return t["choice"].notna() | t["reward"].isna()

    def policy_sums_to_one(t):
        columns = [name for name in t if name.startswith("policy_")]
        total = t[columns].sum(axis=1, min_count=1)
        return (total.isna() | ((total - 1).abs() < 1e-4)).astype(bool) if columns else True

    def one_source(t):
        return len(t["source"].unique()) <= 1

    def unique_key(t):
        return ~t.duplicated(list(KEY), keep=False)

    return [
        below_options("choice"),
        below_options("better_option"),
        pa.Check(outcome_with_choice, error="a trial with a choice must have a reward (0 if none was paid)"),
        pa.Check(outcome_without_choice, error="a trial without a choice cannot have a reward"),
        pa.Check(policy_sums_to_one, error="policy_0 … policy_K-1 must sum to 1"),
        pa.Check(one_source, error="one source per table"),
        pa.Check(unique_key, error=f"rows must differ in their key ({', '.join(KEY)})"),
    ]


def _message(table: pd.DataFrame, error) -> str:
    """One line for one broken promise: column, value, place, what is allowed."""
    reason = error.reason_code.name if error.reason_code else ""
    if reason == "COLUMN_NOT_IN_DATAFRAME":
        cases = error.failure_cases
        name = cases["failure_case"].iloc[0] if hasattr(cases, "iloc") else cases
        return f"trial table: column {name!r} is missing; see pipeline/trials.py for the declared columns"
    if reason == "WRONG_DATATYPE":
        column = error.schema.name
        return (f"trial table: column {column!r} has dtype {table[column].dtype}, not {error.schema.dtype} "
                "(use trials.conform)")  # fmt: skip
    if reason == "SERIES_CONTAINS_NULLS":
        column = error.schema.name
        place = _place(table, table[column].isna())
        return f"trial table: column {column!r} has a missing value at {place}; it must be filled"
    allowed = getattr(error.check, "error", None) or str(error.check)
    column = getattr(error.schema, "name", None)
    cases = error.failure_cases
    if column in table.columns and hasattr(cases, "iloc") and len(cases):
        row = cases["index"].iloc[0]
        return (f"trial table: column {column!r} holds {str(cases['failure_case'].iloc[0])!r} at "
                f"{_place(table, table.index == row)}; allowed: {allowed}")  # fmt: skip
    bad = np.zeros(len(table), bool)
    if hasattr(cases, "iloc") and "index" in cases and cases["index"].notna().any():
        bad = np.asarray(table.index == cases["index"].dropna().iloc[0])
    values = ""
    if bad.any():
        row = table[bad].iloc[0]
        values = "; " + ", ".join(f"{name} = {row[name]}" for name in ("options", "choice", "reward") if name in row)
    return f"trial table: {allowed}; first at {_place(table, bad)}{values}"


def _place(table: pd.DataFrame, rows) -> str:
    found = table[np.asarray(rows, bool)]
    if found.empty:
        return "the table as a whole"
    return ", ".join(f"{name} {found[name].iloc[0]}" for name in KEY if name in found)


def write(
    table: pd.DataFrame, parquet: Path, csv: Path | None = None, metadata: Mapping[str, str] | None = None
) -> None:
    """Check the table and write it as Parquet (zstd) and, where named, CSV; missing is an empty cell in CSV.

    ``metadata`` (text → text) is kept in the Parquet file and comes back in ``read(path).attrs``: provenance, and for
    a dataset that cannot be had ``status="missing"`` with its ``reason``. Files appear whole or not at all.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from pipeline.files import replacing

    arrow = pa.Table.from_pandas(conform(table), preserve_index=False).replace_schema_metadata(
        {"status": "complete", **(metadata or {})}
    )
    with replacing(parquet) as path:
        pyarrow.parquet.write_table(arrow, path, compression="zstd")
    if csv is not None:
        with replacing(csv) as path:
            pyarrow.csv.write_csv(arrow, path, pyarrow.csv.WriteOptions(quoting_style="needed"))


def read(path: Path) -> pd.DataFrame:
    """Read and check a trial table (Parquet or CSV); its file metadata are in ``.attrs``."""
    import pyarrow.parquet

    path = Path(path)
    try:
        if path.suffix == ".csv":
            # Text stays text (a subject may be called 007 or NA), and only an empty cell is missing.
            text = {c.name: "string" for c in COLUMNS if c.dtype == "string"}
            return conform(
                pd.read_csv(path, dtype=text, dtype_backend="numpy_nullable", keep_default_na=False, na_values=[""])
            )
        arrow = pyarrow.parquet.read_table(path)
    except FileNotFoundError:
        raise TrialTableError(f"{path}: there is no such trial table; has the pipeline made it?") from None
    except (OSError, ValueError) as error:
        if isinstance(error, TrialTableError):
            raise TrialTableError(f"{path}: {error}") from None
        raise TrialTableError(
            f"{path}: not a readable trial table ({error}); delete it and run snakemake again"
        ) from None
    dtypes = {c.name: pd.api.types.pandas_dtype(c.dtype) for c in expand(64)}
    table = pd.DataFrame({n: arrow.column(n).to_pandas().astype(dtypes.get(n, "object")) for n in arrow.column_names})
    try:
        check(table)
    except TrialTableError as error:
        raise TrialTableError(f"{path}: {error}") from None
    table.attrs = {k.decode(): v.decode() for k, v in (arrow.schema.metadata or {}).items()}
    return table
