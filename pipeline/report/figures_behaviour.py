"""Figures of behaviour by trial and by lag: every source beside every animal, on the same axes."""

import altair as alt
import pandas as pd

from pipeline.primates import DATASETS
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, panel_width, svg
from pipeline.report.load import StudyResults
from pipeline.report.style import DASHES, INK, MUTED, animals, count, reversal_window

COLUMNS = ["subject", "x", "value", "low", "high", "n"]
FACTS = {
    "reversal": r"^newly_better_after_(\d+)$",
    "learning": r"^better_choice_trial_(\d+)$",
}  # curves among the kept facts


def animal_curves(results: StudyResults, curve: str) -> tuple[pd.DataFrame, str]:
    """Curve of each animal: measured, or from the kept facts with the sentence that says so."""
    own, primates = results.curves, results.names("primate")
    if len(own):
        found = own[(own["curve"] == curve) & own["source"].isin(primates) & (own["subject"] != "all")]
        if len(found):
            order = animals(primates[0], found["subject"])
            return found.assign(order=found["subject"].map(order.index)).sort_values(["order", "x"])[COLUMNS], ""
    for status in results.missing_datasets():
        facts = fact_curves(status.facts, curve)
        if len(facts):
            return facts, (
                f"The animals' lines are summary statistics kept as facts in "
                f"resources/{DATASETS[status.name].summary}, because the dataset is missing here; "
                "they were not computed by this run."
            )
    return pd.DataFrame(columns=COLUMNS), ""


def fact_curves(facts: pd.DataFrame | None, curve: str) -> pd.DataFrame:
    """Curve points among the kept facts (see `FACTS`), each animal; empty where there are none."""
    if facts is None or curve not in FACTS:
        return pd.DataFrame(columns=COLUMNS)
    found = facts.assign(
        x=facts["statistic"].astype(str).str.extract(FACTS[curve])[0], subject=facts["subject"].astype(str)
    )
    found = found[found["x"].notna() & (found["subject"] != "all")]
    found = found.assign(
        x=found["x"].astype(int),
        value=found["value"].astype(float),
        n=found["n"].astype(float),
        low=float("nan"),
        high=float("nan"),
    )
    return found[COLUMNS].sort_values(["subject", "x"], kind="stable").reset_index(drop=True)


def beside_animals(
    results: StudyResults,
    curve: str,
    slug: str,
    question: str,
    caption: str,
    x: alt.X,
    y: alt.Y,
    at: dict[str, float] | None = None,
    level: dict[str, float] | None = None,
    height: int = 190,
) -> Figure | Absent:
    """Small multiples of one curve: the animals, each core, the learners; the animals lie behind every panel.

    ``at`` are vertical and ``level`` horizontal reference lines by name. Where a dataset is missing, the facts kept of
    each animal stand in where they hold such a curve, and the caption says so.
    """
    own = results.curves
    own = own[(own["curve"] == curve) & (own["subject"] == "all")] if len(own) else own
    wild, stand_in = animal_curves(results, curve)
    first, last = x["scale"].domain
    own, wild = (f[(f["x"] >= first) & (f["x"] <= last)] if len(f) else f for f in (own, wild))
    if own.empty and wild.empty:
        return Absent(question, results.why_absent("curves"))
    present = set(own["source"]) if len(own) else set()
    networks, learners = ([s for s in results.names(kind) if s in present] for kind in ("network", "learner"))
    names, colour, columns = list(dict.fromkeys(wild["subject"])), animal_colour(results), 3
    dashes = {name: list(DASHES[i % len(DASHES)]) for i, name in enumerate(names)}
    title, panels = y["title"], []

    def add(head: str, tint: str, *layers):
        here = y.copy()
        here["title"] = title if len(panels) % columns == 0 else None
        rules = _rules(at or {}, level or {}, x, here, labelled=not panels)
        layers = [make(here) for group in layers for make in group]
        panels.append(
            alt.layer(*rules, *layers).properties(
                width=panel_width(columns), height=height, title=alt.TitleParams(head, color=tint)
            )
        )

    def animal(name, width, opacity, dash):
        base = alt.Chart(data(wild.loc[wild["subject"] == name, ["x", "value"]]))
        return lambda here: base.mark_line(
            clip=True, color=colour, strokeWidth=width, opacity=opacity, strokeDash=dash
        ).encode(x=x, y=here)

    behind = [animal(name, 1, 0.5, [1, 0]) for name in names]
    if names:
        label = results.label(results.names("primate")[0])
        add(
            f"{label}: kept facts" if stand_in else label,
            colour,
            [animal(name, 1.6, 1, dashes[name]) for name in names],
        )
    for name in networks:
        add(results.label(name), results.colour(name), behind, _line(results, own, name, x, band=True))
    if learners:
        add("Learners", INK, behind, *(_line(results, own, name, x, band=False) for name in learners))
    n = [f"{results.label(s)} {count(own.loc[own['source'] == s, 'n'].max())}" for s in (*networks, *learners)]
    n += [f"{name} {count(wild.loc[wild['subject'] == name, 'n'].max())}" for name in names]
    text = (
        f"{caption} Coloured line and band: the best networks of a core together, 95 % interval; learners without "
        f"band. "
        + (
            f"Vermilion: each animal ({', '.join(names)}), thin and the same in every panel; nothing is claimed about "
            f"monkeys at large. "
            if names
            else ""
        )
        + f"n at the point with most trials: {', '.join(n)}. {stand_in}"
    )
    keys = [Key(name, colour, "dash:" + ",".join(map(str, dashes[name]))) for name in names]
    keys += [
        Key(results.label(s), results.colour(s), "dash:" + ",".join(map(str, results.looks[s].dash))) for s in learners
    ]
    return Figure(slug, question, svg(grid(panels, columns), slug, question), text.strip(), tuple(keys))


