"""Sections of the page on two-armed bandits."""

from markupsafe import Markup, escape

from pipeline.report import figures_bandits as figures
from pipeline.report import figures_training
from pipeline.report.blocks import Absent, Block, Cell, Figure, Note, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.sections_limits import all_settings
from pipeline.report.selection import selection
from pipeline.report.statistics import LEARNED, reflex, regret_table, simulated_optimum
from pipeline.report.style import count, interval, listed, number, task_label, task_title

CLOSE = 1.25  # times the optimum: what the tables mark as close


def answer(results: StudyResults) -> str:
    """One sentence: the best networks' ratios to the optimum, and the ablation."""
    table = regret_table(results)
    networks = table[table["source"].isin(results.names("network"))]
    if networks.empty:
        return "Not answered: no network has been evaluated."
    parts = []
    for core in dict.fromkeys(results.source(s).agent for s in networks["source"]):
        own = networks[[results.source(s).agent == core for s in networks["source"]]]
        parts.append(f"{_range(own['ratio'])} for {results.label(own['source'].iloc[0])}")
    tasks = [task_label(t) for t in results.plan.tasks if t in set(networks["task"])]
    thompson = table[(table["source"] == "thompson") & table["task"].isin(networks["task"])]
    against = f"; Thompson sampling gives {_range(thompson['ratio'])}" if len(thompson) else ""
    return f"On {listed(tasks)} the best networks' regret is, in units of the exact optimum, {listed(parts)}{against}."


def _range(values) -> str:
    low, high = number(values.min(), 2), number(values.max(), 2)
    return low if low == high else f"{low}–{high}"


def picture(results: StudyResults) -> Figure | Absent:
    """Regret by source: the page's main figure."""
    return figures.regret(results)


def summary(results: StudyResults) -> list[Block]:
    """Ratio to the exact optimum, source by distribution."""
    table = regret_table(results)
    if table.empty:
        return [Absent("Regret", results.why_absent("evaluation"))]
    tasks = [t for t in results.plan.tasks if t in set(table["task"])]
    rows = [
        Row(
            [Cell("Exact optimum: regret (reward)"), *(Cell(number(_first(table, t, "optimum"))) for t in tasks)],
            css="quiet",
        ),
        Row(
            [Cell("Chance: regret (reward)"), *(Cell(number(_first(table, t, "chance"), 2)) for t in tasks)],
            css="quiet",
        ),
    ]
    groups: dict[str, list[str]] = {}
    for source in results.sources:
        if source.reward_input and source.kind != "primate" and not source.matched:
            groups.setdefault(results.label(source.name), []).append(source.name)
    for label, names in groups.items():
        cells = [Cell(label)]
        for task in tasks:
            own = table[(table["task"] == task) & table["source"].isin(names)]
            if own.empty:
                cells.append(Cell("–"))
                continue
            r = own.iloc[0]
            css = "close" if r["kind"] == "network" and r["ratio"] <= CLOSE else ""
            small = interval(r["ratio_low"], r["ratio_high"], 2)
            if r["kind"] == "network":
                small += f"\n{count(r['learned'])} of {count(r['settings'])} learned"
            cells.append(Cell(f"{number(r['ratio'], 2)} ×", small.strip(), css))
        if len(cells) > 1 and any(c.text != "–" for c in cells[1:]):
            rows.append(Row(cells, results.colour(names[0])))
    caption = (
        "Regret as a multiple of the exact optimum of each distribution (1 is optimal, no unit). Networks: mean of the "
        "best settings with its 95 % interval over agents and the test episodes that they share, and how many of all "
        f"settings learned (their regret on the ranking episodes has gone {LEARNED} % of the way from chance to the "
        f"optimum{reflex(results)}); learners: 95 % interval over the test episodes. "
        f"{selection(results)} {simulated_optimum(results)} "
        f"Shaded: within {CLOSE} × the optimum."
    )
    title = "Regret ÷ exact optimum, by training and test distribution"
    return [
        Table(
            "ratios",
            title,
            ("Source", *(task_label(t) for t in tasks)),
            rows,
            caption,
            frozenset(range(1, len(tasks) + 1)),
        )
    ]


def regret(results: StudyResults) -> list[Block]:
    """Figure and full table."""
    return [figures.regret(results), *regret_full(results)]


def regret_full(results: StudyResults) -> list[Block]:
    """Every number behind the regret figure, grouped by distribution."""
    table = regret_table(results)
    if table.empty:
        return []
    rows = []
    for task in dict.fromkeys(table["task"]):
        own = table[table["task"] == task]
        first = own.iloc[0]
        rows.append(
            Row(
                [
                    Cell(
                        f"{task_title(task)}: optimum {number(first['optimum'])}, chance {number(first['chance'], 2)}",
                        span=8,
                    )
                ],
                heading=True,
            )
        )
        for r in own.itertuples():
            network = r.kind == "network"
            rows.append(
                Row(
                    [
                        Cell(results.label(r.source)),
                        Cell(number(r.mean), interval(r.low, r.high)),
                        Cell(number(r.ratio, 2)),
                        Cell(number(r.same, 2)),
                        Cell(f"{r.learned} / {r.settings}" if network else "–"),
                        Cell(number(r.median) if network else "–"),
                        Cell(count(r.n) if network else "–"),
                        Cell(count(r.episodes)),
                    ],
                    results.colour(r.source),
                )
            )
    caption = (
        "Expected cumulative regret per episode (unit: reward). Networks: mean of the best settings by the ranking "
        "episodes, on other test episodes; 95 % interval over those agents and the test episodes that they share; "
        "learners: over the same test episodes. ÷ exact optimum: over the expectation computed for the task's prior; "
        "÷ optimum on these episodes: over the exact Bayes-optimal learner's regret on the same test episodes "
        "(–: it did "
        "not run), which removes the luck of the draw of episodes. Learned: settings whose regret has gone "
        f"{LEARNED} % "
        "of the way from chance to the optimum, on the ranking episodes. Median: of all settings. "
        + " ".join(filter(None, (selection(results), simulated_optimum(results))))
    )
    columns = (
        "Source",
        "Regret [95 % interval]",
        "÷ exact optimum",
        "÷ optimum on these episodes",
        "Learned",
        "Median, all settings",
        "n best",
        "Test episodes",
    )
    return [Table("regret-full", "Regret in full", columns, rows, caption, frozenset(range(1, 8)), True, True)]


def exploration(results: StudyResults) -> list[Block]:
    """Suboptimal choices by trial."""
    return [figures.suboptimal(results)]


def settings(results: StudyResults) -> list[Block]:
    """Regret against learning rate; how many settings learned or were stopped, and their spread."""
    return [figures_training.settings(results), *all_settings(results)]


def training(results: StudyResults) -> list[Block]:
    """Training curves."""
    return [figures_training.training(results)]


def ablation(results: StudyResults) -> list[Block]:
    """Reward input withheld."""
    if not results.names("network", True):
        return [
            Note(Markup("<p>{}</p>").format(escape("No network of this run was trained without its reward input.")))
        ]
    return [figures.ablation(results)]


def _first(table, task: str, column: str) -> float:
    return float(table.loc[table["task"] == task, column].iloc[0])
