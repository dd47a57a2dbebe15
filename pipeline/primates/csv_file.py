"""CSV files of measurements: every cell read is checked, and a bad one is named with its place."""

import csv
from pathlib import Path

import numpy as np

from pipeline.errors import UserError

REMEDY = "is it another release? Delete it to have it downloaded again, or replace it by the released file"


class Csv:
    """A CSV file with a header, as text, from which checked columns are taken; rows count from 1 below the header.

    Parameters
    ----------
    path : Path
    rows : int, optional
        How many rows there must be.

    Raises
    ------
    UserError
        If the file cannot be read, a row has not as many cells as the header, or there are not so many rows.
    """

    def __init__(self, path: Path, rows: int | None = None):
        self.path = path
        try:
            with open(path, newline="", encoding="utf-8") as lines:
                header, *cells = list(csv.reader(lines)) or [[]]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: not a readable CSV file ({error}); {REMEDY}") from None
        for row, values in enumerate(cells, 1):
            if len(values) != len(header):
                raise UserError(f"{path}: row {row} has {len(values)} cells, the header {len(header)}; {REMEDY}")
        if rows is not None and len(cells) != rows:
            raise UserError(f"{path}: {len(cells)} trials, expected {rows}; {REMEDY}")
        self.columns = dict(zip(header, zip(*cells))) if cells else dict.fromkeys(header, ())

    def text(self, name: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Cells of a column, each one of those allowed where any are named."""
        if name not in self.columns:
            raise UserError(f"{self.path}: column {name!r} is missing; it has {', '.join(self.columns)}; {REMEDY}")
        values = self.columns[name]
        if allowed:
            self.refuse(name, [value not in allowed for value in values], f"one of {', '.join(allowed)}")
        return values

    def numbers(self, name: str, limits: str, right, missing: str | None = None) -> np.ndarray:
        """Numbers of a column for which ``right`` holds; NaN where a cell holds ``missing``.

        Parameters
        ----------
        name : str
        limits : str
            What ``right`` allows, in words.
        right : callable, array (rows,) → array (rows,) of bool
        missing : str, optional
            What a cell may hold where a value is missing.

        Raises
        ------
        UserError
            If the column is missing, or naming the first row whose value is not allowed.
        """
        text = self.text(name)
        values = np.array([_number(cell) for cell in text], float)
        with np.errstate(invalid="ignore"):
            wrong = ~(np.isfinite(values) & right(values)) & np.array([cell != missing for cell in text], bool)
        self.refuse(name, wrong, limits + ("" if missing is None else f" or {missing or 'an empty cell'}"))
        return values

    def refuse(self, name: str, wrong, limits: str) -> None:
        """Name the first row, counted from 1 below the header, whose value cannot be.

        Raises
        ------
        UserError
        """
        if np.any(wrong):
            row = int(np.argmax(wrong))
            value = self.columns[name][row]
            held = f"holds {value!r}" if value else "is empty"
            raise UserError(f"{self.path}: column {name!r} {held} in row {row + 1}; allowed: {limits}; {REMEDY}")


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan
