"""Sections of the page on the restless bandit: regret against both exact filters, and learning rate by volatility."""

import pandas as pd
from markupsafe import Markup, escape

from pipeline.behaviour.volatility import INNER, VOLATILITY
from pipeline.comparison.claim_statistics import NotRun, regret_over
from pipeline.report import figures_bandits, figures_models, figures_training, sections_models
from pipeline.report import figures_restless as figures
from pipeline.report.blocks import Absent, Block, Cell, Figure, Note, Row, Table
from pipeline.report.figures_restless import KNOWING, OPTIMAL
from pipeline.report.load import StudyResults
from pipeline.report.sections_bandits import summary as ratios
from pipeline.report.selection import selection, unequal
from pipeline.report.statistics import measured, own_task, regret_table
from pipeline.report.style import count, interval, listed, missing, number, significant, task_title

SHOWN = (
    "alpha_slope",
    "alpha_r_squared",
    "middle_minus_low",
    "high_minus_middle",
    "heldout_slope",
    "heldout_r_squared",
)
PRINTED = {  # Wang et al. 2017, experiment 4: value and p
    "alpha_slope": ("> 0", "1e−61"),
    "alpha_r_squared": (".24", "1e−61"),
    "middle_minus_low": ("> 0", "1e−24"),
    "high_minus_middle": ("> 0", "1e−12"),
    "heldout_slope": ("> 0", "1e−4"),
    "heldout_r_squared": (".05", "1e−4"),
}


def answer(results: StudyResults) -> str:
    """One sentence: regret over the inferring filter's, and R² of the learning rate beside the ideal observer's."""
    table = regret_table(results)
    networks = table[table["source"].isin(results.names("network"))]
    if networks.empty:
        return "Not answered: no network has been evaluated."
    parts = [f"{number(r.ratio, 2)} for {results.label(r.source)}" for r in networks.itertuples()]
    said = f"In units of the exact filter that infers the volatility, the best networks' regret is {listed(parts)}"
    shares = [
        f"{number(share, 2)} for {results.label(s)}"
        for s in (*results.names("network"), OPTIMAL)
        if not missing(share := _value(results, s, "alpha_r_squared"))
    ]
    learned = f"; volatility explains R² of their episodes' learning rates: {listed(shares)}" if shares else ""
    return f"{said}{learned}."


def picture(results: StudyResults) -> Figure | Absent:
    """Learning rate against volatility: the page's main figure."""
    return figures.learning_rate(results)


def summary(results: StudyResults) -> list[Block]:
    """Ratio to the exact optimum by source."""
    return ratios(results)


def regret(results: StudyResults) -> list[Block]:
    """Figure of regret, and every source against both exact filters."""
    return [figures_bandits.regret(results), *filters(results), figures_bandits.suboptimal(results)]


def filters(results: StudyResults) -> list[Block]:
    """Regret of every source over that of the filter that infers ν and of the one that knows it, same episodes."""
    table, frame = regret_table(results), own_task(results)
    if table.empty:
        return []
    rows = []
    for task in dict.fromkeys(table["task"]):
        rows.append(Row([Cell(task_title(task), span=5)], heading=True))
        for r in table[table["task"] == task].itertuples():
            ours = measured(results, r.source, frame)
            cells = [_over(ours, task, reference, r.source) for reference in (OPTIMAL, KNOWING)]
            regret_cell = Cell(number(r.mean, 2), interval(r.low, r.high, 2))
            n = f"{count(r.n)} of {count(r.settings)}" if r.kind == "network" else "–"
            rows.append(Row([Cell(results.label(r.source)), regret_cell, *cells, Cell(n)], results.colour(r.source)))
    caption = (
        "Expected regret per episode of 150 trials (reward; regret counts max(p, 1 − p) of each trial), and its ratio "
        "to that of two exact filters of the walk on the same test episodes: one infers the volatility of the episode "
        "from its outcomes, as a network must; the other is told it, which no other learner is. Brackets: 95 % "
        f"intervals, of networks over the best agents. {selection(results)}"
    )
    columns = ("Source", "Regret", "÷ filter that infers ν", "÷ filter that knows ν", "n best")
    title = "Regret against both exact filters"
    return [Table("filters", title, columns, rows, caption, frozenset(range(1, 5)), True, True)]


def _over(ours, task: str, reference: str, source: str) -> Cell:
    if source == reference:
        return Cell("1")
    try:
        found = regret_over(ours, test=task, reference=reference)
    except NotRun:
        return Cell("–")
    return Cell(number(found.value, 2), interval(found.low, found.high, 2))


def learning_rate(results: StudyResults) -> list[Block]:
    """Figure, and the regression and tests in numbers, with and without fits at a bound."""
    blocks: list[Block] = [figures.learning_rate(results)]
    if results.volatility.empty:
        return [*blocks, Absent("Learning rate against volatility", results.why_absent("volatility"))]
    without = results.volatility[results.volatility["statistic"] == "not_run"]
    if len(without):
        why = "; ".join(f"{results.label(r.source)}: {r.note}" for r in without.itertuples())
        blocks.append(Note(Markup("<p>Not analysed: {}.</p>").format(escape(why))))
    blocks.append(_table(results, ""))
    blocks.append(_table(results, INNER))
    return blocks


