"""Figures that check the models on simulated data: recovery, coverage, ranks, confusion, planted effects."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.models.ranks import LEVEL
from pipeline.models.verdicts import LIKELY, look_alikes, planted_summary
from pipeline.report.blocks import Block, Cell, Figure, Key, Row, Table
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.figures_models import FAILED, model_title, symbol
from pipeline.report.figures_ranks import LEVELS, calibration, simulated_from
from pipeline.report.style import BLUE, FAINT, GRID, INK, count, interval, listed, missing, number, plural

__all__ = ["calibration", "confusion", "coverage", "planted", "recovery"]

WHITE = "#ffffff"
SHADES = ("#ffffff", "#e9f1f8", "#cfe1f0", "#a9c9e4", "#6fa6d0", "#3a7db8", "#0b5394")  # by lightness alone
EDGES = (0.02, 0.1, 0.25, 0.4, 0.6, 0.8)  # shares between them
COLOUR = alt.Color("colour:N", scale=None)
STEP = 8  # px between the levels of a parameter


def recovery(frame: pd.DataFrame) -> list[Block]:
    """Correlation of truth and estimate of every parameter; and a table of correlation, bias and coverage."""
    question = "Does the fit find the parameters again?"
    shown = frame[frame["correlation"].notna()]
    low = float(min(0, np.floor(10 * shown["correlation"].min()) / 10)) if len(shown) else 0.0
    panels = _by_model(shown, "correlation", "correlation r", [low, 1.0], [])
    caption = (
        f"Correlation, over n = {count(frame['n'].max())} data sets per model, of the true value and the posterior "
        "mean, on the scale of the link; one panel per model, one symbol per level of the hierarchy. Truths of all "
        f"levels are drawn from the priors, data simulated on {simulated_from(frame)} and fitted by NUTS. A level that "
        "the data say little of (an SD between four subjects) cannot correlate highly, however right the fit. Look for "
        "parameters of subjects near 1: only those can be read as traits of a subject."
    )
    figure = Figure("recovery", question, svg(grid(panels, min(4, len(panels))), "recovery", question), caption,
                    _level_keys(frame))  # fmt: skip
    return [figure, _table(frame)]


def _table(frame: pd.DataFrame) -> Table:
    rows = []
    for model, part in frame.groupby("model", sort=False):
        refitted, failed = int(part["refitted"].max()), int(part["failed"].max())
        again = f"{plural(refitted, 'fit')} run twice, {failed} of them not sound even then"
        rows.append(Row([Cell(f"{model_title(model)}: n = {count(part['n'].max())}; {again}", span=5)], heading=True))
        for r in part.itertuples():
            verdict = Cell("" if r.passed else "too low", badge="" if r.passed else "fail")
            spread = f"± {number(2 * r.bias_se, 3)}" if not missing(r.bias_se) else ""
            rows.append(Row([
                Cell(f"{symbol(model, r.parameter)}, {LEVELS[r.level][0]}"), Cell(number(r.correlation, 2)),
                Cell(number(r.bias, 3), spread), Cell(number(r.coverage, 3), interval(r.coverage_low, r.coverage_high)),
                verdict,
            ]))  # fmt: skip
    caption = (
        "r: correlation of truth and posterior mean. Bias: posterior mean − truth, ± 2 standard errors, on the scale "
        f"of the link; 0 is expected at every level. Coverage: share of central {100 * LEVEL:g} % intervals that hold "
        "the truth, with its exact binomial 95 % interval; it is too low below the 99 % limit of the binomial "
        "distribution, corrected for the number of rows of the model."
    )
    columns = ("Parameter", "r", "Bias", "Coverage", "")
    title = "Recovery: correlation, bias and coverage"
    return Table("recovery-table", title, columns, rows, caption, frozenset((1, 2, 3)), True, True, True)


def coverage(frame: pd.DataFrame) -> list[Block]:
    """Share of intervals that hold the truth, with its binomial interval, per parameter and level."""
    question = f"Do {100 * LEVEL:g} % intervals hold the truth {100 * LEVEL:g} % of the time?"
    low = float(np.floor(20 * min(frame["coverage_low"].min(), 0.85)) / 20)
    panels = _by_model(frame, "coverage", "share of intervals", [low, 1.0], ["coverage_low", "coverage_high"], LEVEL)
    bad = frame[frame["passed"] == 0]
    told = [
        f"{symbol(r.model, r.parameter)} ({LEVELS[r.level][0]}) of {model_title(r.model)}" for r in bad.itertuples()
    ]
    caption = (
        f"Share of central {100 * LEVEL:g} % posterior intervals that hold the truth, with exact binomial 95 % "
        f"intervals (n = {count(frame['n'].max())} data sets per model; vertical line: expected). Of so many bars one "
        "in twenty misses the line by chance; a red cross marks coverage below the 99 % binomial limit corrected for "
        f"the number of parameters of the model: {listed(told) or 'none here'}. Look for bars wholly to the left of "
        "the line: intervals that are too short."
    )
    return [Figure("coverage", question, svg(grid(panels, min(4, len(panels))), "coverage", question), caption,
                   _level_keys(frame))]  # fmt: skip


def _by_model(frame, field: str, title: str, domain, ends: list[str], line: float | None = None) -> list:
    """Draw one panel per model: parameters as rows, levels as symbols in them."""
    models = list(dict.fromkeys(frame["model"]))
    levels = [level for level in LEVELS if level in set(frame["level"])]
    columns, panels = min(4, len(models)), []
    for model in models:
        part = frame[frame["model"] == model]
        rows = list(dict.fromkeys(symbol(model, p) for p in part["parameter"]))
        part = part.assign(label=[symbol(model, p) for p in part["parameter"]])
        scale = alt.Scale(domain=domain, nice=False, clamp=True)
        y = names(rows, True, room=34)

        x = alt.X(f"{field}:Q", title=title, axis=alt.Axis(tickCount=4), scale=scale)
        layers = []
        if line is not None:
            where = data(pd.DataFrame({"at": [line]}))
            layers.append(alt.Chart(where).mark_rule(color=FAINT).encode(x=alt.X("at:Q", scale=scale, title=title)))
        for k, level in enumerate(levels):
            _, colour, shape = LEVELS[level]
            own, offset = part[part["level"] == level], (k - (len(levels) - 1) / 2) * STEP
            if ends:
                bars = own[["label", *ends]].rename(columns={ends[0]: field, ends[1]: "end"})
                rule = alt.Chart(data(bars)).mark_rule(strokeWidth=1.4, color=colour, yOffset=offset)
                layers.append(rule.encode(x=x, x2="end:Q", y=y))
            fine = own[own["passed"] == 1] if line is not None else own
            dots = alt.Chart(data(fine[["label", field]]))
            point = dots.mark_point(size=26, shape=shape, filled=True, opacity=1, color=colour, yOffset=offset)
            layers.append(point.encode(x=x, y=y))
            if line is not None and len(fine) < len(own):
                wrong = alt.Chart(data(own.loc[own["passed"] == 0, ["label", field]]))
                cross = wrong.mark_point(
                    size=60, shape="cross", angle=45, filled=True, opacity=1, color=FAILED, yOffset=offset
                )
                layers.append(cross.encode(x=x, y=y))
        height = (STEP * len(levels) + 12) * len(rows)
        size = {"width": panel_width(columns, 46, 46), "height": height}
        panels.append(alt.layer(*layers).properties(**size, title=alt.TitleParams(_short(model))))
    return panels


def _short(model: str) -> str | list[str]:
    """Title of a model in at most two lines."""
    title = model_title(model)
    if len(title) <= 26:
        return title
    place = title.rfind(" ", 0, 27)
    return [title[:place], title[place + 1 :]]


def _level_keys(frame: pd.DataFrame) -> tuple[Key, ...]:
    return tuple(Key(title, colour, f"full:{shape}") for level, (title, colour, shape) in LEVELS.items()
                 if level in set(frame["level"]))  # fmt: skip


def confusion(frame: pd.DataFrame) -> list[Block]:
    """Heat map of which model is chosen for data simulated from which, with who cannot be told apart."""
    question = "Which model is taken for which?"
    models = list(dict.fromkeys(frame["simulated"]))
    place = {m: str(i + 1) for i, m in enumerate(models)}
    titles = {m: f"{place[m]}  {model_title(m)}" for m in models}
    cells = frame.assign(
        row=frame["simulated"].map(titles),
        column=frame["fitted"].map(place),
        fill=[SHADES[int(np.searchsorted(EDGES, s, side="right"))] for s in frame["share"]],
        ink=[WHITE if s >= EDGES[4] else INK for s in frame["share"]],
        text=["" if s == 0 else number(s, 2) for s in frame["share"]],
        own=frame["simulated"] == frame["fitted"],
    )
    plain = {"domain": False, "ticks": False, "labelColor": INK, "labelFontSize": 12}

    def scale(names):
        return alt.Scale(domain=list(names), paddingInner=0.04, paddingOuter=0)

    axis = alt.Axis(orient="top", labelAngle=0, **plain)
    x = alt.X("column:N", title="chosen", sort=list(place.values()), scale=scale(place.values()), axis=axis)
    axis = alt.Axis(minExtent=30, labelLimit=320, **plain)
    y = alt.Y("row:N", title=None, sort=list(titles.values()), scale=scale(titles.values()), axis=axis)
    base = alt.Chart(data(cells[["row", "column", "fill", "ink", "text", "own"]])).encode(x=x, y=y)
    layers = (
        base.mark_rect(stroke=GRID).encode(color=alt.Color("fill:N", scale=None)),
        base.transform_filter("datum.own").mark_rect(filled=False, stroke=INK, strokeWidth=1.6),
        base.mark_text(fontSize=11.5).encode(text="text:N", color=alt.Color("ink:N", scale=None)),
    )
    width = min(50, 560 // len(models)) * len(models)
    title = alt.TitleParams("simulated from", anchor="start", frame="bounds", fontWeight="normal", fontSize=12)
    chart = alt.layer(*layers).properties(width=width, height=30 * len(models), title=title)
    pairs = look_alikes(frame)
    told = [
        f"{model_title(r.simulated)} for {model_title(r.fitted)} ({number(r.share, 2)})" for r in pairs.itertuples()
    ]
    right = frame.loc[frame["simulated"] == frame["fitted"], "share"]
    caption = (
        f"Share of the n = {count(frame['n'].max())} data sets simulated from the model of the row for which the "
        "model of the column was chosen, by the highest marginal likelihood. Fits and marginal likelihoods are "
        "EM–Laplace approximations. Group means are drawn from the priors between each parameter's low and high value, "
        f"on {simulated_from(frame)}. The right model is chosen for {number(right.min(), 2)} to "
        f"{number(right.max(), 2)} of its data sets. Cannot be told apart here (taken for another in more than "
        f"{100 * LIKELY:g} %): {listed(told) or 'none'}. Look for dark cells off the outlined diagonal: to prefer one "
        "of such a pair in data means little."
    )
    return [Figure("confusion", question, svg(chart, "confusion", question), caption)]


def planted(frame: pd.DataFrame) -> list[Block]:
    """Estimates of planted effects, data set by data set, with their intervals."""
    model, name = str(frame["model"].iloc[0]), str(frame["parameter"].iloc[0])
    sign, told = symbol(model, name), planted_summary(frame)
    question = f"Does the fit find a planted {sign}?"
    domain = [float(frame["low"].min()), float(frame["high"].max())]
    panels = []
    for r in told.itertuples():
        own = frame[frame["value"] == r.value].sort_values("mean").reset_index(drop=True)
        own = own.assign(place=own.index + 1, colour=np.where(own["covers"] == 1, BLUE, FAILED))
        x = alt.X("mean:Q", title=f"estimate of {sign}", scale=alt.Scale(domain=domain), axis=alt.Axis(tickCount=5))
        y = alt.Y("place:Q", title=None, axis=None)
        bars = alt.Chart(data(own[["low", "high", "place", "colour"]].rename(columns={"low": "mean"})))
        dots = alt.Chart(data(own[["mean", "place", "colour"]]))
        layers = (
            bars.mark_rule(strokeWidth=1.2, opacity=0.8).encode(x=x, x2="high:Q", y=y, color=COLOUR),
            dots.mark_circle(size=12, opacity=1).encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(pd.DataFrame({"mean": [r.value]}))).mark_rule(color=INK, strokeWidth=1.2).encode(x=x),
        )
        title = alt.TitleParams(f"planted {number(r.value, 1)}", subtitle=[
            f"mean {number(r.mean, 2)}, SD {number(r.sd, 2)}",
            f"covered {number(r.coverage, 2)} {interval(r.coverage_low, r.coverage_high, 2)}",
        ])  # fmt: skip
        panels.append(alt.layer(*layers).properties(width=panel_width(len(told), 10, 10), height=220, title=title))
    bad = [number(r.value, 1) for r in told.itertuples() if not r.passed]
    failed = int(told["failed"].sum())
    caption = (
        f"Posterior mean and central {100 * LEVEL:g} % interval of the group mean of {sign} in each of n = "
        f"{count(told['n'].max())} data sets per planted value (vertical line), in the order of the estimates; red "
        f"where the interval misses the value. {model_title(model)} on {simulated_from(frame)}; all other means at "
        "typical values, SDs between subjects and sessions at the medians of their priors. Nominal coverage is "
        f"{number(LEVEL, 2)}; in brackets the exact binomial 95 % interval. "
        + (f"Coverage is too low at {listed(bad)}. " if bad else "")
        + (f"{plural(failed, 'fit')} not sound are kept in. " if failed else "")
        + "Look for estimates centred on the line, and at 0 for intervals that hold 0 about as often as they claim."
    )
    return [Figure("planted", question, svg(grid(panels, len(panels)), "planted", question), caption)]
