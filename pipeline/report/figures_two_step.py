"""Figures of the two-step task: stay probabilities, the relative reward effect, the lagged regression."""

from typing import NamedTuple

import altair as alt
import pandas as pd

from pipeline.behaviour.two_step import KINDS, LAGS, RATIO
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.style import FAINT, INK, count, listed

REFERENCES = ("bayes_optimal", "model_based", "model_free", "random")  # in the order in which they are shown


class Bar(NamedTuple):
    """Where the bar of one kind of trial stands, and how strong it is."""

    x: float
    opacity: float


CELLS = {
    "reward 1, common": Bar(0.8, 0.85),
    "reward 1, rare": Bar(1.2, 0.35),
    "reward 0, common": Bar(1.8, 0.85),
    "reward 0, rare": Bar(2.2, 0.35),
}
SCALES = {"stay_transition": "in log odds", "stay_difference": "as probabilities"}
LEAST, MOST = -0.5, 2.2  # ends of the axis of the relative reward effect
COLUMNS = 4
COLOUR = alt.Color("colour:N", scale=None)


def sources(results: StudyResults, frame: pd.DataFrame, ablated: bool = False) -> list[str]:
    """List the sources of a frame in the order shown: networks, then learners, the exact filter first."""
    learners = sorted(results.names("learner"), key=lambda s: (*REFERENCES, s).index(s))
    wanted = results.names("network", True) if ablated else [*results.names("network"), *learners]
    return [s for s in wanted if len(frame) and s in set(frame["source"])]


def _tint(results: StudyResults, name: str) -> str:
    return results.colour(name) if results.source(name).kind == "network" else INK


def rows_of(results: StudyResults, regression: str) -> pd.DataFrame:
    """Select the rows of one regression, every source and subject."""
    found = results.regressions
    return found[found["regression"] == regression] if len(found) else found


