"""Building blocks of methods text: everything that is not markup is escaped."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.report.mathml import mathml


@dataclass(frozen=True)
class Paragraph:
    """One headed paragraph of methods: trusted HTML, and the references it rests on."""

    title: str
    html: Markup
    references: tuple[str, ...] = ()


def equation(latex: str) -> Markup:
    """Set an equation on a line of its own."""
    return Markup('<div class="equation">{}</div>').format(Markup(mathml(latex)))


def text(*parts: str) -> Markup:
    """Set a paragraph of plain text."""
    return Markup("<p>{}</p>").format(" ".join(filter(None, parts)))


def items(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Set a list of terms and their descriptions; nothing for no terms."""
    rows = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(a, b) for a, b in pairs)
    return Markup("<dl>{}</dl>").format(rows) if rows else rows


def bullets(lines: Iterable[str]) -> Markup:
    """Set a list of lines."""
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(line) for line in lines))


def rows(head: Iterable[str], body: Iterable[Iterable[str]]) -> Markup:
    """Set a small table."""
    top = Markup("").join(Markup("<th>{}</th>").format(name) for name in head)
    lines = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in body
    )
    table = Markup(
        '<div class="scroll"><table class="compact"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    )
    return table.format(top, lines)
