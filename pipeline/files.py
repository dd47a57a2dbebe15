"""Files appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``, renamed onto it on success and deleted on failure.

    An interrupted run therefore never leaves a half-written file that looks finished.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_csv(frame, target: Path) -> None:
    """Write a tidy table: no index, missing as an empty cell."""
    with replacing(target) as path:
        frame.to_csv(path, index=False)


def read_csvs(paths):
    """Read tidy tables and stack them, leaving out those without rows."""
    import pandas as pd

    tables = [pd.read_csv(path) for path in paths]
    kept = [table for table in tables if len(table)]
    return pd.concat(kept, ignore_index=True) if kept else (tables[0] if tables else pd.DataFrame())
