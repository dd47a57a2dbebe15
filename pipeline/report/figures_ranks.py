"""Figures of simulation-based calibration: ranks of the truth among posterior draws."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.models.ranks import band, counts
from pipeline.models.structures import STRUCTURES
from pipeline.models.verdicts import verdicts
from pipeline.report.blocks import Block, Cell, Figure, Key, Row, Table
from pipeline.report.draw import data, grid, panel_width, svg
from pipeline.report.figures_models import FAILED, model_title, symbol
from pipeline.report.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    count,
    number,
    plural,
    significant,
)

LEVELS = {  # level → title, colour, shape
    "group_mean": ("group mean", BLUE, "circle"),
    "group_sd": ("SD between subjects", ORANGE, "square"),
    "session_sd": ("SD between sessions", GREEN, "triangle-up"),
    "condition": ("effect of a condition", PURPLE, "diamond"),
    "subject": ("a subject", MUTED, "triangle-down"),
}
HUES = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK, MUTED)  # of the parameters of a model, in order
DARK = "#d5dae0"  # of the narrower band
JOINT = "joint"


def simulated_from(frame: pd.DataFrame) -> str:
    """Say what the data sets were simulated on."""
    name = str(frame["structure"].iloc[0])
    if name not in STRUCTURES:
        return f"the structure {name}"
    s = STRUCTURES[name]
    size = f"{s.subjects} subjects × {s.sessions} sessions × {plural(s.episodes, 'episode')}"
    return f"the study's reduced structure ({size}; {s.description})"


def calibration(ranks: pd.DataFrame) -> list[Block]:
    """Distribution of ranks against uniform, per model and level; and a table of the quantities that stray."""
    judged = verdicts(ranks)
    models = list(dict.fromkeys(ranks["model"]))
    return [_strays(judged), *(_ranks(ranks, judged, model, model == models[0]) for model in models)]


def _ranks(ranks: pd.DataFrame, judged: pd.DataFrame, model: str, explained: bool) -> Figure:
    question = f"{model_title(model)}: are the ranks of the truth uniform?"
    own, judged = ranks[ranks["model"] == model].fillna({"parameter": ""}), judged[judged["model"] == model]
    draws, sets = int(own["draws"].iloc[0]), int(own["dataset"].nunique())
    points = np.arange(1, draws + 1) / (draws + 1)
    wide, narrow = band(sets, draws, 0.99), band(sets, draws, 0.95)
    lines = []
    for r in judged.itertuples():
        values = own.loc[own["quantity"] == r.quantity, "rank"].to_numpy(int)
        lines.append((r, counts(values, draws) / sets - points))
    reach = max([np.abs(np.stack([wide.low, wide.high]) / sets - points).max(), *(np.abs(y).max() for _, y in lines)])
    order = [p for p in dict.fromkeys(own["parameter"]) if p]
    hue = {p: HUES[i % len(HUES)] for i, p in enumerate(order)} | {"": INK}
    levels = [level for level in (*LEVELS, JOINT) if level in set(own["level"])]
    columns = len(levels)
    panels = []
    for i, level in enumerate(levels):
        x = alt.X("z:Q", title="rank / draws", scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(tickCount=3))
        y = alt.Y("y:Q", title="share − expected" if i == 0 else None,
                  axis=alt.Axis(tickCount=5, labels=i == 0, minExtent=30 if i == 0 else 0),
                  scale=alt.Scale(domain=[-1.04 * reach, 1.04 * reach], nice=False))  # fmt: skip
        layers = []
        for edge, colour in ((wide, GRID), (narrow, DARK)):
            area = pd.DataFrame({"z": points, "y": edge.low / sets - points, "top": edge.high / sets - points})
            layers.append(
                alt.Chart(data(area)).mark_area(color=colour, interpolate="step").encode(x=x, y=y, y2="top:Q")
            )
        for r, values in lines:
            if r.level == level:
                frame = pd.DataFrame({"z": points, "y": values})
                style = {"strokeWidth": 1.6 if r.calibrated else 2.6, "interpolate": "step"}
                layers.append(alt.Chart(data(frame)).mark_line(color=hue[r.parameter], **style).encode(x=x, y=y))
                if not r.calibrated:
                    far = frame.iloc[[int(np.abs(values).argmax())]]
                    cross = alt.Chart(data(far)).mark_point(shape="cross", angle=45, size=75, filled=True, opacity=1)
                    layers.append(cross.encode(x=x, y=y, color=alt.value(FAILED)))
        title = "log-likelihood" if level == JOINT else LEVELS[level][0]
        size = {"width": panel_width(columns, 76, 12), "height": 120}
        panels.append(alt.layer(*layers).properties(**size, title=alt.TitleParams(title)))
    failed = int(own.drop_duplicates("dataset")["failed"].sum())
    caption = (
        f"Rank of the true value among {draws} thinned posterior draws, in n = {sets} data sets with truths from the "
        "prior: cumulative distribution minus the uniform one. Under a correct fit a line stays inside the dark band "
        "in 95 %, inside the light one in 99 % of cases, over its whole length (exact simultaneous bands). The "
        "log-likelihood ranks parameters and data jointly. "
        f"Simulated on {simulated_from(own)}. Red cross: outside the light band. Look for an S-shaped line, posteriors "
        "too narrow or too wide, or an arch, posteriors shifted."
        if explained
        else f"As above; n = {sets}. Look for lines that leave the bands."
    ) + (f" {plural(failed, 'fit')} not sound even in a second run are kept in." if failed else "")
    keys = tuple(Key(symbol(model, p), hue[p]) for p in order)
    slug = f"ranks-{model.replace('_', '-')}"
    return Figure(slug, question, svg(grid(panels, columns), slug, question), caption, keys)


def _strays(judged: pd.DataFrame) -> Table:
    """Quantities outside the 99 % band, with how many are expected by chance."""
    bad = judged[judged["calibrated"] == 0].sort_values("p", kind="stable")
    rows = [
        Row(
            [
                Cell(model_title(r.model)),
                Cell(_quantity(r)),
                Cell(significant(r.p, 2)),
                Cell(count(r.n)),
                Cell(count(r.failed)),
            ]
        )
        for r in bad.itertuples()
    ] or [Row([Cell("none", span=5)])]
    total = len(judged)
    caption = (
        f"Of {count(total)} quantities ranked, {count(len(bad))} {'lies' if len(bad) == 1 else 'lie'} outside the 99 % "
        f"band; {number(0.01 * total, 1)} are expected to by chance if all fits are calibrated, and "
        f"{count((judged['inside_95'] == 0).sum())} outside the 95 % band ({number(0.05 * total, 1)} expected). "
        "p: probability that the ranks of a calibrated fit stray as far at any point."
    )
    return Table("calibration", "Ranks that stray", ("Model", "Quantity", "p", "Data sets", "Fits not sound"), rows,
                 caption, frozenset((2, 3, 4)), True)  # fmt: skip


def _quantity(row) -> str:
    return "log-likelihood" if row.level == JOINT else f"{symbol(row.model, row.parameter)}, {LEVELS[row.level][0]}"
