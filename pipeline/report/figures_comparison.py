"""Figure that sets networks against animals: posterior differences."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.report.blocks import Absent, Figure
from pipeline.report.draw import data, names, panel_width, stack, svg
from pipeline.report.figures_models import COLOUR, cross, failed_fits, model_title, symbol
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.style import GRID, MUTED, count

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
        + f". n (subjects): {'; '.join(sizes)}. An interval inside the band: the parameter makes less than that "
        "difference to the second choice of an episode, other parameters being typical (see Methods), which is not "
        "equivalence of behaviour at large, and weighs differently for each parameter; outside: a difference; across "
        "its edge: undecided. The animals are few and fixed: a difference is one from these animals. "
        f"{selection(results)}"
    )
    return Figure("differences", question, svg(stack(drawn), "differences", question), caption)