def stay(results: StudyResults, ablated: bool = False) -> Figure | Absent:
    """P(stay) after each outcome and kind of transition, one panel per source."""
    question = (
        "And its choices: do they depend on the outcome?"
        if ablated
        else "Is a rewarded choice repeated whatever the way to the reward?"
    )
    slug = "stay-ablated" if ablated else "stay"
    own = rows_of(results, "stay_probability")
    own = own[own["term"].isin(CELLS)] if len(own) else own
    shown = sources(results, own, ablated)
    if not shown:
        return Absent(question, results.why_absent("regressions"))
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(domain=[0.5, 2.5], nice=False),
        axis=alt.Axis(values=[1, 2], labelExpr="datum.value == 1 ? 'reward' : 'no reward'", grid=False, ticks=False),
    )
    panels = []
    for i, name in enumerate(shown):
        y = alt.Y(
            "estimate:Q",
            title="P(stay)" if i % COLUMNS == 0 else None,
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
        )
        part = own[own["source"] == name]
        part = part.assign(x=[CELLS[t].x for t in part["term"]], opacity=[CELLS[t].opacity for t in part["term"]])
        mean = part[part["subject"] == "all"]
        bar = alt.Chart(data(mean[["x", "estimate", "low", "high", "opacity"]]))
        layers = [
            bar.mark_bar(size=panel_width(COLUMNS) // 7, color=results.colour(name)).encode(
                x=x, y=y, opacity=alt.Opacity("opacity:Q", scale=None)
            ),
            alt.Chart(data(pd.DataFrame({"estimate": [0.5]}))).mark_rule(strokeDash=[4, 3], color=FAINT).encode(y=y),
        ]
        if part["subject"].nunique() > 2:
            ticks = alt.Chart(data(part.loc[part["subject"] != "all", ["x", "estimate"]]))
            layers.append(ticks.mark_tick(thickness=1.2, width=12, color=INK, opacity=0.5).encode(x=x, y=y))
        limits = bar.transform_filter("datum.low != null").mark_rule(strokeWidth=1.6, color=INK)
        layers.append(limits.encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"))
        title = alt.TitleParams(results.label(name), color=_tint(results, name))
        panels.append(alt.layer(*layers).properties(width=panel_width(COLUMNS), height=150, title=title))
    trials = own.loc[(own["subject"] == "all") & own["source"].isin(shown)].groupby("source")["n_trials"].sum()
    caption = (
        "Share of first-stage choices repeated on the next trial, by the outcome of a trial and the kind of its "
        "transition (probability; dashed: one half). Networks: mean of the best of each core and 95 % interval; with "
        f"fewer than eight networks it describes these only; ticks: single networks. {selection(results)} Learners: "
        f"interval over the test episodes. n = {count(trials.min())} to {count(trials.max())} pairs of trials per "
        "panel. "
    )
    if ablated:
        caption += (
            "Look for four bars of one height: a network that does not see the reward cannot know what to repeat."
        )
    else:
        caption += (
            "Look for the crossed pattern of the exact filter: stay after a reward reached by the common way and "
            "after an omission reached by the rare way, and for bars that do not differ by the outcome alone. A "
            "model-free learner shows part of the pattern, too, but its pair of bars after reward is the higher one."
        )
    keys = (Key("common transition", INK, "band"), Key("rare transition", FAINT, "band"))
    return Figure(slug, question, svg(grid(panels, COLUMNS), slug, question), caption, keys)


def ratio(results: StudyResults) -> Figure | Absent:
    """Reward effect relative to the interaction, by source, in log odds and in probabilities."""
    question = "How large is the effect of reward itself, relative to that of reward by transition?"
    own = pd.concat([rows_of(results, name) for name in SCALES])
    own = own[(own["term"] == RATIO) & own["estimate"].notna()] if len(own) else own
    shown = sources(results, own)
    if not shown:
        return Absent(question, results.why_absent("regressions"))
    own = own.assign(
        label=own["source"].map(results.label),
        colour=own["source"].map(results.colour),
        estimate=own["estimate"].astype(float),
    )
    rows = [results.label(s) for s in shown]
    x = alt.X(
        "estimate:Q",
        title="reward effect ÷ reward × transition",
        scale=alt.Scale(domain=[LEAST, MOST], nice=False, clamp=True),
        axis=alt.Axis(tickCount=6),
    )
    panels = []
    for i, (regression, text) in enumerate(SCALES.items()):
        y = names(rows, i == 0, room=150)
        part = own[(own["regression"] == regression) & own["source"].isin(shown)]
        mean, single = part[part["subject"] == "all"], part[part["subject"] != "all"]
        bars = mean.assign(estimate=mean["low"].clip(LEAST, MOST), end=mean["high"].clip(LEAST, MOST))
        layers = (
            alt.Chart(data(pd.DataFrame({"estimate": [0.0]}))).mark_rule(color=INK, strokeWidth=1).encode(x=x),
            alt.Chart(data(single[["label", "estimate", "colour"]]))
            .mark_tick(thickness=1.4, height=11, opacity=0.6)
            .encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(bars[["label", "estimate", "end", "colour"]]))
            .mark_rule(strokeWidth=2)
            .encode(x=x, x2="end:Q", y=y, color=COLOUR),
            alt.Chart(data(mean[["label", "estimate", "colour"]]))
            .mark_circle(size=70, opacity=1)
            .encode(x=x, y=y, color=COLOUR),
        )
        panels.append(alt.layer(*layers).properties(width=panel_width(2, 160, 8), height=24 * len(rows), title=text))
    lacking = [results.label(s) for s in sources(results, rows_of(results, "stay_transition")) if s not in shown]
    beyond = int((own["estimate"].gt(MOST) | own["estimate"].lt(LEAST)).sum())
    caption = (
        "b(reward) ÷ b(reward × transition) of the stay regression with ±½ coding (no unit; the sign is kept, the "
        "vertical line is 0). Left: coefficients of the logistic regression; right: contrasts of the four stay "
        "probabilities, which do not blow up where a learner always stays. Dot: ratio of a source's mean "
        f"coefficients; bar: 95 % interval by the delta method; ticks: single networks. {selection(results)} "
        + (f"{beyond} values lie beyond the axis and are drawn at its end. " if beyond else "")
        + (f"Not drawn, for want of an interaction to be relative to: {listed(lacking)}. " if lacking else "")
        + "An interaction alone does not show planning, since TD(1) has one on this schedule: look for dots at 0, with "
        "the exact filter and the model-based learner, and far from those of the model-free one."
    )
    return Figure(
        "reward-over-interaction", question, svg(grid(panels, 2), "reward-over-interaction", question), caption
    )


