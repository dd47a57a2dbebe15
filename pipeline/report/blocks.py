"""What a section is made of: figures, tables, notes, and what is absent and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Key:
    """One entry of a figure's legend."""

    label: str
    colour: str
    mark: str = "line"  # line | thin | dashed | dotted | dot | ring | band | rule | any shape of `style.SHAPES`


@dataclass(frozen=True)
class Figure:
    """One figure that answers one question; the caption says n, units, what an interval is and what to look for."""

    slug: str
    question: str
    svg: str
    caption: str
    legend: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One table cell: main text, its interval or remark in small print, an optional class."""

    text: str
    small: str = ""
    css: str = ""
    badge: str = ""  # pass | fail | agrees | deviates | not-run | present | missing
    span: int = 1
    details: Sequence[str] = ()  # lines that unfold below the text


@dataclass(frozen=True)
class Row:
    """One table row; a heading row spans all columns."""

    cells: Sequence[Cell | str]
    colour: str = ""  # swatch before the first cell
    heading: bool = False
    css: str = ""


@dataclass(frozen=True)
class Table:
    """One table; numbers are right-aligned (columns named in ``numeric``)."""

    slug: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    caption: str
    numeric: frozenset[int] = field(default_factory=frozenset)
    compact: bool = False
    inline: bool = False  # small print of numbers beside them, not below
    folded: bool = False  # shown on demand


@dataclass(frozen=True)
class Note:
    """A paragraph of (trusted) HTML."""

    html: Markup


@dataclass(frozen=True)
class Absent:
    """Something that would stand here, and why it does not."""

    title: str
    reason: str
    detail: str = ""


Block = Figure | Table | Note | Absent
