"""Figures of what limits the networks: when the excess regret arises, and which hyperparameters it goes with."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, panel_width, stack, svg
from pipeline.report.figures_bandits import COLOUR, TICKS, legend
from pipeline.report.load import StudyResults
from pipeline.report.selection import unequal
from pipeline.report.statistics import excess_curve, own_task
from pipeline.report.style import INK, MUTED, number, span, task_label, task_title
from pipeline.tasks import TASKS

BESIDE = ("gittins", "gittins90")  # learners that ignore the tests' structure, or discount
HYPERPARAMETERS = (
    ("learning_rate", "learning rate (log scale)", "log"),
    ("discount", "discount γ", "linear"),
    ("entropy_cost", "entropy cost β_e (log scale)", "log"),
)


def excess(results: StudyResults) -> Figure | Absent:
    """Cumulative regret above the optimum's, by trial, one panel per distribution."""
    question = "Where in the episode does the regret above the optimum arise?"
    wanted = [*results.names("network"), *(s for s in results.names("learner") if s in BESIDE)]
    parts = [
        excess_curve(results, source, task).assign(source=source, task=task)
        for task in results.plan.tasks
        for source in wanted
        if results.source(source).task in ("", task)
    ]
    frame = pd.concat([p for p in parts if len(p)], ignore_index=True) if any(len(p) for p in parts) else pd.DataFrame()
    if frame.empty:
        return Absent(question, results.why_absent("curves"))
    tasks = [t for t in results.plan.tasks if t in set(frame["task"])]
    columns, trials = min(3, len(tasks)), max(TASKS[t].trials for t in tasks)
    x = alt.X(
        "x:Q",
        title="trial",
        scale=alt.Scale(domain=[1, trials], nice=False),
        axis=alt.Axis(values=[1, *range(20, trials + 1, 20)], grid=False),
    )
    panels = []
    for i, task in enumerate(tasks):
        own = frame[frame["task"] == task]
        networks = own[own["source"].isin(results.names("network"))]
        top = float(np.nanmax([networks["value"].max() * 1.25, own["value"].quantile(0.9), 0.1]))
        low = float(min(0, own["value"].min()))
        y = alt.Y(
            "value:Q",
            title="regret above the optimum (reward)" if i % columns == 0 else None,
            scale=alt.Scale(domain=[low, top], clamp=True, nice=False),
            axis=alt.Axis(tickCount=5),
        )
        zero = alt.Chart(data(pd.DataFrame({"value": [0.0]}))).mark_rule(color=INK, strokeWidth=1).encode(y=y)
        lines = [zero]
        for name in reversed(wanted):
            line, look = own[own["source"] == name], results.looks[name]
            if line.empty:
                continue
            base, network = alt.Chart(data(line[["x", "value", "low", "high"]])), name in results.names("network")
            if network and line["low"].notna().any():
                band = base.mark_area(opacity=0.14, color=look.colour, clip=True)
                lines.insert(0, band.encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"))
            stroke = {"color": look.colour, "strokeWidth": 1.9 if network else 1.3, "strokeDash": list(look.dash)}
            lines.append(base.mark_line(clip=True, **stroke).encode(x=x, y=y))
        title = task_title(task)
        panels.append(alt.layer(*lines).properties(width=panel_width(columns), height=190, title=title))
    kept = results.curves
    n = kept.loc[
        (kept["curve"] == "regret") & (kept["subject"] == "all") & kept["source"].isin(results.names("network")), "n"
    ]
    caption = (
        "Cumulative regret of the best networks of each core minus that of the exact Bayes-optimal learner on the "
        "same test "
        "episodes, by trial (expected rewards per episode; each panel has its own scale). A line that rises at once "
        "and then "
        "runs level loses by poor exploration or slow first inference; one that goes on rising makes errors when the "
        "arms "
        "are known. Band: 95 % bootstrap interval of the networks' own regret over networks and episodes, n = "
        f"{span(n)} "
        "episodes per core and trial (it does not count the sampling of the optimum's regret, which shares the "
        "episodes); "
        f"grey: Gittins indices, which treat the arms as independent. Look for where each line rises. "
        f"{unequal(results)}"
    )
    return Figure("excess", question, svg(grid(panels, columns), "excess", question), caption, legend(results, frame))


def hyperparameters(results: StudyResults) -> Figure | Absent:
    """Regret of the settings that learned against the three hyperparameters drawn, a row per distribution."""
    question = "Among the settings that learned, what does regret go with?"
    frame = own_task(results)
    frame = frame[frame["source"].isin(results.names("network")) & frame["learned"].astype(bool)]
    frame = frame[frame["learning_rate"].notna()] if len(frame) else frame
    if frame.empty:
        why = results.why_absent("evaluation") if results.evaluation.empty else "No setting of this run has learned."
        return Absent(question, why)
    frame = frame.assign(
        ratio=frame["test_regret"] / frame["optimum_regret"],
        colour=frame["source"].map(results.colour),
        best=frame["best"].astype(bool),
        **{name: frame[name].astype(float) for name, _, _ in HYPERPARAMETERS},
    )
    tasks = [t for t in results.plan.tasks if t in set(frame["task"])]
    rows = []
    for task in tasks:
        own, row = frame[frame["task"] == task], []
        ends = [min(0.95, own["ratio"].min() * 0.95), max(own["ratio"].max() * 1.1, 1.5)]
        y_axis = alt.Axis(values=[v for v in TICKS if v <= ends[1]], format="~g")
        for k, (name, title, kind) in enumerate(HYPERPARAMETERS):
            low, high = float(frame[name].min()), float(frame[name].max())
            room = 1.1 if kind == "log" else 0.02
            domain = [low / room, high * room] if kind == "log" else [low - room, high + room]
            last = task == tasks[-1]
            x = alt.X(
                f"{name}:Q",
                title=title if last else None,
                scale=alt.Scale(type=kind, domain=domain, nice=False),
                axis=alt.Axis(format="~g", tickCount=4, grid=False, labels=last, values=_ticks(domain, kind)),
            )
            y = alt.Y(
                "ratio:Q",
                title="regret ÷ optimum" if k == 0 else None,
                scale=alt.Scale(type="log", domain=ends, nice=False),
                axis=y_axis,
            )
            base = alt.Chart(data(own[[name, "ratio", "colour", "best"]])).encode(x=x, y=y)
            one = alt.Chart(data(pd.DataFrame({"ratio": [1.0]}))).mark_rule(strokeDash=[4, 3], color=MUTED).encode(y=y)
            open_ = base.transform_filter("!datum.best").mark_point(size=26, strokeWidth=1.2, opacity=0.7)
            full = base.transform_filter("datum.best").mark_circle(size=40, opacity=0.95)
            layers = alt.layer(one, open_.encode(stroke=alt.Stroke("colour:N", scale=None)), full.encode(color=COLOUR))
            head = alt.TitleParams(task_label(task) if k == 0 else "", fontSize=11.5, offset=4)
            row.append(layers.properties(width=panel_width(3), height=104, title=head))
        rows.append(row)
    caption = (
        "Test regret over the exact optimum (log scale, no unit) of every setting that learned, against its learning "
        "rate, "
        f"discount γ and entropy cost; a row per distribution, n = {span(frame.groupby(['task', 'source']).size())} "
        "settings "
        "per core. Filled: the best by the ranking episodes. A point is one network with a seed of its own; no "
        "interval is "
        f"drawn (single networks: ± {number(_error(frame), 2)} by their test episodes). Dashed: the exact optimum. "
        "Look for "
        "a slope, which is an association: the three, and the seeds, change together. Regret that falls up to the end "
        f"of a range suggests that the range, not the core, sets the limit. {unequal(results)}"
    )
    keys = (*legend(results, frame, "dot"), Key("best", INK, "dot"), Key("other settings", INK, "ring"))
    return Figure("hyperparameters", question, svg(stack(rows), "hyperparameters", question), caption, keys)


def _error(frame: pd.DataFrame) -> float:
    return float(1.96 * (pd.to_numeric(frame["test_regret_se"]) / frame["optimum_regret"].astype(float)).median())


def _ticks(domain: list[float], kind: str) -> list[float]:
    if kind == "log":
        return [v for k in range(-7, 1) for v in (10.0**k, 3 * 10.0**k) if domain[0] <= v <= domain[1]]
    return [round(v, 1) for v in np.arange(0, 1.01, 0.1) if domain[0] <= v <= domain[1]]
