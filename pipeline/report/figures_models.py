"""Figures of the hierarchical models: posteriors, and what other figures of the models share."""

import altair as alt
import pandas as pd

from pipeline.models import MODELS
from pipeline.report.blocks import Absent, Figure
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.style import listed, missing

FAILED = "#b42318"
COLOUR = alt.Color("colour:N", scale=None)
UNITS = {"logit": "0 to 1", "log": "per unit of value", "identity": "log odds"}  # by the link of a parameter


def failed_fits(results: StudyResults) -> set[tuple[str, str]]:
    """(source, model) of the fits that did not pass."""
    return {(b["source"], b["model"]) for _, b in results.badges.iterrows() if verdict(b) == "failed"}


def verdict(badge) -> str:
    """Say whether a fit passed, failed, or was not run (for want of data)."""
    if str(badge.get("status", "run")) == "not run":
        return "not run"
    return "passed" if not missing(badge["passed"]) and bool(badge["passed"]) else "failed"


def model_title(model: str) -> str:
    """Display name of a model."""
    return MODELS[model].title if model in MODELS else model


def parameter(model: str, name: str):
    """Card of a parameter, or None where the model is not in the registry."""
    return next((p for p in MODELS[model].parameters if p.name == name), None) if model in MODELS else None


def symbol(model: str, name: str) -> str:
    """Symbol of a parameter, else its name."""
    card = parameter(model, name)
    return card.symbol if card else name


def in_order(results: StudyResults, found) -> list[str]:
    """List the sources that are there: animals, networks, learners."""
    return [s for kind in ("primate", "network", "learner") for s in results.names(kind, None) if s in set(found)]


def posteriors(results: StudyResults, model: str) -> Figure | Absent:
    """Group means with intervals and every subject, by source; one panel per parameter."""
    question = f"{model_title(model)}: which parameters describe whom?"
    own = results.posterior[results.posterior["model"] == model] if len(results.posterior) else results.posterior
    own = own[own["mean"].notna()] if len(own) else own
    if own.empty:
        return Absent(question, results.why_absent("posterior"))
    parameters = (
        [p.name for p in MODELS[model].parameters] if model in MODELS else list(dict.fromkeys(own["parameter"]))
    )
    failed = {s for s, m in failed_fits(results) if m == model}
    own = own[own["parameter"].isin(parameters)]
    own = own[own["level"].isin(("group", "subject"))]
    own = own.assign(
        label=labels(results, own), colour=own["source"].map(results.colour), failed=own["source"].isin(failed)
    )
    order = in_order(results, own["source"])
    rows = [label for s in order for label in dict.fromkeys(own.loc[own["source"] == s, "label"])]
    columns = 2 if len(parameters) in (2, 4) else min(3, len(parameters))
    panels = []
    for i, name in enumerate(parameters):
        part, card = own[own["parameter"] == name], parameter(model, name)
        subjects, group = part[part["level"] == "subject"], part[part["level"] == "group"]
        lone = ~subjects["source"].isin(group["source"])  # a source of one subject has no group level
        subjects, group = subjects[~lone], pd.concat([group, subjects[lone]])
        unit = UNITS.get(card.link, "") if card else ""
        x = alt.X(
            "mean:Q",
            title=f"{symbol(model, name)} ({unit})" if unit else name,
            axis=alt.Axis(tickCount=5),
            scale=alt.Scale(domain=_domain(subjects, group, card), nice=False, clamp=True),
        )
        y = names(rows, i % columns == 0, room=148)
        bars = group[["label", "low", "high", "colour"]].rename(columns={"low": "mean"}).dropna()
        layers = (
            alt.Chart(data(bars)).mark_rule(strokeWidth=2.4, yOffset=-4).encode(x=x, x2="high:Q", y=y, color=COLOUR),
            alt.Chart(data(subjects[["label", "mean", "colour"]]))
            .mark_circle(size=24, opacity=0.5, yOffset=6)
            .encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(group.loc[~group["failed"], ["label", "mean", "colour"]]))
            .mark_circle(size=75, opacity=1, yOffset=-4)
            .encode(x=x, y=y, color=COLOUR),
            cross(group.loc[group["failed"], ["label", "mean"]], x, y, -4),
        )
        title = alt.TitleParams(symbol(model, name), subtitle=wrap(card.meaning) if card else "")
        width = panel_width(columns, 156, 6)
        panels.append(alt.layer(*layers).properties(width=width, height=30 * len(rows), title=title))
    people = own[own["level"] == "subject"].groupby("label")["subject"].nunique()
    n = [f"{row} {people.get(row, 0)}" for row in rows]
    bad = listed(sorted({results.label(s) for s in failed & set(own["source"])}))
    caption = (
        "Large dot and bar: group mean and its 94 % highest-density interval, on the parameter's natural scale; small "
        "dots below: posterior mean of each subject (a learner is one subject: its bar is its own). "
        f"n (subjects): {', '.join(n)}. "
        + (
            f"Red cross: the sampler failed its diagnostics for {bad}; do not read that estimate (see the table of "
            f"diagnostics). "
            if bad
            else ""
        )
        + "With fewer than eight subjects the spread between them leans on its prior, and the group mean describes "
        f"these subjects only. {selection(results)} Look for networks whose "
        "bars and dots overlap the animals' dots."
    )
    slug = f"posterior-{model.replace('_', '-')}"
    return Figure(slug, question, svg(grid(panels, columns), slug, question), caption)


def labels(results: StudyResults, own: pd.DataFrame) -> list[str]:
    """Display name of the source of every row, with its group where the source has several."""
    group = own["group"].fillna("").astype(str) if "group" in own else pd.Series("", own.index)
    several = group.groupby(own["source"]).transform("nunique") > 1
    return [
        f"{results.label(source)}: {name}" if more and name else results.label(source)
        for source, name, more in zip(own["source"], group, several)
    ]


def cross(frame: pd.DataFrame, x, y, offset: int = 0) -> alt.Chart:
    """Red crosses where a fit failed."""
    return (
        alt.Chart(data(frame))
        .mark_point(shape="cross", angle=45, size=75, color=FAILED, filled=True, opacity=1, yOffset=offset)
        .encode(x=x, y=y)
    )


def _domain(subjects: pd.DataFrame, group: pd.DataFrame, card) -> list[float]:
    values = pd.concat([subjects["mean"], group["low"], group["high"], group["mean"]]).astype(float).dropna()
    low, high = float(values.min()), float(values.max())
    if card is not None and card.link == "logit":
        return [0.0, 1.0]
    margin = 0.06 * (high - low or 1.0)
    return [max(0.0, low - margin) if card is not None and card.link == "log" else low - margin, high + margin]


def wrap(text: str, width: int = 44) -> list[str]:
    """Break a text into lines of about so many letters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
