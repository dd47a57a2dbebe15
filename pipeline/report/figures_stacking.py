"""Figure of the stacking weights; models without a weight are shown, with the reason."""

import altair as alt
import pandas as pd

from pipeline.report.blocks import Absent, Figure
from pipeline.report.draw import data, grid, names, panel_width, svg
from pipeline.report.figures_models import COLOUR, FAILED, cross, failed_fits, in_order, model_title, verdict, wrap
from pipeline.report.load import StudyResults
from pipeline.report.style import MUTED, missing, plural


def left_out(results: StudyResults, source: str) -> tuple[str, str]:
    """Name the unit left out of the models of a source, and their number: ``session``, ``79``; empty if not known."""
    badges = results.badges[results.badges["source"] == source]
    known = [(str(b["loo_unit"]), f"{int(b['loo_n']):,}") for _, b in badges.iterrows() if not missing(b["loo_unit"])]
    return (known[0][0].removesuffix("s"), known[0][1]) if known else ("", "")


def standing(results: StudyResults, row) -> str:
    """Say how a fit stands in the comparison: weight | failed | not run | only one."""
    if not missing(row["weight"]):
        return "weight"
    if (row["source"], row["model"]) in failed_fits(results):
        return "failed"
    badge = results.badges[(results.badges["source"] == row["source"]) & (results.badges["model"] == row["model"])]
    outcome = verdict(badge.iloc[0]) if len(badge) else "passed" if bool(row["passed"]) else "failed"
    return "only one" if outcome == "passed" else outcome


def stacking(results: StudyResults) -> Figure | Absent:
    """Stacking weights of the models for every source."""
    question = "Which model predicts whom best?"
    own = results.stacking
    if own.empty:
        return Absent(question, results.why_absent("stacking"))
    own = own.assign(standing=[standing(results, row) for _, row in own.iterrows()])
    own = own[own["standing"] != "not run"]
    if own.empty:
        return Absent(question, "No model was fitted to any source.")
    order = in_order(results, own["source"])
    units = {s: left_out(results, s) for s in order}
    rows = {s: results.label(s) for s in order}
    models = [m for m in results.plan.models if m in set(own["model"])]
    weight = own["weight"].astype(float)
    written = {"failed": "fit failed", "only one": "no weights: only one model passed"}
    own = own.assign(
        label=own["source"].map(rows),
        colour=own["source"].map(results.colour),
        place=weight.fillna(0.0),
        text=[f"{w:.2f}" if w == w else written[s] for w, s in zip(weight, own["standing"])],
    )
    x = alt.X(
        "place:Q",
        title="stacking weight",
        scale=alt.Scale(domain=[0, 1.14], nice=False),
        axis=alt.Axis(values=[0, 0.5, 1], format=".1f"),
    )
    panels = []
    for i, model in enumerate(models):
        y = names(list(rows.values()), i == 0, room=148)
        part = own.loc[own["model"] == model, ["label", "place", "colour", "text", "standing"]]
        failed = part["standing"] == "failed"
        layers = (
            alt.Chart(data(part[part["standing"] == "weight"]))
            .mark_bar(height=13, cornerRadiusEnd=2)
            .encode(x=x, y=y, color=COLOUR),
            alt.Chart(data(part[~failed])).mark_text(align="left", dx=4, color=MUTED).encode(x=x, y=y, text="text:N"),
            alt.Chart(data(part[failed])).mark_text(align="left", dx=14, color=FAILED).encode(x=x, y=y, text="text:N"),
            cross(part.loc[failed, ["label", "place"]].assign(place=0.035), x, y),
        )
        title = alt.TitleParams(wrap(model_title(model), 30))
        panels.append(
            alt.layer(*layers).properties(width=panel_width(len(models), 156, 6), height=25 * len(rows), title=title)
        )
    figure = svg(grid(panels, len(models)), "stacking", question)
    return Figure("stacking", question, figure, _caption(results, own, models, units))


def _caption(results: StudyResults, own: pd.DataFrame, models: list[str], units: dict[str, tuple[str, str]]) -> str:
    left = "; ".join(f"{results.label(s)}: {plural(int(n.replace(',', '')), u)}" for s, (u, n) in units.items() if u)
    failed, lone = (int((own["standing"] == s).sum()) for s in ("failed", "only one"))
    crosses = (
        f"Red cross: the fit failed its diagnostics and takes no part ({plural(failed, 'fit')}). " if failed else ""
    )
    alone = "Where fewer than two models passed, there is nothing to compare, and no weight is given. " if lone else ""
    return (
        "Weights (0 to 1, summing to 1 over the models of a source that passed) of the mixture of models that best "
        f"predicts held-out units of that source (Yao et al. 2018); n = {plural(len(units), 'source')} × "
        f"{plural(len(models), 'model')}. {crosses}{alone}Left out, one at a time: {left}. Where the units differ, the "
        "question differs: a new session of a known animal, a new network, a new episode of a known learner; compare "
        "weights within a source, and between sources only where the unit is the same. A weight is not a probability "
        "and has no interval; the table gives each model's elpd and its standard error. Look for sources in which one "
        "model takes nearly all the weight."
    )
