"""A dataset by name: its trial table, or why there is none; and the facts that stand in for it."""

from pathlib import Path

import pandas as pd

from pipeline import trials
from pipeline.primates import dataset
from pipeline.primates.fetch import RESOURCES, DatasetMissing, locate

STAND_IN = "published summary kept as facts"


def load(name: str, data_dir: str | Path | None = None, **where) -> pd.DataFrame:
    """Trial table of a dataset; without rows, and with the reason, if the dataset cannot be had.

    Parameters
    ----------
    name : str
        Dataset, a name of the registry `DATASETS`.
    data_dir : str or Path, optional
        Folder laid out as ``<data_dir>/<dataset>/<path>``; else ``$PRIMATE_DATA_DIR``, else ``data/``, else a download.
    **where
        Passed to `pipeline.primates.fetch.locate` (``cache``, ``table``, ``timeout``).

    Returns
    -------
    pandas.DataFrame
        Keeps the contract of `pipeline.trials`. ``.attrs`` (text → text) hold ``status`` ("complete" or "missing"),
        ``reason`` where missing, and ``dataset``, ``repository``, ``commit``, ``licence`` and ``citation``.

    Raises
    ------
    UserError
        If the dataset is unknown or its files are not the released ones.
    """
    entry = dataset(name)
    source = {key: getattr(entry, key) for key in ("repository", "commit", "licence", "citation")}
    try:
        table = entry.load()(locate(name, data_dir, **where))
        table.attrs = {"status": "complete", "dataset": name, **source}
    except DatasetMissing as missing:
        table = trials.empty()
        table.attrs = {"status": "missing", "reason": missing.reason, "dataset": name, **source}
    return table


def summary(name: str) -> pd.DataFrame | None:
    """Statistics of each animal kept in ``resources/``: what stands in where the data cannot be had.

    Returns
    -------
    pandas.DataFrame or None
        Columns subject ("all": trials of all animals pooled), statistic, value, n (observations behind the value;
        missing for counts); ``.attrs["label"]`` says what it is. None for a dataset without such a file.
    """
    entry = dataset(name)
    if not entry.summary:
        return None
    table = pd.read_csv(
        RESOURCES / entry.summary,
        dtype={"subject": "string", "statistic": "string", "value": "Float64", "n": "Int64"},
    )
    table.attrs = {"label": STAND_IN, "dataset": name, "citation": entry.citation}
    return table
