"""Sections of what was aimed at, what was reached, and what keeps networks from the optimum."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipeline.report import figures_limits as figures
from pipeline.report.blocks import Absent, Block, Cell, Note, Row, Table
from pipeline.report.limits import DRAWN, EARLY, limits
from pipeline.report.load import StudyResults
from pipeline.report.methods_training import effective
from pipeline.report.selection import unequal
from pipeline.report.statistics import LEARNED, own_task, regret_table
from pipeline.report.style import count, interval, missing, number, significant, span, task_label

BADGES = {"reached": "agrees", "undecided": "undecided", "missed": "deviates"}
SYMBOLS = {"learning_rate": "learning rate", "discount": "γ", "entropy_cost": "β_e"}


def goals(results: StudyResults) -> list[Block]:
    """Goals and what was reached, why where it was not, and the figures behind it."""
    table = limits(results)
    if table.empty:
        return [Absent("Goals", results.why_absent("evaluation"))]
    return [
        *goal_table(results, table),
        *reasons(results, table),
        figures.excess(results),
        figures.hyperparameters(results),
    ]


def goal_table(results: StudyResults, table: pd.DataFrame) -> list[Block]:
    """Every goal beside the evidence."""
    rows = []
    for core in dict.fromkeys(table["core"]):
        rows.append(
            Row([Cell(results.label(table.loc[table["core"] == core, "source"].iloc[0]), span=8)], heading=True)
        )
        for r in table[table["core"] == core].itertuples():
            rows.append(
                Row(
                    [
                        Cell(task_label(r.task)),
                        Cell(f"{number(r.goal, 2)} ×"),
                        Cell(f"{number(r.ratio, 2)} ×", interval(r.ratio_low, r.ratio_high, 2)),
                        Cell(r.verdict, badge=BADGES[r.verdict]),
                        Cell(f"{number(r.single, 2)} ×", f"± {number(1.96 * r.single_se, 2)}"),
                        Cell("–" if missing(r.early) else f"{number(100 * r.early, 0)} % of {number(r.excess, 2)}"),
                        Cell(f"{number(r.late_errors)}", f"optimum {number(r.late_errors_optimum)}"),
                        Cell(*_correlation(r)),
                    ],
                    results.colour(r.source),
                )
            )
    tests = int(table[[f"p_{name}" for name in DRAWN]].notna().sum().sum())
    caption = (
        "Goal and regret of the best networks in units of the exact optimum [95 % interval over networks and test "
        "episodes]. Reached: the whole interval lies within the goal; missed: beyond it; undecided: the goal lies in "
        "the "
        "interval. Best single: the setting that ranked first on the ranking episodes, on the test episodes, ± 1.96 "
        "standard errors over them. Early: how much of the regret above the Bayes-optimal learner's (rewards per "
        "episode, "
        f"same episodes) arises in the first {number(100 * EARLY, 0)} % of the episode; late errors: P(suboptimal "
        "choice) in "
        f"the last {number(100 * EARLY, 0)} %. Correlation: Spearman's ρ, over the settings that learned, of regret "
        "with the "
        "hyperparameter that it goes with most (negative: more of it, less regret), with its p value after "
        f"Holm's correction for all {tests} correlations tried (goals × hyperparameters that were drawn). It is an "
        f"association among settings that differ in all of them at once, not an effect. {unequal(results)}"
    )
    columns = ("Tested on", "Goal", "Regret ÷ optimum", "Goal is", "Best single", "Early", "Late errors", "Goes with")
    title = "Goals, what was reached, and when in the episode the rest is lost"
    return [Table("goals", title, columns, rows, caption, frozenset((1, 2, 4, 5, 6)), True)]


def _strongest(r) -> str:
    """Hyperparameter with the smallest p value; empty where none was correlated."""
    known = [name for name in DRAWN if not missing(getattr(r, f"p_{name}"))]
    return min(known, key=lambda name: getattr(r, f"p_{name}")) if known else ""


def _correlation(r) -> tuple[str, str]:
    name = _strongest(r)
    if not name:
        return "–", f"{r.learned} of {r.settings} learned"
    rho, p = getattr(r, f"rho_{name}"), getattr(r, f"holm_{name}")
    return f"{SYMBOLS[name]}: ρ = {number(rho, 2)}", f"Holm p = {significant(p, 2)}, {r.learned} learned"


def reasons(results: StudyResults, table: pd.DataFrame) -> list[Block]:
    """Say of each goal that our mean does not meet what limits it, from the numbers."""
    above, reached = table[table["ratio"] > table["goal"]], int((table["verdict"] == "reached").sum())
    close = len(table) - len(above) - reached
    lead = f"{reached} of {len(table)} goals are reached with their whole interval"
    lead += f", {close} more by the mean alone." if close else "."
    if above.empty:
        return [Note(Markup("<p>{}</p>").format(lead))]
    items = Markup("").join(Markup("<li>{}</li>").format(reason(results, r)) for r in above.itertuples())
    return [Note(Markup("<p>{} What limits the others:</p><ul>{}</ul>").format(lead, items))]


def reason(results: StudyResults, r) -> str:
    """Say what limits one goal that our mean does not meet, in a few sentences."""
    name = f"{results.label(r.source)} on {task_label(r.task)}"
    said = [f"{name}: {number(r.ratio, 2)} × against {number(r.goal, 2)} × ({r.verdict})."]
    if r.single <= r.goal:
        said.append(
            f"The setting that ranked first reaches {number(r.single, 2)} ×: the goal is within reach of core and "
            "training, "
            "and what misses it is the spread between the best settings and seeds."
        )
    else:
        said.append(f"The setting that ranked first does not reach it either ({number(r.single, 2)} ×).")
    if not missing(r.early):
        share = f"{number(100 * r.early, 0)} %"
        errors = f"{number(r.late_errors)} against the optimum's {number(r.late_errors_optimum)}"
        first = f"the first {number(100 * EARLY, 0)} % of the trials"
        if r.early >= 0.5:
            said.append(f"{share} of the excess arises in {first}: early inference and exploration.")
        else:
            part = f"Only {share}" if r.early > 0 else "None"
            said.append(f"{part} of the excess arises in {first}; P(suboptimal choice) in the last is {errors}.")
    strongest = _strongest(r)
    if strongest and getattr(r, f"holm_{strongest}") < 0.05:
        rho, p = getattr(r, f"rho_{strongest}"), getattr(r, f"holm_{strongest}")
        less = "lower" if rho < 0 else "higher"
        said.append(
            f"Among the {r.learned} settings that learned, {less} regret is associated with larger "
            f"{SYMBOLS[strongest]} (ρ = {number(rho, 2)}, Holm p = {significant(p, 2)})."
        )
    elif not strongest:
        said.append(f"Too few settings learned ({r.learned} of {r.settings}) to see what regret goes with.")
    else:
        said.append(
            f"Among the {r.learned} settings that learned, regret is associated with no hyperparameter "
            "at p < .05 after Holm's correction."
        )
    if r.task == "di":
        said.append(_discounting(results))
    return " ".join(filter(None, said))


def _discounting(results: StudyResults) -> str:
    """Say what discounting alone costs on independent arms: the Gittins index of the networks' largest discount."""
    table = regret_table(results)
    own = table[(table["source"] == "gittins90") & (table["task"] == "di")]
    top = max((t.discount[1] for found in effective(results).values() for t in found), default=1)
    if own.empty or top > 0.9:
        return ""
    return (
        "On these arms exploration pays late: the Gittins index of γ = .9, below which all discounts were drawn, gives "
        f"{number(own['ratio'].iloc[0], 2)} ×."
    )


