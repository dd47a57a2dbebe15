"""Figures of training: every setting's regret, and learning curves."""

import altair as alt
import numpy as np
import pandas as pd

from pipeline.report.blocks import Absent, Figure, Key
from pipeline.report.draw import data, panel_width, stack, svg
from pipeline.report.figures_bandits import core_label, legend
from pipeline.report.load import StudyResults
from pipeline.report.methods_training import populations
from pipeline.report.selection import DRAWN, drawn, unequal
from pipeline.report.statistics import best_per_trial, own_task, reward_bounds
from pipeline.report.style import FAINT, INK, MUTED, count, listed, significant, span, task_label, task_title
from pipeline.tasks import TASKS

SHOWN = 24  # agents of a population drawn in one panel
POINTS = 50  # points of one line


def settings(results: StudyResults) -> Figure | Absent:
    """Regret of every agent trained, against its learning rate."""
    question = "Which learning rates let which core learn?"
    frame = own_task(results)
    frame = frame[frame["source"].isin(results.names("network")) & frame["learning_rate"].notna()]
    if frame.empty:
        return Absent(question, results.why_absent("evaluation"))
    frame = frame.assign(
        ratio=frame["test_regret"] / frame["optimum_regret"],
        best=frame["best"].astype(bool),
        colour=frame["source"].map(results.colour),
        learning_rate=frame["learning_rate"].astype(float),
    )
    tasks = [t for t in results.plan.tasks if t in set(frame["task"])]
    columns = min(3, len(tasks))
    span = [float(frame["learning_rate"].min() * 0.82), float(frame["learning_rate"].max() * 1.22)]
    ticks = [v for k in range(-7, 1) for v in (10.0**k, 3 * 10.0**k) if span[0] <= v <= span[1]]
    x = alt.X(
        "learning_rate:Q",
        title="learning rate (log scale)",
        scale=alt.Scale(type="log", domain=span, nice=False),
        axis=alt.Axis(values=ticks, format="~g", grid=False),
    )
    panels = []
    for i, task in enumerate(tasks):
        own = frame[frame["task"] == task]
        chance = float((own["chance_regret"] / own["optimum_regret"]).iloc[0])
        ceiling = max(chance, own["ratio"].max()) * 1.3
        y = alt.Y(
            "ratio:Q",
            title="regret ÷ exact optimum (log scale)" if i % columns == 0 else None,
            scale=alt.Scale(type="log", domain=[min(0.8, own["ratio"].min() * 0.9), ceiling], nice=False),
            axis=alt.Axis(values=[v for v in (1, 2, 3, 5, 10, 20, 50) if v < ceiling], format="~g"),
        )
        bounds = alt.Chart(
            data(pd.DataFrame({"ratio": [1.0, chance], "name": ["exact optimum", "chance"], "down": [True, False]}))
        )
        text = {"fontSize": 10, "align": "right", "dx": -2}
        base = alt.Chart(data(own[["learning_rate", "ratio", "colour", "best"]])).encode(x=x, y=y)
        layers = (
            bounds.mark_rule(strokeWidth=1, strokeDash=[4, 3], color=MUTED).encode(y=y),
            bounds.transform_filter("datum.down")
            .mark_text(dy=8, **text)
            .encode(y=y, x=alt.value("width"), text="name:N"),
            bounds.transform_filter("!datum.down")
            .mark_text(dy=-7, **text)
            .encode(y=y, x=alt.value("width"), text="name:N"),
            base.transform_filter("!datum.best")
            .mark_point(size=34, strokeWidth=1.3, opacity=0.65)
            .encode(stroke=alt.Stroke("colour:N", scale=None)),
            base.transform_filter("datum.best")
            .mark_circle(size=52, opacity=0.95)
            .encode(color=alt.Color("colour:N", scale=None)),
        )
        panels.append(
            alt.layer(*layers).properties(
                width=panel_width(columns) if columns > 1 else 560, height=205, title=task_title(task)
            )
        )
    error = float(1.96 * (pd.to_numeric(frame["test_regret_se"]) / frame["optimum_regret"].astype(float)).median())
    per, best = frame.groupby(["task", "source"]).size(), results.plan.best
    n = f"{per.min()}" if per.min() == per.max() else f"{per.min()} to {per.max()}"
    caption = (
        f"Every network trained, n = {n} hyperparameter settings per core and distribution, each with its own seed; "
        f"{_searched(results)}. Vertical: test regret over the exact optimum (no unit). No interval is drawn: a "
        "point is one network, "
        f"and the sampling of its {count(frame['n_test_episodes'].max())} test episodes alone gives it a 95 % "
        "interval of "
        f"± {significant(error, 2)} (median over the networks), "
        "which says nothing about another seed. Setting and seed change together, so that the scatter at one "
        f"learning rate is that of {_scatter(results)}. Filled: the best {best} by the ranking episodes. Look for the "
        "range of learning rates in which a core reaches the lower line, and for settings stuck at the upper one. "
        + unequal(results)
    )
    keys = (*legend(results, frame, "dot"), Key(f"best {best}", INK, "dot"), Key("other settings", INK, "ring"))
    rows = [panels[k : k + columns] for k in range(0, len(panels), columns)]
    return Figure("settings", question, svg(stack(rows), "settings", question), caption, keys)


def _searched(results: StudyResults) -> str:
    """Say which hyperparameters are drawn and which fixed."""
    varied, fixed = drawn(p.training for p in populations(results))
    said = f"{listed(varied)} {'is' if len(varied) == 1 else 'are'} drawn at random" if varied else ""
    kept = f"{listed(fixed)} {'is' if len(fixed) == 1 else 'are'} fixed" if fixed else ""
    return ", ".join(filter(None, (said, kept)))


