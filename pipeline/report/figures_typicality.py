"""Figure of typicality: where each animal's behaviour falls among that of single networks."""

import altair as alt
import pandas as pd

from pipeline.behaviour import STATISTICS
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.figures_behaviour import animal_colour
from pipeline.report.figures_models import COLOUR
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.style import INK, SHAPES, animals, count, listed


def single_networks(results: StudyResults, references: list[str]) -> pd.DataFrame:
    """Statistics of every network of the reference sources: label, statistic, value, colour."""
    own = results.summary
    if len(own):
        own = own[own["source"].isin(references) & (own["subject"] != "all") & own["value"].notna()]
    if own.empty:
        return pd.DataFrame(columns=["label", "statistic", "value", "colour"])
    own = own.assign(label=own["source"].map(results.label), colour=own["source"].map(results.colour))
    return own[["label", "statistic", "value", "colour"]]


def outside(own: pd.DataFrame) -> pd.Series:
    """Whether an animal lies beyond all networks of a core: 0 or 1."""
    if "outside" in own and own["outside"].notna().all():
        return own["outside"].astype(int)
    value, low, high = (own[c].astype(float) for c in ("value", "reference_low", "reference_high"))
    return ((value < low) | (value > high)).astype(int)


def typicality(results: StudyResults) -> Figure | Absent:
    """Where each animal's summary statistics fall among those of single networks."""
    question = "Would an animal stand out among the networks?"
    own = results.typicality
    own = own[own["value"].notna()] if len(own) else own
    if own.empty:
        return Absent(question, results.why_absent("typicality"))
    references = [s for s in results.names("network") if s in set(own["reference_source"])] or list(
        dict.fromkeys(own["reference_source"])
    )
    known = [name for dataset in results.names("primate") for name in animals(dataset, own["animal"])] or list(
        dict.fromkeys(own["animal"])
    )
    known = list(dict.fromkeys(known))
    rows = ["Animals", *(results.label(s) for s in references)]
    statistics = [s for s in STATISTICS if s in set(own["statistic"])] or list(dict.fromkeys(own["statistic"]))
    columns, panels, colour = 3, [], animal_colour(results)
    dots = single_networks(results, references)
    shape = alt.Shape(
        "animal:N",
        scale=alt.Scale(domain=known, range=[SHAPES[i % len(SHAPES)] for i in range(len(known))]),
        legend=None,
    )
    for i, statistic in enumerate(statistics):
        part = own[own["statistic"] == statistic]
        part = part.assign(
            label=part["reference_source"].map(results.label), colour=part["reference_source"].map(results.colour)
        )
        bars = part.drop_duplicates("label")[["label", "reference_low", "reference_high", "colour"]].rename(
            columns={"reference_low": "value"}
        )
        single = dots[dots["statistic"] == statistic]
        points = part.drop_duplicates("animal")[["animal", "value"]].assign(label="Animals")
        finite = pd.concat([part["value"], single["value"], part["reference_low"], part["reference_high"]]).astype(
            float
        )
        margin = 0.08 * ((finite.max() - finite.min()) or 1)
        entry = STATISTICS.get(statistic)
        x = alt.X(
            "value:Q",
            title=f"{entry.unit}" if entry else statistic,
            axis=alt.Axis(tickCount=4),
            scale=alt.Scale(domain=[float(finite.min() - margin), float(finite.max() + margin)], nice=False),
        )
        y = names(rows, i % columns == 0, room=104)
        layers = (
            alt.Chart(data(points[["value"]])).mark_rule(color=colour, opacity=0.28, strokeWidth=1).encode(x=x),
            alt.Chart(data(bars))
            .mark_rule(strokeWidth=7, strokeCap="round", opacity=0.25)
            .encode(x=x, x2="reference_high:Q", y=y, color=COLOUR),
            alt.Chart(data(single[["label", "value", "colour"]]))
            .mark_tick(thickness=1.6, height=11, opacity=0.85)
            .encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(points))
            .mark_point(size=58, strokeWidth=1.7, color=colour, opacity=1)
            .encode(x=x, y=y, shape=shape),
        )
        title = alt.TitleParams(entry.title if entry else statistic)
        panels.append(
            alt.layer(*layers).properties(width=panel_width(columns, 110, 6), height=22 * len(rows), title=title)
        )
    keys = [Key(name, colour, f"shape:{SHAPES[i % len(SHAPES)]}") for i, name in enumerate(known)]
    keys += [Key("range of the n networks", INK, "band")]
    keys += [Key("single network", INK, "tick")] if len(dots) else []
    figure = svg(grid(panels, columns), "typicality", question)
    return Figure(
        "typicality", question, figure, _caption(results, own, known, statistics, bool(len(dots))), tuple(keys)
    )


def _caption(results: StudyResults, own: pd.DataFrame, known, statistics, drawn: bool) -> str:
    beyond, n = outside(own), own["n_reference"].astype(float)
    chance = own["chance_outside"].astype(float) if "chance_outside" in own else 2 / (n + 1)
    sizes = " to ".join(dict.fromkeys(count(v) for v in (n.min(), n.max())))
    return (
        f"Symbols and thin lines: the statistic of each animal, n = {len(known)} ({listed(known)}). Pale bars: range, "
        f"lowest to highest, of the n = {sizes} networks of a core that did the same task"
        + ("; ticks: the single networks" if drawn else "")
        + f". Of {len(own)} comparisons (animal × statistic × core; {len(statistics)} statistics), {int(beyond.sum())} "
        f"({100 * beyond.mean():.0f} %) lie outside the range. An animal drawn from the same distribution as the "
        f"networks lies outside with probability 2 / (n + 1), hence {chance.sum():.1f} ({100 * chance.mean():.0f} %) "
        "expected by chance; the statistics are correlated, so that this is a yardstick and not a test. "
        f"{selection(results)} Look for symbols outside every bar: behaviour that none of these networks shows."
    )
