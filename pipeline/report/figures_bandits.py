"""Figures of regret and exploration: one function per figure, (StudyResults) → Figure or Absent."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection, unequal
from pipeline.report.statistics import own_task, regret_table, simulated_optimum
from pipeline.report.style import INK, MUTED, count, number, plural, span, task_label, task_title
from pipeline.tasks import TASKS

TICKS = (1, 1.5, 2, 3, 5, 10, 20, 50)
LOWEST = 0.82  # left end of the ratio axis, unless a mean lies beyond it
COLOUR = alt.Color("colour:N", scale=None)


def regret(results: StudyResults) -> Figure | Absent:
    """Regret relative to the exact optimum, by source, one panel per distribution."""
    question = "How close to the exact optimum do trained networks come?"
    table = regret_table(results)
    table = table[
        table["source"].isin([*results.names("network"), *results.names("learner")]) & (table["source"] != "random")
    ]
    if table.empty:
        return Absent(question, results.why_absent("evaluation"))
    table = table.assign(label=table["source"].map(results.label), colour=table["source"].map(results.colour))
    tasks = [t for t in results.plan.tasks if t in set(table["task"])]
    columns = min(3, len(tasks))
    rows = [label for label in dict.fromkeys(map(results.label, results.looks)) if label in set(table["label"])]
    top = table["ratio_high"].fillna(table["ratio"]).max()
    ceiling = float(np.clip(top * 1.15, 2, 40))
    floor = float(max(0.2, min(LOWEST, table["ratio"].min() * 0.94)))
    agents = own_task(results)
    agents = agents[agents["source"].isin(results.names("network"))]
    agents = agents.assign(
        ratio=agents["test_regret"] / agents["optimum_regret"],
        label=agents["source"].map(results.label),
        colour=agents["source"].map(results.colour),
        best=agents["best"].astype(bool),
    )
    beyond = int((agents["ratio"] > ceiling).sum())
    agents = agents[agents["ratio"] <= ceiling]
    axis = alt.Axis(values=[v for v in TICKS if v <= ceiling], format="~g")
    x = alt.X(
        "ratio:Q",
        title="regret ÷ exact optimum (log scale)",
        axis=axis,
        scale=alt.Scale(type="log", domain=[floor, ceiling], nice=False),
    )
    panels = []
    for i, task in enumerate(tasks):
        y = names(rows, i % columns == 0)
        own = table[table["task"] == task]
        bars = own.assign(
            ratio=own["ratio_low"].clip(floor, ceiling), end=own["ratio_high"].clip(floor, ceiling)
        ).dropna(subset=["end"])
        ticks = alt.Chart(data(agents.loc[agents["task"] == task, ["label", "ratio", "colour", "best"]]))
        optimum, chance = own["optimum"].iloc[0], own["chance"].iloc[0]
        title = alt.TitleParams(
            task_title(task),
            subtitle=f"optimum {number(optimum)}; chance {number(chance, 1)}, "
            f"{number(chance / optimum, 1)} × the optimum",
        )
        layers = (
            alt.Chart(data(pd.DataFrame({"ratio": [1.0]}))).mark_rule(color=INK, strokeWidth=1).encode(x=x),
            ticks.transform_filter("!datum.best")
            .mark_tick(thickness=1.4, height=8, opacity=0.28)
            .encode(x=x, y=y, color=COLOUR),
            ticks.transform_filter("datum.best")
            .mark_tick(thickness=1.4, height=11, opacity=0.8)
            .encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(bars[["label", "ratio", "end", "colour"]]))
            .mark_rule(strokeWidth=2)
            .encode(x=x, x2="end:Q", y=y, color=COLOUR),
            alt.Chart(data(own[["label", "ratio", "colour"]]))
            .mark_circle(size=70, opacity=1)
            .encode(x=x, y=y, color=COLOUR),
        )
        width = panel_width(columns, 146, 8) if columns > 1 else 620
        panels.append(alt.layer(*layers).properties(width=width, height=24 * len(rows), title=title))
    networks = table[table["kind"] == "network"]
    n = (
        f"n = {span(networks['n'])} best of {span(networks['settings'])} networks per core and "
        f"distribution, {count(networks['episodes'].max())} test "
        "episodes each"
        if len(networks)
        else "no network was evaluated"
    )
    caption = (
        f"Expected cumulative regret of an episode divided by the exact Bayes-optimal regret of the same distribution "
        f"(no unit; vertical line: the optimum). "
        "Networks: dot and bar, mean of the best agents (chosen on other episodes) and its 95 % interval over agents "
        f"and the test episodes that they share; ticks: single agents, the best darker; {n}. Learners (grey): mean and "
        f"95 % interval over the same test episodes. {selection(results)} {simulated_optimum(results)} "
        + (
            f"{plural(beyond, 'agent lies', 'agents lie')} beyond the right edge (see “All hyperparameter settings”). "
            if beyond
            else ""
        )
        + "Random choice is not drawn; chance stands above each panel. Look for dots on the line: behaviour "
        "that no policy could improve."
    )
    return Figure("regret", question, svg(grid(panels, columns), "regret", question), caption)


def suboptimal(results: StudyResults) -> Figure | Absent:
    """Suboptimal choices by trial, best networks and learners, one panel per distribution."""
    question = "How fast do choices turn to the better arm within an episode?"
    wanted = [s for s in (*results.names("network"), *results.names("learner")) if s != "random"]
    own = results.curves
    own = (
        own[(own["curve"] == "suboptimal") & (own["subject"] == "all") & own["source"].isin(wanted)]
        if len(own)
        else own
    )
    if own.empty:
        return Absent(question, results.why_absent("curves"))
    tasks = [t for t in results.plan.tasks if t in set(own["task"])]
    columns = min(3, len(tasks))
    high = float(min(1.0, np.ceil(own["value"].max() * 10) / 10))
    trials = int(own["x"].max())
    x = alt.X(
        "x:Q",
        title="trial",
        scale=alt.Scale(domain=[1, trials], nice=False),
        axis=alt.Axis(values=[1, *range(20, trials + 1, 20)], grid=False),
    )
    panels = []
    for i, task in enumerate(tasks):
        y = alt.Y(
            "value:Q",
            title="P(suboptimal choice)" if i % columns == 0 else None,
            scale=alt.Scale(domain=[0, high], clamp=True),
            axis=alt.Axis(format=".1f", tickCount=5),
        )
        bands, lines = [], []
        for name in [*reversed(results.names("learner")), *results.names("network")]:
            line = own[(own["task"] == task) & (own["source"] == name)].sort_values("x")
            if line.empty:
                continue
            network, look = results.source(name).kind == "network", results.looks[name]
            base = alt.Chart(data(line[["x", "value", "low", "high"]]))
            if network and line["low"].notna().any():
                bands.append(
                    base.mark_area(opacity=0.15, color=look.colour).encode(
                        x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"
                    )
                )
            width = 1.9 if network else 1.3
            lines.append(
                base.mark_line(color=look.colour, strokeWidth=width, strokeDash=list(look.dash)).encode(x=x, y=y)
            )
        panels.append(
            alt.layer(*bands, *lines).properties(width=panel_width(columns), height=200, title=task_title(task))
        )
    counts = own.loc[own["source"].isin(results.names("network")), "n"]
    caption = (
        "Share of choices that are not the better arm, by trial of the episode (chance .5; episodes with two equal "
        "arms are left out). Coloured: the best networks of "
        "each core together, band: 95 % bootstrap interval over networks and episodes; grey: learners on the same "
        "episodes. "
        f"n = {count(counts.max()) if len(counts) else '–'} choices per point and core at most. Look for lines that "
        f"fall as fast as the exact Bayes-optimal "
        f"one (solid, near black). {unequal(results)}"
    )
    return Figure(
        "suboptimal", question, svg(grid(panels, columns), "suboptimal", question), caption, legend(results, own)
    )


def ablation(
    results: StudyResults,
    question: str = "Does a network without the reward input stay at chance?",
    closing: str = (
        "The reward still trains the network, but never enters its input, so that nothing can be learned within an "
        "episode. Look for the lower row on the line of chance."
    ),
) -> Figure | Absent:
    """Regret with and without the reward input; ``closing`` ends the caption."""
    frame = own_task(results)
    ablated = [
        s for s in results.sources if s.kind == "network" and not s.reward_input and s.name in set(frame["source"])
    ]
    if not ablated:
        return Absent(question, results.why_absent("evaluation"))
    panels, sentences = [], []
    for source in ablated:
        intact = next(
            (s.name for s in results.sources if (s.agent, s.task, s.reward_input) == (source.agent, source.task, True)),
            "",
        )
        parts = {
            "with reward input": frame[frame["source"] == intact],
            "reward input withheld": frame[frame["source"] == source.name],
        }
        parts = {label: own for label, own in parts.items() if len(own)}
        table = regret_table(results).set_index("source")
        found = [table.loc[own["source"].iloc[0]] for own in parts.values()]
        means = pd.DataFrame([(r["mean"], r["low"], r["high"], r["n"]) for r in found], list(parts))
        means = means.set_axis(["regret", "low", "high", "n"], axis=1).rename_axis("label").reset_index()
        dots = pd.concat([own.assign(label=label, regret=own["test_regret"]) for label, own in parts.items()])
        withheld = parts["reward input withheld"]
        optimum, chance = (float(withheld[c].iloc[0]) for c in ("optimum_regret", "chance_regret"))
        trials = TASKS[source.task].trials if source.task in TASKS else "T"
        x = alt.X(
            "regret:Q",
            title=f"expected regret per episode of {trials} trials (reward)",
            axis=alt.Axis(tickCount=7),
            scale=alt.Scale(domain=[0, max(chance, dots["regret"].max()) * 1.08], nice=False),
        )
        y = names(list(parts), True, room=150)
        lines = pd.DataFrame(
            {"regret": [optimum, chance], "name": [f"optimum {number(optimum, 2)}", f"chance {number(chance, 2)}"]}
        )
        bounds, colour = alt.Chart(data(lines)), results.colour(source.name)
        bars = means.dropna(subset=["low"])[["label", "low", "high"]].rename(columns={"low": "regret"})
        layers = (
            bounds.mark_rule(strokeDash=[4, 3], color=MUTED).encode(x=x),
            bounds.mark_text(dy=-8).encode(x=x, y=alt.value(0), text="name:N"),
            alt.Chart(data(dots[["label", "regret"]]))
            .mark_tick(thickness=1.4, height=16, color=colour, opacity=0.35)
            .encode(x=x, y=y),
            alt.Chart(data(bars)).mark_rule(strokeWidth=2, color=colour).encode(x=x, x2="high:Q", y=y),
            alt.Chart(data(means[["label", "regret"]])).mark_circle(size=85, color=colour, opacity=1).encode(x=x, y=y),
        )
        title = alt.TitleParams(f"{core_label(results, source.agent)} trained on {task_label(source.task)}", offset=24)
        panels.append(alt.layer(*layers).properties(width=660, height=46 * len(parts), title=title))
        mean, low, high = means.iloc[-1][["regret", "low", "high"]]
        sentences.append(
            f"{task_label(source.task)}: mean regret {number(mean, 2)} [{number(low, 2)}, {number(high, 2)}] without "
            f"it, random choice {number(chance, 2)}, "
            f"n = {int(means['n'].iloc[-1])} best of {len(withheld)} networks"
        )
    caption = (
        f"{'; '.join(sentences)}. Ticks: single networks, all settings; dot and bar: mean of the best on the ranking "
        f"episodes with the 95 % interval over agents and the test episodes that they share. {closing}"
    )
    return Figure("ablation", question, svg(grid(panels, 1), "ablation", question), caption)


def core_label(results: StudyResults, core: str) -> str:
    """Display name of a core."""
    return next(results.label(s.name) for s in results.sources if s.agent == core and s.reward_input)


def legend(results: StudyResults, frame: pd.DataFrame, mark: str = "") -> tuple[Key, ...]:
    """One key per core and learner among the sources of ``frame``, in the order of the config."""
    keys = {}
    for name, look in results.looks.items():
        if name in set(frame["source"]):
            keys[look.label] = Key(look.label, look.colour, mark or "dash:" + ",".join(map(str, look.dash)))
    return tuple(keys.values())