def _table(results: StudyResults, suffix: str) -> Table:
    """Slope, R² and the tests of the held-out third: printed, and of every source."""
    own = results.volatility
    rows = []
    if not suffix:
        cells = [Cell(value, f"p = {p}") for value, p in (PRINTED[s] for s in SHOWN)]
        rows.append(Row([Cell("Printed: LSTM"), *cells, Cell("1,000", "derived")], css="quiet"))
    names = [s for s in (*results.names("network", None), *results.names("learner")) if s in set(own["source"])]
    tasks = [t for t in results.plan.tasks if t in set(own["task"])]
    for task in tasks:
        if len(tasks) > 1:
            rows.append(Row([Cell(task_title(task), span=len(SHOWN) + 2)], heading=True))
        for name in names:
            part = own[(own["source"] == name) & (own["task"] == task)]
            mean = part[part["subject"] == "all"].set_index("statistic")
            single = part[part["subject"] != "all"]
            cells = [_statistic(mean, single, f"{s}{suffix}") for s in SHOWN]
            if all(cell.text == "–" for cell in cells):
                continue
            row = mean.loc[f"alpha_slope{suffix}"]
            n = Cell(count(row["n_episodes"]), f"{count(row['n_subjects'])} agents" if row["n_subjects"] > 1 else "")
            rows.append(Row([Cell(results.label(name)), *cells, n], results.colour(name)))
    equations = "; ".join(f"{VOLATILITY[s].title}: {VOLATILITY[s].equation}" for s in SHOWN)
    caption = (
        f"{equations}. Differences are in learning rates, slopes per unit of ν. Of several networks: the mean over "
        "them with its 95 % interval (spread over networks, and the episodes that they share), and "
        "the largest p of the single networks, each over its own "
        "episodes (the printed tests are of that kind: within one network, over episodes); of a learner: interval and "
        "p over its episodes. "
        "The paper prints no number of episodes: 1,000 is derived from its p values. "
    )
    if suffix:
        caption += "Episodes with a fit at a bound or with one choice throughout are left out here. "
    else:
        caption += f"Fits at a bound are kept; the next table leaves them out. {figures.flagged(results)} "
    caption += (
        "The exact filters' rows are the yardstick: with no learning rate of their own, they show how large each "
        "number is for an observer that cannot be improved; in the held-out third judge the sign, not the size. "
        + unequal(results)
    )
    columns = ("Source", *(VOLATILITY[s].title for s in SHOWN), "Episodes")
    title = "Does volatility set the learning rate?" if not suffix else "The same without fits at a bound"
    slug = "volatility" if not suffix else "volatility-inner"
    return Table(slug, title, columns, rows, caption, frozenset(range(1, len(SHOWN) + 2)), True, False, bool(suffix))


def _statistic(mean: pd.DataFrame, single: pd.DataFrame, statistic: str) -> Cell:
    if statistic not in mean.index or missing(mean.loc[statistic, "value"]):
        return Cell("–")
    row = mean.loc[statistic]
    found = pd.to_numeric(single.loc[single["statistic"] == statistic, "p_value"], errors="coerce").dropna()
    p = "" if found.empty else f"p {'≤' if len(found) > 1 else '='} {_p(found.max())}"
    return Cell(number(row["value"], 3), f"{interval(row['low'], row['high'], 3)}\n{p}".strip())


def _p(value: float) -> str:
    """Write a p value: two digits, or a power of ten."""
    value = float(value)
    if value == 0:
        return "0"
    return significant(value, 2) if value >= 1e-3 else f"{value:.0e}".replace("e-0", "e-").replace("e-", "e−")


def _value(results: StudyResults, source: str, statistic: str):
    own = results.volatility
    if own.empty:
        return None
    keep = (own["source"] == source) & (own["subject"] == "all") & (own["statistic"] == statistic)
    return None if not keep.any() else float(own.loc[keep, "value"].iloc[0])


def slope(results: StudyResults) -> list[Block]:
    """Hierarchical model: posterior of the slope a1 and the other parameters, and its predictive check."""
    if not results.plan.models:
        return [Absent("Hierarchical model", "No model is fitted in this study.")]
    if results.posterior.empty and results.badges.empty:
        return [figures_models.posteriors(results, m) for m in results.plan.models]
    return [*sections_models.posteriors(results), *sections_models.predictive(results)]


def settings(results: StudyResults) -> list[Block]:
    """Regret against learning rate, where the search varies it."""
    frame = own_task(results)
    rates = frame.loc[frame["source"].isin(results.names("network")), "learning_rate"].dropna().astype(float)
    if len(rates) and rates.min() == rates.max():
        text = f"All networks were trained with the learning rate {rates.iloc[0]:g}; settings differ in their seed."
        return [Note(Markup("<p>{}</p>").format(escape(text)))]
    return [figures_training.settings(results)]


def training(results: StudyResults) -> list[Block]:
    """Training curves."""
    return [figures_training.training(results)]


def ablation(results: StudyResults) -> list[Block]:
    """Reward input withheld."""
    if not results.names("network", True):
        text = "No network of this run was trained without its reward input."
        return [Note(Markup("<p>{}</p>").format(escape(text)))]
    return [figures_bandits.ablation(results)]
