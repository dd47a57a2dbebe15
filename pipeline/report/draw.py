"""Altair charts as static SVG: one theme, the same bytes on every run, ids that do not collide within a page."""

import re

import altair as alt
import pandas as pd

from pipeline.report.style import FAINT, GRID, INK, MUTED

FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
WIDTH = 926  # px, of a whole figure
SPACING = 22  # px, between panels
NUMBERS = 30  # px, kept for the numbers of a vertical axis, so that panels below each other align
CONFIG = {
    "aria": False,
    "font": FONT,
    "background": "transparent",
    "padding": 2,
    "view": {"stroke": None},
    "concat": {"spacing": SPACING},
    "axis": {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": MUTED,
        "titleColor": INK,
        "titlePadding": 8,
        "labelPadding": 4,
        "gridColor": GRID,
        "gridWidth": 1,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "tickSize": 4,
        "labelLimit": 260,
        "titleLimit": 460,
        "labelFlush": False,
    },
    "axisY": {"domain": False, "ticks": False, "minExtent": NUMBERS},
    "title": {
        "font": FONT,
        "fontSize": 12.5,
        "fontWeight": "bold",
        "anchor": "start",
        "color": INK,
        "offset": 8,
        "subtitleFont": FONT,
        "subtitleFontSize": 11,
        "subtitleColor": MUTED,
        "subtitlePadding": 3,
    },
    "text": {"font": FONT, "fontSize": 11, "color": MUTED},
    "line": {"strokeCap": "round", "strokeJoin": "round"},
}


def data(frame: pd.DataFrame) -> alt.InlineData:
    """Rows as inline data, one JSON text (Altair copies lists of rows many times over); missing values as null."""
    return alt.InlineData(
        values=frame.to_json(orient="records", double_precision=8), format=alt.JsonDataFormat(type="json")
    )


def grid(panels: list, columns: int) -> alt.ConcatChart:
    """Panels in rows; every panel keeps its own scales, which the caller sets alike."""
    return alt.concat(*panels, columns=columns).resolve_scale(color="independent", x="independent", y="independent")


def stack(rows: list[list]) -> alt.VConcatChart:
    """Rows of panels, not all of the same length."""
    rows = [alt.hconcat(*row) for row in rows]
    return alt.vconcat(*rows).resolve_scale(color="independent", x="independent", y="independent")


def panel_width(columns: int, first: int = NUMBERS + 24, other: int = NUMBERS + 6) -> int:
    """Width of one of so many panels beside each other, if their vertical axes take ``first`` and ``other`` px."""
    return int((WIDTH - first - (columns - 1) * (other + SPACING)) / columns)


def names(rows: list[str], first: bool, field: str = "label:N", room: int = 132) -> alt.Y:
    """Vertical axis of names, one per row in the order given; written in the first column only."""
    axis = alt.Axis(
        labels=first,
        domain=False,
        ticks=False,
        labelColor=INK,
        labelFontSize=12,
        grid=True,
        labelPadding=8,
        minExtent=room if first else 0,
    )
    return alt.Y(field, sort=rows, title=None, scale=alt.Scale(domain=rows), axis=axis)


def svg(chart, slug: str, label: str) -> str:
    """Draw a chart as an SVG element for a page.

    Parameters
    ----------
    chart : altair chart
        Any top-level chart.
    slug : str
        Name of the figure; prefixes the SVG's ids, which are otherwise counted per process.
    label : str
        What a screen reader says.
    """
    import vl_convert

    spec = chart.properties(config=CONFIG).to_dict(validate=False)
    text = vl_convert.vegalite_to_svg(spec)
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", text).strip()
    text = re.sub(r' (?:class|aria-[a-z]+|role|xmlns:xlink|pointer-events)="[^"]*"', "", text)
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d{3,}(?:e-?\d+)?", _short, tag[0]), text)
    text = text.replace(f' font-family="{FONT}"', "")  # the page's own font, metrically the same
    for position, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text))):
        text = re.sub(
            rf'(?<=id="){re.escape(name)}(?=")|(?<=url\(#){re.escape(name)}(?=\))', f"{slug}-{position}", text
        )
    width, height = (float(re.search(rf'\b{side}="([\d.]+)"', text)[1]) for side in ("width", "height"))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{_attribute(label)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
    )
    return head + text.split(">", 1)[1]


def _short(match: re.Match) -> str:
    value = round(float(match[0]), 2)
    return f"{value:g}" if value else "0"


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
