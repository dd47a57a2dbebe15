"""Figures of the task with an informative arm: reward per episode, and choices by trial."""

import altair as alt
import pandas as pd

from pipeline.agents.optimum_informative import best_reward, blind_reward
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection, unequal
from pipeline.report.statistics import own_task, regret_table
from pipeline.report.style import INK, MUTED, VERMILION, count, number, span
from pipeline.tasks import TASKS

COLOUR = alt.Color("colour:N", scale=None)
KINDS = {  # curve → name, colour, dash
    "informative_choice": ("informative arm", VERMILION, (1, 0)),
    "target_choice": ("target", INK, (1, 0)),
    "other_choice": ("any other arm", MUTED, (3, 3)),
}


def return_table(results: StudyResults, ablated: bool = False) -> pd.DataFrame:
    """Reward per episode of every source, one row each, on the study's one task.

    Rewards are certain, so that the reward of an episode is 5 T − regret, and the interval is that of the regret.

    Returns
    -------
    DataFrame
        As `pipeline.report.statistics.regret_table`, with ``mean, low, high, optimum, chance, median`` in rewards
        earned per episode, and ``blind``, what the best policy earns that sees no outcome.
    """
    table = regret_table(results)
    wanted = [*results.names("network", None if ablated else False), *results.names("learner")]
    table = table[table["source"].isin(wanted) & table["task"].isin(TASKS)].reset_index(drop=True)
    most = table["task"].map(lambda name: best_reward(TASKS[name])).astype(float)
    turned = {"low": most - table["high"], "high": most - table["low"]}
    turned |= {name: most - table[name] for name in ("mean", "optimum", "chance", "median")}
    return table.assign(**turned, blind=table["task"].map(lambda name: blind_reward(TASKS[name])).astype(float))


def returns(results: StudyResults) -> Figure | Absent:
    """Reward per episode of every core, with all its settings, and of every learner."""
    question = "Do networks learn to pay for information first?"
    table = return_table(results)
    if table.empty:
        return Absent(question, results.why_absent("evaluation"))
    table = table.assign(label=table["source"].map(results.label), colour=table["source"].map(results.colour))
    rows = [label for label in dict.fromkeys(map(results.label, results.looks)) if label in set(table["label"])]
    agents = own_task(results)
    agents = agents[agents["source"].isin(results.names("network"))]
    agents = agents.assign(
        mean=[best_reward(TASKS[t]) - r for t, r in zip(agents["task"], agents["test_regret"].astype(float))],
        label=agents["source"].map(results.label),
        colour=agents["source"].map(results.colour),
        best=agents["best"].astype(bool),
    )
    optimum, chance, blind = (float(table[name].iloc[0]) for name in ("optimum", "chance", "blind"))
    low = min(chance, table["low"].fillna(table["mean"]).min(), agents["mean"].min() if len(agents) else chance)
    x = alt.X(
        "mean:Q",
        title="reward per episode of 5 trials",
        axis=alt.Axis(tickCount=8),
        scale=alt.Scale(domain=[low - 0.6, optimum + 0.8], nice=False),
    )
    y = names(rows, True, room=150)
    rules = pd.DataFrame(
        {
            "mean": [chance, blind, optimum],
            "name": [f"chance {number(chance, 2)}", f"blind {number(blind, 2)}", f"optimum {number(optimum, 2)}"],
            "align": ["right", "left", "right"],
        }
    )
    bounds = alt.Chart(data(rules))
    texts = [
        bounds.transform_filter(f"datum.align == '{side}'")
        .mark_text(dy=-8, align=side, dx=shift)
        .encode(x=x, y=alt.value(0), text="name:N")
        for side, shift in (("left", 0), ("right", 4))
    ]
    ticks = alt.Chart(data(agents[["label", "mean", "colour", "best"]]))
    bars = table.dropna(subset=["low", "high"])[["label", "low", "high", "colour"]].rename(columns={"low": "mean"})
    chart = alt.layer(
        bounds.mark_rule(strokeDash=[4, 3], color=MUTED).encode(x=x),
        *texts,
        ticks.transform_filter("!datum.best")
        .mark_tick(thickness=1.4, height=8, opacity=0.35)
        .encode(x=x, y=y, color=COLOUR),
        ticks.transform_filter("datum.best")
        .mark_tick(thickness=1.4, height=12, opacity=0.8)
        .encode(x=x, y=y, color=COLOUR),
        alt.Chart(data(bars)).mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", y=y, color=COLOUR),
        alt.Chart(data(table[["label", "mean", "colour"]]))
        .mark_circle(size=70, opacity=1)
        .encode(x=x, y=y, color=COLOUR),
    ).properties(width=700, height=26 * len(rows), title=alt.TitleParams("Reward per episode", offset=24))
    networks = table[table["kind"] == "network"]
    n = (
        f"n = {span(networks['n'])} best of {span(networks['settings'])} networks per core, "
        f"{count(networks['episodes'].max())} test episodes each"
        if len(networks)
        else "no network was evaluated"
    )
    caption = (
        "Reward earned in an episode, mean over the test episodes; 25 would need to know the target beforehand. "
        "Networks: dot and bar, mean of the best agents (chosen on other episodes) and its 95 % interval over agents "
        f"and the test episodes that they share; ticks: every network trained, the best darker and taller; {n}. "
        f"Learners (grey): mean and 95 % interval over the same test episodes. {selection(results)} Dashed: uniform "
        "choice among all eleven arms, the best policy that sees no outcome (any of the ten arms), and the exact "
        "optimum, which takes the informative arm first. UCB tries every arm once before any twice, and five trials "
        "are fewer than eleven arms. Look for dots on the right-hand line, and for networks that stay with the blind "
        "policy."
    )
    return Figure("return", question, svg(chart, "return", question), caption)


