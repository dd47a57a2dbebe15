"""Figures of the restless bandit: learning rate against volatility, (StudyResults) → Figure or Absent."""

import altair as alt
import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline.behaviour.volatility import BETA_LIMIT, GAP
from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, grid, panel_width, svg
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.style import FAINT, INK, count, plural, task_title

OPTIMAL, KNOWING = "bayes_optimal", "bayes_knows_volatility"
PER_THIRD = 4  # bins of ν in each third
DOTS = 240  # episodes drawn one by one in a panel
LEFT_OUT = ("random", OPTIMAL)  # of the panel of learners: no learning rate, and the yardstick of every panel


def binned(own: pd.DataFrame, gap: tuple[float, float] = GAP, level: float = 0.95) -> pd.DataFrame:
    """Mean fitted α of one source by bins of volatility, `PER_THIRD` in each third.

    The interval is over subjects (of means within subjects), or over episodes for a lone subject.

    Returns
    -------
    DataFrame
        ``x`` (middle of the bin), ``value, low, high, n`` (episodes).
    """
    own = own[own["alpha"].notna()]
    width = (gap[1] - gap[0]) / PER_THIRD
    place = np.floor((own["volatility"].to_numpy(float) - gap[0]) / width + 1e-9).astype(int)
    own = own.assign(bin=np.minimum(place, 2 * PER_THIRD - 1))  # the top end of the range belongs to the last bin
    lone = own["subject"].nunique() < 2
    rows = []
    for bin_, part in own.groupby("bin"):
        values = part["alpha"].to_numpy(float) if lone else part.groupby("subject")["alpha"].mean().to_numpy(float)
        n = len(values)
        half = student.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        mean = values.mean()
        rows.append((gap[0] + (bin_ + 0.5) * width, mean, max(mean - half, 0), min(mean + half, 1), len(part)))
    return pd.DataFrame(rows, columns=["x", "value", "low", "high", "n"])


