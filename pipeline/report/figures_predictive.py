"""Figure of the posterior predictive checks: behaviour simulated from the fits beside the behaviour fitted."""

import re

import altair as alt
import pandas as pd

from pipeline.behaviour import STATISTICS
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.figures_models import in_order, model_title
from pipeline.report.load import StudyResults
from pipeline.report.style import FAINT, INK, MUTED, count

SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
MODELS = tuple((colour, shape) for colour in (INK, FAINT, MUTED) for shape in SHAPES)  # one look per model
TITLES = {
    "matching_slope": ("Matching slope", "log choice ratio per log reward ratio"),
    "good_stay": ("Stay after a good outcome", "probability"),
    "bad_shift": ("Shift after a bad outcome", "probability"),
    "larger_amount": ("Choice of the larger amount", "probability"),
}


def titled(statistic: str) -> tuple[str, str]:
    """Title and unit of a statistic."""
    if statistic in STATISTICS:
        return STATISTICS[statistic].title, STATISTICS[statistic].unit
    cell = re.fullmatch(r"stay_(common|rare)_(.+)", statistic)
    if cell:
        return f"Stay after {cell[1]}, reward {cell[2]}", "probability"
    return TITLES.get(statistic, (statistic.replace("_", " "), statistic))


def predictive(results: StudyResults) -> Figure | Absent:
    """Observed statistics, and those of data simulated from every fitted model."""
    question = "Do the fitted models behave like those they were fitted to?"
    own = results.predictive
    if "kind" in own:
        own = own[own["kind"] == "posterior"]
    own = own[(own["subject"] == "all") & own["predicted"].notna()] if len(own) else own
    if own.empty:
        return Absent(question, results.why_absent("predictive"))
    sources = in_order(results, own["source"])
    rows = [results.label(s) for s in sources]
    models = [m for m in results.plan.models if m in set(own["model"])]
    own = own.assign(label=own["source"].map(results.label), colour=own["source"].map(results.colour))
    found = list(dict.fromkeys(own["statistic"]))
    statistics = [s for s in STATISTICS if s in found] + [s for s in found if s not in STATISTICS]
    panels, columns, step = [], min(3, len(statistics)), 9
    for i, statistic in enumerate(statistics):
        part = own[own["statistic"] == statistic]
        values = pd.concat([part["observed"], part["low"], part["high"]]).astype(float)
        margin = 0.06 * ((values.max() - values.min()) or 1)
        heading, unit = titled(statistic)
        x = alt.X(
            "value:Q",
            title=unit,
            axis=alt.Axis(tickCount=4),
            scale=alt.Scale(domain=[float(values.min() - margin), float(values.max() + margin)], nice=False),
        )
        y = names(rows, i % columns == 0, room=148)
        seen = part.drop_duplicates("label")[["label", "observed", "colour"]].rename(columns={"observed": "value"})
        ticks = alt.Chart(data(seen)).mark_tick(thickness=3, height=step * (len(models) + 1), opacity=0.85)
        layers = [ticks.encode(x=x, y=y, color=alt.Color("colour:N", scale=None))]
        for k, model in enumerate(models):
            fitted = part[part["model"] == model]
            offset, (colour, shape) = (k - (len(models) - 1) / 2) * step, MODELS[k % len(MODELS)]
            bars = fitted[["label", "low", "high"]].rename(columns={"low": "value"})
            dots = fitted[["label", "predicted"]].rename(columns={"predicted": "value"})
            layers.append(
                alt.Chart(data(bars))
                .mark_rule(strokeWidth=1.5, color=colour, yOffset=offset)
                .encode(x=x, x2="high:Q", y=y)
            )
            layers.append(
                alt.Chart(data(dots))
                .mark_point(size=30, shape=shape, filled=True, color=colour, opacity=1, yOffset=offset)
                .encode(x=x, y=y)
            )
        title = alt.TitleParams(heading)
        height = (step * len(models) + 14) * len(rows)
        panels.append(alt.layer(*layers).properties(width=panel_width(columns, 156, 6), height=height, title=title))
    caption = (
        "Coloured bars: the statistic as observed, all subjects of a source together. Grey: mean and 94 % interval of "
        "the same statistic in data sets simulated from the "
        f"posterior on the same schedule (n = {count(own['n_draws'].max())} data sets per fit), one symbol per model. "
        f"Look for a model whose intervals cross the coloured bar in every "
        "panel; one that misses it does not describe that source, whatever its parameters."
    )
    keys = [
        Key(model_title(m), MODELS[k % len(MODELS)][0], f"full:{MODELS[k % len(MODELS)][1]}")
        for k, m in enumerate(models)
    ]
    return Figure(
        "predictive",
        question,
        svg(grid(panels, columns), "predictive", question),
        caption,
        (*keys, Key("observed", INK, "tick")),
    )