def lags(results: StudyResults) -> Figure | Absent:
    """Lagged regression: the weight of a past choice by what came of it."""
    question = "How far back do outcomes and transitions reach into a choice?"
    own = results.curves
    own = own[own["curve"].isin(KINDS) & (own["subject"] == "all") & (own["x"] <= LAGS)] if len(own) else own
    shown = sources(results, own)
    if not shown:
        return Absent(question, results.why_absent("curves"))
    own = own[own["source"].isin(shown)]
    low, high = min(-1.0, float(own["value"].min()) - 0.3), max(1.0, float(own["value"].max()) + 0.5)
    x = alt.X(
        "x:Q",
        title="lag (trials back)",
        scale=alt.Scale(domain=[0.7, LAGS + 0.3], nice=False),
        axis=alt.Axis(values=list(range(1, LAGS + 1)), grid=False, format="d"),
    )
    panels = []
    for i, name in enumerate(shown):
        # Near-deterministic learners have weights of 5 and more: on a linear axis everybody else would be a flat line.
        y = alt.Y(
            "value:Q",
            title="log odds (bent scale)" if i % COLUMNS == 0 else None,
            scale=alt.Scale(type="symlog", constant=1, domain=[low, high], nice=False),
            axis=alt.Axis(values=[v for v in (-10, -3, -1, 0, 1, 3, 10) if low <= v <= high], labelOverlap=False),
        )
        tint = _tint(results, name)
        layers = [alt.Chart(data(pd.DataFrame({"value": [0.0]}))).mark_rule(strokeDash=[4, 3], color=FAINT).encode(y=y)]
        for kind in reversed(KINDS):
            part = own[(own["source"] == name) & (own["curve"] == kind)].sort_values("x")
            part = part.assign(low=part["low"].clip(low, high), high=part["high"].clip(low, high))
            base = alt.Chart(data(part[["x", "value", "low", "high"]]))
            colour = tint if kind.startswith("reward") else FAINT
            limits = base.transform_filter("datum.low != null")
            layers.append(
                limits.mark_rule(color=colour, opacity=0.5).encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q")
            )
            dash = [1, 0] if kind.endswith("common") else [4, 3]
            layers.append(
                base.mark_line(
                    color=colour, strokeWidth=1.8, strokeDash=dash, point=alt.OverlayMarkDef(color=colour, size=22)
                ).encode(x=x, y=y)
            )
        title = alt.TitleParams(results.label(name), color=tint)
        panels.append(alt.layer(*layers).properties(width=panel_width(COLUMNS), height=165, title=title))
    trials = own.groupby("source")["n"].max()
    caption = (
        f"Log odds that a first-stage choice one to {LAGS} trials back, with this outcome after this transition, adds "
        "to choosing the same action now; one logistic regression on all four kinds of trial at all lags (Miller, "
        f"Brody & Botvinick 2016), trials {LAGS + 1} and later of an episode. Line: mean over the best networks, or "
        f"the one learner; vertical bars: 95 % interval. {selection(results)} n = {count(trials.min())} to "
        f"{count(trials.max())} trials per panel. Weights of the exact filter and of near-deterministic networks are "
        "separated and therefore penalised (Firth 1993): their signs can be read, their sizes grow with the number "
        "of trials. Look at the dashed lines: a planner's change sides with the transition (reward after a rare "
        "transition below 0, no reward after one above), a model-free learner's follow the outcome."
    )
    keys = (
        Key("reward, common", INK, "dash:1,0"),
        Key("reward, rare", INK, "dash:4,3"),
        Key("no reward, common", FAINT, "dash:1,0"),
        Key("no reward, rare", FAINT, "dash:4,3"),
    )
    return Figure("two-step-lags", question, svg(grid(panels, COLUMNS), "two-step-lags", question), caption, keys)