def animal_colour(results: StudyResults) -> str:
    """Colour of the first dataset."""
    return next((results.colour(name) for name in results.names("primate")), MUTED)


def _line(results: StudyResults, own: pd.DataFrame, name: str, x, band: bool) -> list:
    look, part = results.looks[name], own[own["source"] == name].sort_values("x")
    base = alt.Chart(data(part[["x", "value", "low", "high"]]))
    layers = [
        lambda y: base.mark_line(
            clip=True, color=look.colour, strokeWidth=2.2 if band else 1.4, strokeDash=list(look.dash)
        ).encode(x=x, y=y)
    ]
    if band and part["low"].notna().any():
        layers.insert(
            0,
            lambda y: base.mark_area(clip=True, color=look.colour, opacity=0.18).encode(
                x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"
            ),
        )
    return layers


def _rules(at, level, x, y, labelled: bool) -> list:
    layers = []
    style = {"color": MUTED, "strokeWidth": 1, "strokeDash": [2, 2]}
    for name, place in at.items():
        one = alt.Chart(data(pd.DataFrame({"x": [place], "name": [name]})))
        layers.append(one.mark_rule(**style).encode(x=x))
        if labelled:
            layers.append(
                one.mark_text(align="right", dx=-4, dy=7, fontSize=10).encode(x=x, y=alt.value(0), text="name:N")
            )
    for name, place in level.items():
        one = alt.Chart(data(pd.DataFrame({"value": [place], "name": [name]})))
        layers.append(one.mark_rule(**style).encode(y=y))
        if labelled:
            layers.append(
                one.mark_text(align="right", dx=-2, dy=-6, fontSize=10).encode(y=y, x=alt.value("width"), text="name:N")
            )
    return layers


