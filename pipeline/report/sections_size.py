"""Section on size: cores at equal parameter count beside cores at equal hidden size."""

from pipeline.report import figures_size as figures
from pipeline.report import figures_training
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.selection import unequal
from pipeline.report.style import count, interval, number, task_title


def size(results: StudyResults) -> list[Block]:
    """Figure, every number, and the learning curves of the matched cores."""
    figure = figures.size(results)
    if isinstance(figure, Absent):
        return [figure]
    question = "How do the cores of equal parameter count learn?"
    return [figure, table(results), figures_training.training(results, question, matched=True, slug="training-matched")]


def table(results: StudyResults) -> Table:
    """Sizes and regrets of all cores, grouped by distribution."""
    found, rows = figures.compared(results), []
    for task in (t for t in results.plan.tasks if t in set(found["task"])):
        rows.append(Row([Cell(task_title(task), span=7)], heading=True))
        for r in found[found["task"] == task].itertuples():
            how = " and ".join(word for word, holds in (("units", r.equal_units), ("parameters", r.matched)) if holds)
            rows.append(
                Row(
                    [
                        Cell(r.row.split(",")[0], f"equal {how}"),
                        Cell(count(r.units)),
                        Cell(count(r.parameters)),
                        Cell(number(r.mean), interval(r.low, r.high)),
                        Cell(f"{number(r.ratio, 2)} ×", interval(r.ratio_low, r.ratio_high, 2)),
                        Cell(f"{r.learned} / {r.settings}"),
                        Cell(number(r.median)),
                    ],
                    results.colour(r.source),
                )
            )
    caption = (
        "Parameters: all that is trained, policy and value heads included. Regret per episode (reward) of the best "
        "networks "
        "by the ranking episodes, with its 95 % interval over networks and test episodes, and the same ÷ the exact "
        "optimum. "
        "Learned: of all settings. Median: of all settings. The best of more settings are selected more sharply. "
        + unequal(results, None)
    )
    columns = (
        "Core",
        "Units",
        "Parameters",
        "Regret [95 % interval]",
        "÷ exact optimum",
        "Learned",
        "Median, all settings",
    )
    title = "Equal hidden size and equal number of parameters"
    return Table("size-table", title, columns, rows, caption, frozenset(range(1, 7)), True)