def _scatter(results: StudyResults) -> str:
    """Name what differs between networks of one learning rate."""
    varied, _ = drawn(p.training for p in populations(results))
    return listed(["seeds", *(name for name in varied if name != DRAWN["learning_rate"])])


def training(
    results: StudyResults,
    question: str = "When during training does learning to learn appear?",
    matched: bool = False,
    slug: str = "training",
) -> Figure | Absent:
    """Training curves: reward per trial against episodes trained, a row per task, a column per core.

    ``matched``: of the cores of equal parameter count in place of those of equal hidden size.
    """
    curve = results.training
    found = set(curve["source"]) if len(curve) else set()
    sources = {
        (s.task, s.agent): s
        for s in results.sources
        if s.name in results.names("network", matched=matched) and s.name in found
    }
    if not sources:
        return Absent(question, results.why_absent("training"))
    cores, tasks = (
        list(dict.fromkeys(a for _, a in sources)),
        [t for t in results.plan.tasks if t in {t for t, _ in sources}],
    )
    evaluation = own_task(results, matched)
    end = float(curve["episodes_trained"].max())
    rows, drawn, trained = [], 0, set()
    for task in tasks:
        own = evaluation[evaluation["task"] == task]
        ends = [float(own[c].iloc[0]) for c in ("chance_regret", "optimum_regret")] if len(own) else []
        bounds = reward_bounds(task, *ends, best_per_trial(task, own)) if ends else None
        top = (bounds[1] if bounds else float(curve["reward_per_trial"].max())) + 0.05
        graded = top > 1.1  # outcomes that are no probabilities have a scale of their own
        floor = bounds[0] - 0.1 if graded and bounds else 0.0 if graded else 0.44
        ticks = {"tickCount": 5} if graded else {"values": [v for v in (0.5, 0.6, 0.7, 0.8, 0.9) if v <= top]}
        row = []
        for core in cores:
            last, first = task == tasks[-1], core == cores[0]
            x = alt.X(
                "episodes:Q",
                title="training episodes" if last else None,
                scale=alt.Scale(domain=[0, end], nice=False),
                axis=alt.Axis(tickCount=3, format="~s", labelFlush=True, grid=False, labels=last),
            )
            y = alt.Y(
                "reward:Q",
                title="reward per trial" if first else None,
                scale=alt.Scale(domain=[floor, top], nice=False, clamp=True),
                axis=alt.Axis(
                    **ticks,
                    format=".1f",
                    labels=first,
                    minExtent=30 if first else 0,
                ),
            )
            rules = pd.DataFrame({"reward": bounds or ([] if graded else [0.5])})
            layers = [alt.Chart(data(rules)).mark_rule(strokeDash=[4, 3], color=FAINT, strokeWidth=1).encode(y=y)]
            if (task, core) in sources:
                lines, of = _lines(results, curve, evaluation, sources[task, core].name)
                trained, drawn = trained | {of}, max(drawn, lines["subject"].nunique())
                part = alt.Chart(data(lines)).encode(x=x, y=y, detail="subject:N")
                mark = {"color": results.colour(sources[task, core].name)}
                layers.append(part.transform_filter("!datum.best").mark_line(opacity=0.3, strokeWidth=0.8, **mark))
                layers.append(part.transform_filter("datum.best").mark_line(opacity=0.95, strokeWidth=1.4, **mark))
            head = core_label(results, core) if len(tasks) == 1 else f"{task_label(task)} · {core_label(results, core)}"
            title = alt.TitleParams(head, fontSize=11.5, offset=5)
            row.append(
                alt.layer(*layers).properties(
                    width=panel_width(len(cores), 54, 8), height=96 if len(tasks) > 1 else 160, title=title
                )
            )
        rows.append(row)
    steps = "a trial of several steps counts once; " if any(TASKS[t].steps > 1 for t in tasks if t in TASKS) else ""
    caption = (
        f"Reward per trial in training ({steps}mean since the last point; actions are sampled, each network has its "
        "own episodes) against the number of episodes trained. Bold: the best "
        f"{results.plan.best} by the ranking episodes; faint: other settings; n = {span(trained)} networks per "
        "panel, of "
        f"which at most {drawn} are drawn. Dashed: chance and the exact optimum. Every line is one "
        "network, no interval. Look for the step from chance to the optimum, and for how many settings take it. "
        + unequal(results, matched)
    )
    return Figure(slug, question, svg(stack(rows), slug, question), caption)


def _lines(
    results: StudyResults, curve: pd.DataFrame, evaluation: pd.DataFrame, source: str
) -> tuple[pd.DataFrame, int]:
    """Curves of one population, thinned to some agents (the best first) and points; number of agents trained."""
    own = curve[curve["source"] == source].rename(
        columns={"episodes_trained": "episodes", "reward_per_trial": "reward"}
    )
    own = own.dropna(subset=["reward"]).sort_values(["subject", "episodes"])
    best = evaluation.loc[(evaluation["source"] == source) & evaluation["best"].astype(bool), "subject"]
    subjects = sorted(own["subject"].unique(), key=lambda s: (s not in set(best), s))
    own = own[own["subject"].isin(subjects[:SHOWN])]
    step = max(1, int(np.ceil(own.groupby("subject").size().max() / POINTS)))
    own = own.assign(group=own.groupby("subject").cumcount() // step)
    own = own.groupby(["subject", "group"], as_index=False)[["episodes", "reward"]].mean().round(4)
    return own.assign(best=own["subject"].isin(best))[["subject", "episodes", "reward", "best"]], len(subjects)
