"""MATLAB files of structs (version 7 and older): every number is checked, and a bad one named with its place."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError

REMEDY = "is it another release? Replace it by the released file (resources/datasets.csv)"


def variables(path: Path, *names: str) -> list[np.ndarray]:
    """Read variables of a MATLAB file, structs and cells as scipy's object arrays.

    Raises
    ------
    UserError
        If the file cannot be read or lacks a variable.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=names)
        return [content[name] for name in names]
    except Exception as error:  # a damaged file may fail anywhere in the decoder
        said = str(error).replace("\n", " ")
        raise UserError(
            f"{path}: not a readable MATLAB file with the variable{'s' * (len(names) > 1)} {', '.join(names)} "
            f"({type(error).__name__}: {said}); delete it to have it downloaded again"
        ) from None


@dataclass(frozen=True)
class Struct:
    """One MATLAB struct, and where it stands in which file."""

    path: Path
    place: str  # "Charlie, session 3"
    content: np.void

    def refuse(self, said: str) -> UserError:
        """Error that names file, place, what is wrong and the remedy; to be raised."""
        return UserError(f"{self.path}: {self.place}: {said}; {REMEDY}")

    def numbers(
        self,
        name: str,
        rows: int | None = None,
        columns: int = 1,
        allowed: tuple[float, ...] | None = None,
        low: float | None = None,
        whole: bool = True,
    ) -> np.ndarray:
        """Return the checked numbers of a field: (rows,), or (rows, columns) where there are several columns.

        Parameters
        ----------
        name : str
            Field.
        rows, columns : int
            Expected size; any number of rows, but at least one, without ``rows``.
        allowed : tuple, optional
            The only values there may be (to 1e-9).
        low : float, optional
            Least value.
        whole : bool
            Whether the numbers are whole; then they are returned as integers.

        Raises
        ------
        UserError
            Naming file, place, field, row and value.
        """
        try:
            values = np.asarray(self.content[name], float)
        except (KeyError, ValueError, TypeError, IndexError):
            raise self.refuse(f"there is no numeric field {name!r}") from None
        if values.ndim != 2 or values.shape[1] != columns or (len(values) != rows if rows else not len(values)):
            raise self.refuse(f"{name} has shape {values.shape}, expected ({rows or 'trials'}, {columns})")
        wrong, limits = ~np.isfinite(values), "a finite number"
        if allowed is not None:
            limits = f"one of {', '.join(f'{a:g}' for a in allowed)}"
            wrong |= ~np.isclose(values[..., None], allowed, rtol=0, atol=1e-9).any(-1)
        if whole:
            limits = limits if allowed is not None else "a whole number"
            wrong |= values % 1 != 0
        if low is not None:
            limits += f" from {low:g}"
            wrong |= values < low
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            where = f"row {row + 1}" + (f", column {column + 1}" if columns > 1 else "")
            raise self.refuse(f"{name} holds {values[row, column]:g} in {where}; allowed: {limits}")
        values = values.astype(np.int64) if whole else values
        return values[:, 0] if columns == 1 else values
