"""Figures that set networks against animals: posterior differences, and typicality."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.behaviour import STATISTICS
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, stack, svg
from pipeline.report.figures_behaviour import animal_colour
from pipeline.report.figures_models import COLOUR, cross, failed_fits, model_title, symbol
from pipeline.report.load import StudyResults
from pipeline.report.style import GRID, INK, MUTED, SHAPES, animals, count, listed, plural

SCALE = "choice probability"


def pair(results: StudyResults, a: str, b: str) -> str:
    """Name of a difference, a − b, without the datasets' references."""
    return " − ".join(results.label(name).split(" (Costa")[0].split(" (exact")[0] for name in (a, b))


def main_differences(results: StudyResults) -> pd.DataFrame:
    """Differences on the scale of a choice probability, under the priors as stated."""
    own = results.groups
    if own.empty:
        return own
    own = own[(own["scale"] == SCALE) & own["rope_low"].notna() & own["mean"].notna()]
    return own[own["prior"] == "as stated"] if "prior" in own else own


def differences(results: StudyResults) -> Figure | Absent:
    """Posterior of every group difference as a choice probability, with the region of practical equivalence."""
    question = "Do networks and animals differ, on the scale of a choice probability?"
    own = main_differences(results)
    if own.empty:
        return Absent(question, results.why_absent("groups"))
    failed = failed_fits(results)
    own = own.assign(
        label=[pair(results, a, b) for a, b in zip(own["group_a"], own["group_b"])],
        colour=own["group_a"].map(results.colour),
        failed=[(a, m) in failed or (b, m) in failed for a, b, m in zip(own["group_a"], own["group_b"], own["model"])],
    )
    rows = list(dict.fromkeys(own["label"]))
    models = [m for m in results.plan.models if m in set(own["model"])] or list(dict.fromkeys(own["model"]))
    widest = max(own.loc[own["model"] == m, "parameter"].nunique() for m in models)
    span = float(np.nanmax(np.abs(own[["low", "high", "rope_high"]].to_numpy(float)))) * 1.08
    scale = alt.Scale(domain=[-span, span], nice=False)
    rope = pd.DataFrame({"mean": [float(own["rope_low"].iloc[0])], "high": [float(own["rope_high"].iloc[0])]})
    x = alt.X("mean:Q", title="difference in choice probability", scale=scale, axis=alt.Axis(tickCount=4, format="~g"))
    drawn = []
    for model in models:
        row = []
        for name in dict.fromkeys(own.loc[own["model"] == model, "parameter"]):
            part = own[(own["model"] == model) & (own["parameter"] == name)]
            y = names(rows, not row, room=190)
            bars = part[["label", "low", "high", "colour"]].rename(columns={"low": "mean"})
            layers = (
                alt.Chart(data(rope))
                .mark_rect(color=GRID, opacity=0.9)
                .encode(x=x, x2="high:Q", y=alt.value(0), y2=alt.value("height")),
                alt.Chart(data(pd.DataFrame({"mean": [0.0]}))).mark_rule(color=MUTED, strokeWidth=1).encode(x=x),
                alt.Chart(data(bars)).mark_rule(strokeWidth=2.4).encode(x=x, x2="high:Q", y=y, color=COLOUR),
                alt.Chart(data(part.loc[~part["failed"], ["label", "mean", "colour"]]))
                .mark_circle(size=65, opacity=1)
                .encode(x=x, y=y, color=COLOUR),
                cross(part.loc[part["failed"], ["label", "mean"]], x, y),
            )
            title = alt.TitleParams(symbol(model, name), subtitle=model_title(model) if not row else "")
            row.append(
                alt.layer(*layers).properties(
                    width=panel_width(max(widest, 3), 198, 4), height=20 * len(rows), title=title
                )
            )
        drawn.append(row)
    sizes = dict.fromkeys(f"{r.label} {count(r.n_a)} and {count(r.n_b)}" for r in own.itertuples())
    caption = (
        "Difference between the means of two groups, for each parameter of each model, as the difference in choice "
        "probability that it makes (no unit). Dot and bar: posterior mean and 94 % "
        f"highest-density interval; grey band: region of practical equivalence, ±{float(own['rope_high'].iloc[0]):g}, "
        f"fixed in the config before any fit"
        + ("; red cross: one of the two fits failed its diagnostics" if own["failed"].any() else "")
        + f". n (subjects): {'; '.join(sizes)}. Inside the band: equivalent for practical purposes; outside: "
        f"different; across its edge: undecided. The animals are few and fixed: a difference "
        "is one from these animals."
    )
    return Figure("differences", question, svg(stack(drawn), "differences", question), caption)


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
        points = part.drop_duplicates("animal")[["animal", "value"]].assign(label="Animals")
        finite = pd.concat([part["value"], part["reference_low"], part["reference_high"]]).astype(float)
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
            .mark_rule(strokeWidth=7, strokeCap="round", opacity=0.7)
            .encode(x=x, x2="reference_high:Q", y=y, color=COLOUR),
            alt.Chart(data(points))
            .mark_point(size=58, strokeWidth=1.7, color=colour, opacity=1)
            .encode(x=x, y=y, shape=shape),
        )
        title = alt.TitleParams(entry.title if entry else statistic)
        panels.append(
            alt.layer(*layers).properties(width=panel_width(columns, 110, 6), height=22 * len(rows), title=title)
        )
    percentile = own["percentile"].astype(float)
    outside = int(((percentile <= 2.5) | (percentile >= 97.5)).sum())
    caption = (
        f"Symbols and thin lines: the statistic of each animal, n = {len(known)} ({listed(known)}); coloured bars: "
        f"the central 95 % of the single networks of a core that did the same task, n = "
        f"{count(own['n_reference'].max())} networks at most. {plural(outside, 'comparison')} of an animal with a "
        f"core, of {len(own)}, fall outside that range. Look for symbols outside every bar: "
        "behaviour that no network of any core shows."
    )
    keys = tuple(Key(name, colour, f"shape:{SHAPES[i % len(SHAPES)]}") for i, name in enumerate(known))
    return Figure(
        "typicality",
        question,
        svg(grid(panels, columns), "typicality", question),
        caption,
        (*keys, Key("central 95 % of networks", INK, "band")),
    )