def all_settings(results: StudyResults) -> list[Block]:
    """How many settings learned, how many were stopped at chance, and how far seeds and settings spread."""
    table, frame = regret_table(results, None), own_task(results, None)
    networks = table[table["kind"] == "network"]
    if networks.empty:
        return []
    stopped = _stopped(results)
    rows = []
    for core in dict.fromkeys(results.source(s).agent for s in networks["source"]):
        names = [s for s in networks["source"] if results.source(s).agent == core]
        rows.append(
            Row(
                [Cell(results.label(names[0]) if results.source(names[0]).reward_input else core, span=6)], heading=True
            )
        )
        for name in names:
            own = frame[frame["source"] == name]
            ratio = (own["test_regret"] / own["optimum_regret"]).astype(float)
            learned = ratio[own["learned"].astype(bool)]
            source = results.source(name)
            rows.append(
                Row(
                    [
                        Cell(task_label(source.task) + ("" if source.reward_input else ", no reward input")),
                        Cell(f"{len(learned)} / {len(own)}"),
                        Cell(count(stopped.get(name, np.nan))),
                        Cell(*_quartiles(ratio)),
                        Cell(*_quartiles(learned)),
                        Cell(span(learned, lambda v: number(v, 2))),
                    ],
                    results.colour(name),
                )
            )
    halted = sum(v for v in stopped.values())
    asked = {t.stop_at_chance for found in effective(results).values() for t in found}
    rule = (
        "How many were stopped at chance is not known: " + results.why_absent("agents")
        if not stopped
        else f"Settings whose reward was still at chance after a third of the training were stopped there: {halted} "
        "in all; they "
        "count as not learned and keep the weights that they had."
        if True in asked
        else "Every setting was trained to the end, none was stopped at chance."
    )
    caption = (
        f"Learned: settings whose regret on the ranking episodes has gone {LEARNED} % of the way from chance to the "
        "optimum. "
        f"{rule} Median and quartiles of regret ÷ optimum, over all settings and over those that learned; each "
        "setting has a "
        "seed of its own, so that the spread is that of seeds and hyperparameters together. Range: of those that "
        "learned. " + unequal(results, None)
    )
    columns = ("Trained on", "Learned", "Stopped at chance", "All: median", "Learned: median", "Learned: range")
    title = "Every setting: how many learned, and their spread"
    return [Table("all-settings", title, columns, rows, caption, frozenset(range(1, 6)), True, True)]


def _quartiles(values: pd.Series) -> tuple[str, str]:
    if values.empty:
        return "–", ""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return number(middle, 2), interval(low, high, 2)


def _stopped(results: StudyResults) -> dict[str, int]:
    """Count the settings stopped at chance, by source; without the tables of the training nothing is known."""
    own = results.agents
    if own.empty:
        return {}
    return pd.to_numeric(own["stopped"]).fillna(0).groupby(own["source"]).sum().astype(int).to_dict()
