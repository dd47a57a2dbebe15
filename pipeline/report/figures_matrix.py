"""The train-by-test matrix as figures: one per core, a cell per pair of training and test distribution."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, svg
from pipeline.report.figures_bandits import core_label
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.statistics import matrix_table
from pipeline.report.style import INK, count, interval, missing, number, span, task_label

WHITE = "#ffffff"
SHADES = ("#e9f1f8", "#cfe1f0", "#a9c9e4", "#6fa6d0", "#3a7db8", "#0b5394")  # one hue, by lightness alone
EDGES = (1.1, 1.25, 1.5, 2.0, 3.0)  # ratios between the shades
WIDTH, HEIGHT = 164, 66  # px, of a cell


def shade(ratio: float) -> str:
    """Colour of a cell: the darker, the further above the optimum of the test."""
    return SHADES[int(np.searchsorted(EDGES, ratio, side="right"))]


def matrices(results: StudyResults) -> list[Figure | Absent]:
    """One matrix per core, in the order of the config."""
    table = matrix_table(results)
    if table.empty:
        title = "Regret of every training on every test"
        why = results.why_absent("evaluation") if results.plan.train_by_test else "This study asks for no such matrix."
        return [Absent(title, why)]
    cores = list(dict.fromkeys(table["core"]))
    return [matrix(results, table[table["core"] == core], core, core == cores[0]) for core in cores]


def matrix(results: StudyResults, table: pd.DataFrame, core: str, explained: bool = True) -> Figure:
    """One core's matrix: rows are trainings, columns tests; `statistics.matrix_table` restricted to the core.

    ``explained``: whether the caption says what a cell holds, or refers to the figure that does.
    """
    name = core_label(results, core)
    question = f"{name}: how does an agent of one distribution do on another?"
    tests = [t for t in results.plan.tasks if t in set(table["task"])]
    trainings = [t for t in results.plan.tasks if t in set(table["training_task"])]
    cells = table.assign(
        column=table["task"].map(task_label),
        row=table["training_task"].map(task_label),
        fill=table["ratio"].map(shade),
        ink=[WHITE if r >= EDGES[3] else INK for r in table["ratio"]],
        own=table["task"] == table["training_task"],
        head=[f"{number(r, 2)} ×" for r in table["ratio"]],
        regret=[f"{number(r.mean, 2)} {interval(r.low, r.high, 2)}" for r in table.itertuples()],
        limits=[_limits(r) for r in table.itertuples()],
    )
    x = alt.X(
        "column:N",
        title="tested on",
        sort=[task_label(t) for t in tests],
        scale=alt.Scale(domain=[task_label(t) for t in tests], paddingInner=0.03, paddingOuter=0),
        axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False, labelFontSize=13, labelColor=INK),
    )
    y = alt.Y(
        "row:N",
        title="trained on",
        sort=[task_label(t) for t in trainings],
        scale=alt.Scale(domain=[task_label(t) for t in trainings], paddingInner=0.06, paddingOuter=0),
        axis=alt.Axis(domain=False, ticks=False, labelFontSize=13, labelColor=INK, minExtent=30),
    )
    base = alt.Chart(data(cells[["column", "row", "fill", "ink", "own", "head", "regret", "limits"]])).encode(x=x, y=y)
    ink = alt.Color("ink:N", scale=None)
    layers = (
        base.mark_rect().encode(color=alt.Color("fill:N", scale=None)),
        base.transform_filter("datum.own").mark_rect(filled=False, stroke=INK, strokeWidth=2),
        base.mark_text(dy=-17, fontSize=15, fontWeight="bold").encode(text="head:N", color=ink),
        base.mark_text(dy=2, fontSize=11).encode(text="regret:N", color=ink),
        base.mark_text(dy=18, fontSize=10.5).encode(text="limits:N", color=ink),
    )
    chart = alt.layer(*layers).properties(width=WIDTH * len(tests), height=HEIGHT * len(trainings))
    n = f"n = {span(table['n'])} best networks of the row"
    caption = (
        "Rows: the distribution that the networks were trained on; columns: the one that they were tested on, "
        "frozen. In "
        "each cell: regret ÷ that of the ideal agent of the test (bold, no unit); mean regret per episode [95 % "
        "interval "
        f"over the {n} and the {count(table['episodes'].max())} test episodes that they share] (reward); and the "
        "regret of "
        "two ideal agents on that test: of the row's own prior → of the test's. The first says what a network that "
        "learned "
        "its training perfectly would lose there (–: not computed), the second what nobody can beat. The darker, the "
        f"further above the optimum of the test; outlined: trained and tested on the same. {selection(results)} Look "
        "for "
        "cells that lose more than the row's ideal agent does there: the network fails to extrapolate as that agent "
        "would, since histories that are common off the row's distribution were rare in training; it has failed to "
        "learn the distribution only if the outlined cell of the row is high, too."
    )
    if not explained:
        caption = f"As in the figure above; {n}. Look for cells whose regret lies above the ideal agent of their row."
    slug = f"matrix-{core}"
    return Figure(slug, question, svg(chart, slug, question), caption, _legend())


def _limits(row) -> str:
    ideal = "–" if missing(row.ideal) else number(row.ideal, 2)
    return f"ideal {ideal} → {number(row.optimum, 2)}"


def _legend() -> tuple[Key, ...]:
    low = (f"below {EDGES[0]:g} ×", *(f"from {edge:g} ×" for edge in EDGES))
    return tuple(Key(label, colour, "full:square") for label, colour in zip(low, SHADES, strict=True))