def choices(results: StudyResults) -> Figure | Absent:
    """Shares of the informative arm, the target and any other arm by trial, one panel per core and learner."""
    question = "What is chosen on each trial?"
    own = results.curves
    own = own[own["curve"].isin(KINDS) & (own["subject"] == "all")] if len(own) else own
    wanted = [s for s in (*results.names("network"), *results.names("learner")) if len(own) and s in set(own["source"])]
    if not wanted:
        return Absent(question, results.why_absent("curves"))
    columns, panels = 4, []
    trials = sorted(int(t) for t in own["x"].unique())
    x = alt.X(
        "x:Q",
        title="trial",
        scale=alt.Scale(domain=[trials[0] - 0.2, trials[-1] + 0.2], nice=False),
        axis=alt.Axis(values=trials, format="d", grid=False),
    )
    for i, name in enumerate(wanted):
        y = alt.Y(
            "value:Q",
            title="share of choices" if i % columns == 0 else None,
            scale=alt.Scale(domain=[0, 1], nice=False),
            axis=alt.Axis(format=".1f", tickCount=5),
        )
        layers = []
        for curve, (_, colour, dash) in KINDS.items():
            line = own[(own["source"] == name) & (own["curve"] == curve)].sort_values("x")
            base = alt.Chart(data(line[["x", "value", "low", "high"]]))
            if line["low"].notna().any():
                band = base.mark_area(opacity=0.2, color=colour)
                layers.append(band.encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"))
            layers.append(
                base.mark_line(color=colour, strokeWidth=1.8, strokeDash=list(dash), point=_point(colour)).encode(
                    x=x, y=y
                )
            )
        title = alt.TitleParams(results.label(name), color=results.colour(name))
        panels.append(alt.layer(*layers).properties(width=panel_width(columns), height=150, title=title))
    n = own[own["source"].isin(wanted)].groupby("source")["n"].max()
    kinds = {kind: [s for s in results.names(kind) if s in n.index] for kind in ("network", "learner")}
    counts = [f"{span(n[s])} episodes per {word}" for word, s in zip(("core", "learner"), kinds.values()) if len(s)]
    caption = (
        "Share of choices of the informative arm (11), of the target and of the nine arms that pay 1, by trial; the "
        "three add up to 1. One panel per core (its best networks together) and learner. Bands: 95 % bootstrap "
        "intervals, for cores over networks and the episodes that they share, for learners over episodes; "
        f"n = {', '.join(counts)}. The optimal policy takes the informative arm on trial 1 and the target from trial 2 "
        "on. Look for red at 1 on the first trial and black at 1 ever after, and for learners that find the target by "
        f"trying alone. {unequal(results)}"
    )
    keys = tuple(Key(label, colour, "dash:" + ",".join(map(str, dash))) for label, colour, dash in KINDS.values())
    return Figure("choices", question, svg(grid(panels, columns), "choices", question), caption, keys)


def _point(colour: str) -> alt.OverlayMarkDef:
    return alt.OverlayMarkDef(color=colour, size=22, filled=True)