def learning_rate(results: StudyResults) -> Figure | Absent:
    """Fitted learning rate of every episode against its volatility, a panel per core and one of learners."""
    question = "Does a frozen network learn faster where the world is more volatile?"
    own = results.episodes
    if own.empty or own["alpha"].notna().sum() == 0:
        return Absent(question, results.why_absent("episodes"))
    tasks = [t for t in results.plan.tasks if t in set(own["task"])]
    there = set(own["source"])
    networks = [s for s in results.names("network") if s in there]
    others = [s for s in results.names("learner") if s in there and s not in LEFT_OUT]
    top = max(3 * GAP[0], float(own["volatility"].max()))
    x = alt.X(
        "x:Q",
        title="volatility ν of the episode",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(values=[0, 0.05, 0.1, 0.15, 0.2], format=".2~f", grid=False),
    )
    columns = 3
    panels: list = []
    for task in tasks:
        part = own[own["task"] == task]
        ideal = binned(part[part["source"] == OPTIMAL])
        for name in [s for s in networks if results.source(s).task == task]:
            head = results.label(name) if len(tasks) == 1 else f"{results.label(name)} · {task_title(task)}"
            layers = _source(results, part[part["source"] == name], name, x, len(panels) % columns == 0)
            panels.append((layers, ideal, head))
        shown = [s for s in others if s in set(part["source"])]
        if shown:
            y = _alpha(len(panels) % columns == 0)
            lines = []
            for name in shown:
                line, look = binned(part[part["source"] == name]), results.looks[name]
                base = alt.Chart(data(line)).encode(x=x, y=y)
                lines.append(base.mark_line(color=look.colour, strokeWidth=1.4, strokeDash=list(look.dash)))
            panels.append((lines, ideal, "Learners" if len(tasks) == 1 else f"Learners · {task_title(task)}"))
    charts = []
    for i, (layers, ideal, head) in enumerate(panels):
        y = _alpha(i % columns == 0)
        shade = (
            alt.Chart(data(pd.DataFrame({"x": [GAP[0]], "end": [GAP[1]]})))
            .mark_rect(color=FAINT, opacity=0.22)
            .encode(x=x, x2="end:Q")
        )
        yard = alt.Chart(data(ideal)).mark_line(color=INK, strokeWidth=1.4).encode(x=x, y=y)
        chart = alt.layer(shade, *layers, *([yard] if len(ideal) else []))
        charts.append(chart.properties(width=panel_width(columns), height=200, title=head))
    per = own[own["source"].isin(networks)].groupby("source")["subject"].nunique()
    episodes = own.groupby(["source", "task", "subject"]).size()
    caption = (
        "Learning rate α (no unit) of a Rescorla–Wagner learner fitted by maximum likelihood to each test episode, "
        f"against the episode's volatility ν. Coloured dots: up to {DOTS} single episodes, drawn at even steps; line "
        f"and band: mean of {3 * PER_THIRD} bins of ν with its 95 % interval over networks "
        f"(n = {_span(per) if len(per) else 0} per core, {count(episodes.max())} episodes each). Black line: the exact "
        "filter that infers ν, fitted in the same way: the yardstick, since not even the ideal observer is a "
        "Rescorla–Wagner learner. Shaded: the third of the volatilities that no network met in training; the "
        "ranking episodes, by which the best were chosen, have the distribution of the tests and so hold it. "
        f"{selection(results)} Look for lines that rise with the black one, also inside the shade; there the sign "
        "counts, not the size: the yardstick itself rises only a little."
    )
    keys = [Key("exact filter, infers ν", INK), Key("held out of training, not of the ranking", FAINT, "band")]
    keys += [Key(results.label(s), results.colour(s), "dot") for s in networks]
    for name in others:
        look = results.looks[name]
        keys.append(Key(look.label, look.colour, "dash:" + ",".join(map(str, look.dash))))
    unique = tuple({key.label: key for key in keys}.values())
    return Figure("learning-rate", question, svg(grid(charts, columns), "learning-rate", question), caption, unique)


def _source(results: StudyResults, own: pd.DataFrame, name: str, x, first: bool) -> list:
    """Dots, band and line of one source."""
    y, colour = _alpha(first), results.colour(name)
    known = own[own["alpha"].notna()].sort_values(["subject", "episode"])
    some = known.iloc[np.unique(np.linspace(0, len(known) - 1, min(DOTS, len(known))).astype(int))]
    dots = pd.DataFrame({"x": some["volatility"].astype(float).round(4), "value": some["alpha"].astype(float).round(3)})
    base = alt.Chart(data(binned(own))).encode(x=x)
    return [
        alt.Chart(data(dots)).mark_circle(size=9, color=colour, opacity=0.28).encode(x=x, y=y),
        base.mark_area(opacity=0.25, color=colour).encode(y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"),
        base.mark_line(color=colour, strokeWidth=2).encode(y=y),
    ]


def _alpha(first: bool) -> alt.Y:
    """Vertical axis of a learning rate."""
    return alt.Y(
        "value:Q",
        title="fitted learning rate α" if first else None,
        scale=alt.Scale(domain=[0, 1], nice=False, clamp=True),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", labels=first),
    )


def _span(values) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


def flagged(results: StudyResults) -> str:
    """Say how many of all episodes have fits at a bound, one option only, or no α."""
    own = results.episodes
    if own.empty:
        return ""
    total = len(own)
    bound, one = int(own["at_bound"].astype(float).sum()), int(own["one_option"].astype(float).sum())
    return (
        f"Of {plural(total, 'episode')} of all sources, {count(bound)} have a fit at a bound (α at 0 or 1, β at 0 or "
        f"{BETA_LIMIT:g}), {count(one)} the same choice throughout, and in {count(own['alpha'].isna().sum())} α is not "
        "defined (β = 0)."
    )
