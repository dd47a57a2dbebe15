"""Cores at equal parameter count beside cores at equal hidden size."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.agents import AGENTS
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.figures_bandits import COLOUR, TICKS
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.statistics import own_task, regret_table
from pipeline.report.style import INK, count, span, task_title

REFERENCE = "vanilla"  # the core whose number of parameters the others are matched to


def parameters(core: str, task: str) -> int:
    """Count the parameters of one network, heads included."""
    from pipeline.agents.population import parameter_count  # imports torch: only when a page is built

    return parameter_count(core, task)


def compared(results: StudyResults) -> pd.DataFrame:
    """Rows of `statistics.regret_table` of all networks on the tasks on which cores were matched, and more columns.

    Returns
    -------
    DataFrame
        As there, with ``core, matched`` (of the parameter count that was aimed at), ``equal_units, units, parameters,
        row`` (a name with both sizes); ordered by parameters within a core's family; empty without matched cores.
    """
    tasks = {s.task for s in results.sources if s.matched}
    table = regret_table(results, None)
    table = table[table["task"].isin(tasks) & table["source"].isin(results.names("network", matched=None))]
    if table.empty:
        return table
    sources = [results.source(name) for name in table["source"]]
    table = table.assign(
        core=[s.agent for s in sources],
        matched=[s.matched or s.agent == REFERENCE for s in sources],
        equal_units=[not s.matched for s in sources],
        units=[AGENTS[s.agent].settings["units"] for s in sources],
        parameters=[parameters(s.agent, s.task) for s in sources],
    )
    table["row"] = [
        f"{AGENTS[r.core.rstrip('0123456789')].title}, {r.units} units · {count(r.parameters)}"
        for r in table.itertuples()
    ]
    order = [a for a in AGENTS if AGENTS[a].kind == "core"]
    family = [order.index(core.rstrip("0123456789")) for core in table["core"]]
    return table.assign(family=family).sort_values(["task", "family", "parameters"], ascending=[True, True, False])


def size(results: StudyResults) -> Figure | Absent:
    """Regret relative to the optimum of every core at both sizes, one panel per distribution."""
    question = "Does a core do better for its architecture, or for its number of parameters?"
    table = compared(results)
    if table.empty or not (table["matched"] & ~table["equal_units"]).any():
        matched = any(s.matched for s in results.sources)
        why = results.why_absent("evaluation") if matched else "This run has no cores of equal parameter count."
        return Absent(question, why)
    tasks = [t for t in results.plan.tasks if t in set(table["task"])]
    rows = list(dict.fromkeys(table["row"]))
    agents = own_task(results, None)
    agents = agents[agents["source"].isin(table["source"])]
    agents = agents.assign(
        ratio=(agents["test_regret"] / agents["optimum_regret"]).astype(float),
        row=agents["source"].map(dict(zip(table["source"], table["row"]))),
        colour=agents["source"].map(results.colour),
    )
    ceiling = float(np.clip(table["ratio_high"].fillna(table["ratio"]).max() * 1.2, 2, 40))
    floor = float(max(0.2, min(0.82, table["ratio"].min() * 0.94)))
    beyond = int((agents["ratio"] > ceiling).sum())
    x = alt.X(
        "ratio:Q",
        title="regret ÷ exact optimum (log scale)",
        axis=alt.Axis(values=[v for v in TICKS if v <= ceiling], format="~g"),
        scale=alt.Scale(type="log", domain=[floor, ceiling], nice=False),
    )
    panels, columns, room = [], len(tasks), 218
    for i, task in enumerate(tasks):
        y = names(rows, i == 0, field="row:N", room=room)
        own = table[table["task"] == task].assign(colour=lambda t: t["source"].map(results.colour))
        bars = own.assign(ratio=own["ratio_low"].clip(floor, ceiling), end=own["ratio_high"].clip(floor, ceiling))
        bars = bars.dropna(subset=["end"])[["row", "ratio", "end", "colour"]]
        part = agents[(agents["task"] == task) & (agents["ratio"] <= ceiling)]
        dots = alt.Chart(data(own[["row", "ratio", "colour", "matched", "equal_units"]])).encode(x=x, y=y)
        layers = (
            alt.Chart(data(pd.DataFrame({"ratio": [1.0]}))).mark_rule(color=INK, strokeWidth=1).encode(x=x),
            alt.Chart(data(part[["row", "ratio", "colour"]]))
            .mark_tick(thickness=1.4, height=9, opacity=0.35)
            .encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(bars)).mark_rule(strokeWidth=2).encode(x=x, x2="end:Q", y=y, color=COLOUR),
            dots.transform_filter("datum.equal_units").mark_circle(size=80, opacity=1).encode(color=COLOUR),
            dots.transform_filter("!datum.equal_units")
            .mark_point(size=70, shape="square", filled=True, opacity=1)
            .encode(color=COLOUR),
            dots.transform_filter("datum.equal_units && datum.matched")
            .mark_point(size=190, shape="square", strokeWidth=1.6, opacity=1)
            .encode(stroke=alt.Stroke("colour:N", scale=None)),
        )
        width = panel_width(columns, room + 14, 8) if columns > 1 else 560
        panels.append(alt.layer(*layers).properties(width=width, height=26 * len(rows), title=task_title(task)))
    aimed = count(table.loc[table["core"] == REFERENCE, "parameters"].max())
    caption = (
        "Regret of the best networks divided by the exact optimum (no unit; vertical line: the optimum), with its 95 % "
        f"interval over networks and the test episodes that they share, n = {span(table['n'])} best of "
        f"{span(table['settings'])} settings; ticks: every setting. The names give hidden units and the number of "
        "trained "
        "parameters, policy and value heads included. Circle: equal hidden size; square: equal number of parameters, "
        "within "
        f"2 % of the {aimed} of the vanilla network, which is both. {selection(results, None)} "
        + (f"{beyond} settings lie beyond the right edge. " if beyond else "")
        + "Look for the squares: the architecture alone; from circle to square of a colour is the price of its "
        "parameters."
    )
    keys = (
        Key("equal hidden size", INK, "full:circle"),
        Key("equal number of parameters", INK, "full:square"),
        Key("both", INK, "shape:square"),
    )
    return Figure("size", question, svg(grid(panels, columns), "size", question), caption, keys)