def reversal(results: StudyResults) -> Figure | Absent:
    """Reversal-aligned curve."""
    own = results.curves[results.curves["curve"] == "reversal"] if len(results.curves) else results.curves
    low, high = (int(own["x"].min()), int(own["x"].max())) if len(own) else (0, 19)
    return beside_animals(
        results,
        "reversal",
        "reversal",
        "How fast do choices follow an unsignalled reversal?",
        "Probability of choosing the newly better option, by trial relative to the first reversed outcome (trial 0: "
        "its choice is made before that outcome is seen). "
        f"The exact Bayes-optimal learner knows that there is one reversal, on trials {reversal_window()}, and "
        "anticipates it: its line rises before any reversed outcome. Networks trained on the task may have learned the "
        "same hazard; whether the monkeys had is not known here. "
        "Look for the number of trials to cross one half (horizontal line), and for the height reached later.",
        alt.X(
            "x:Q",
            title="trial relative to the first reversed outcome",
            scale=alt.Scale(domain=[low, high], nice=False),
            axis=alt.Axis(tickCount=6, grid=False),
        ),
        alt.Y(
            "value:Q",
            title="P(newly better option)",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(tickCount=5, format=".1f"),
        ),
        {"first reversed outcome": 0} if low < -10 else {"": 0},
        {"": 0.5},
    )


def learning(results: StudyResults) -> Figure | Absent:
    """Learning curve from trial 1."""
    own = results.curves[results.curves["curve"] == "learning"] if len(results.curves) else results.curves
    last = min(30, int(own["x"].max())) if len(own) else 10
    return beside_animals(
        results,
        "learning",
        "learning",
        "How fast is the better of two new objects found?",
        "Probability of choosing the better option by trial of the problem, before the reversal; both objects are new "
        "on trial 1, where every source must be at one half. "
        "Look for the slope of the first ten trials and for the level before the reversal.",
        alt.X(
            "x:Q",
            title="trial of the problem",
            scale=alt.Scale(domain=[1, last], nice=False, clamp=True),
            axis=alt.Axis(values=[1, *range(5, last + 1, 5)], grid=False),
        ),
        alt.Y(
            "value:Q",
            title="P(better option)",
            scale=alt.Scale(domain=[0.4, 1], nice=False, clamp=True),
            axis=alt.Axis(tickCount=6, format=".1f"),
        ),
        None,
        {"chance": 0.5},
    )


def kernels(results: StudyResults) -> list[Figure | Absent]:
    """Reward and choice kernels by lag, in the same layout and on the same axes."""
    own = (
        results.curves[results.curves["curve"].isin(["reward_kernel", "choice_kernel"])]
        if len(results.curves)
        else results.curves
    )
    parts = {
        "reward_kernel": (
            "How far back do rewards reach into a choice?",
            "Log odds that a rewarded choice so many trials back adds to choosing the same option now, "
            "beyond the choice itself; from one logistic regression on rewards and "
            "choices jointly (Lau & Glimcher 2005). Look for the size at lag 1 and for how fast it "
            "decays. The axis is linear near 0 and logarithmic far from it.",
        ),
        "choice_kernel": (
            "And earlier choices, whatever they brought?",
            "Log odds that a choice, rewarded or not, adds to choosing the same option now; from the "
            "same regression, on the same axes. Positive: perseveration; negative: "
            "alternation. Look for the sign at lag 1. Learners that leave the axes are cut off.",
        ),
    }
    if own.empty:
        return [Absent(question, results.why_absent("curves")) for question, _ in parts.values()]
    learner = own["source"].isin(results.names("learner"))
    shown = own.loc[((own["subject"] == "all") | own["source"].isin(results.names("primate"))) & ~learner, "value"]
    shown = shown if len(shown) else own["value"]
    low, high, lags = min(-0.2, float(shown.min()) - 0.15), float(shown.max()) + 0.25, int(own["x"].max())
    x = alt.X(
        "x:Q",
        title="lag (trials back)",
        scale=alt.Scale(domain=[0.7, lags + 0.3], nice=False),
        axis=alt.Axis(values=list(range(1, lags + 1)), grid=False, format="d"),
    )
    # Near-deterministic networks have kernels of 10 and more: on a linear axis everybody else would be a flat line.
    y = alt.Y(
        "value:Q",
        title="log odds (bent scale)",
        scale=alt.Scale(type="symlog", constant=1, domain=[low, high], nice=False),
        axis=alt.Axis(values=[v for v in (-30, -10, -3, 0, 3, 10, 30) if low <= v <= high], labelOverlap=False),
    )
    return [
        beside_animals(results, kind, kind.replace("_", "-"), question, text, x, y, None, {"": 0.0}, 165)
        for kind, (question, text) in parts.items()
    ]
