"""Sections of the page on the two-step task."""

import pandas as pd

from pipeline.behaviour import REGRESSIONS
from pipeline.behaviour.two_step import RATIO
from pipeline.report import figures_bandits, figures_training
from pipeline.report import figures_two_step as figures
from pipeline.report import sections_bandits as bandits
from pipeline.report.blocks import Absent, Block, Cell, Figure, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.statistics import own_task, regret_table
from pipeline.report.style import count, interval, number, plural, span
from pipeline.tasks import TASKS

TERMS = {"reward": "Reward", "transition": "Transition", "reward:transition": "Reward × transition"}


def answer(results: StudyResults) -> str:
    """One sentence: regret, and the reward effect relative to the interaction, networks beside TD(1)."""
    table = regret_table(results)
    networks = table[table["source"].isin(results.names("network"))]
    if networks.empty:
        return "Not answered: no network has been evaluated."
    said = f"The best networks' regret is {span(networks['ratio'], lambda v: number(v, 2))} × the exact optimum"
    own = figures.rows_of(results, "stay_difference")
    own = own[(own["term"] == RATIO) & (own["subject"] == "all")] if len(own) else own
    ours = own.loc[own["source"].isin(results.names("network")), "estimate"].dropna() if len(own) else own
    if len(ours):
        low, high = (number(v, 2) for v in (ours.min(), ours.max()))
        said += (
            "; the effect of reward itself on staying, relative to reward × transition (stay probabilities), is "
            + (low if low == high else f"{low} to {high}")
        )
        beside = {"model_free": "a model-free learner, TD(1)", "bayes_optimal": "the exact filter"}
        parts = [
            f"{number(value.iloc[0], 2)} for {name}"
            for source, name in beside.items()
            if len(value := own.loc[own["source"] == source, "estimate"].dropna())
        ]
        said += f", against {' and '.join(parts)}" if parts else ""
    return said + "."


def picture(results: StudyResults) -> Figure | Absent:
    """Stay probabilities."""
    return figures.stay(results)


def summary(results: StudyResults) -> list[Block]:
    """Regret, reward and the relative reward effect, side by side."""
    table = regret_table(results)
    if table.empty:
        return [Absent("Summary", results.why_absent("evaluation"))]
    rewards = own_task(results)
    chosen = rewards[rewards["best"].astype(bool) | ~rewards["source"].isin(results.names("network"))]
    reward = pd.to_numeric(chosen["test_reward"]).groupby(chosen["source"]).mean()
    ratios = {name: figures.rows_of(results, name) for name in figures.SCALES}
    rows = []
    for source in figures.sources(results, table):
        r = table[table["source"] == source].iloc[0]
        network = r["kind"] == "network"
        cells = [
            Cell(results.label(source)),
            Cell(f"{number(r['ratio'], 2)} ×", interval(r["ratio_low"], r["ratio_high"], 2)),
            Cell(number(reward.get(source), 2)),
            *(_estimate(frame, source, RATIO) for frame in ratios.values()),
            Cell(f"{count(r['learned'])} of {count(r['settings'])}" if network else "–"),
            Cell(plural(int(r["n"]), "network") if network else "1 learner", f"{count(r['episodes'])} test episodes"),
        ]
        rows.append(Row(cells, results.colour(source)))
    first, task = table.iloc[0], TASKS[results.plan.tasks[0]]
    trials, top = task.trials, _best_reward(task)
    caption = (
        f"Regret as a multiple of the exact optimum, {number(first['optimum'])} of the {number(first['chance'], 1)} "
        f"rewards per episode of {trials} trials that random choice forgoes. Reward: mean per test episode; the "
        f"expectation is {number(top - first['optimum'], 2)} for the exact optimum, "
        f"{number(top - first['chance'], 2)} at chance and {number(top, 2)} for who knows the better action. Reward ÷ "
        "interaction: effect of reward on staying relative to reward × transition, in log odds and as probabilities "
        "(see below); 0 for a planner; –: no interaction to be relative to. Brackets: 95 % intervals. "
        "Networks: the best settings of each core. " + selection(results)
    )
    columns = ("Source", "Regret ÷ optimum", "Reward per episode", "Reward ÷ interaction, log odds",
               "Reward ÷ interaction, probabilities", "Settings that learned", "n")  # fmt: skip
    return [Table("summary-table", "Two-step task, side by side", columns, rows, caption, frozenset(range(1, 7)))]


def _best_reward(task) -> float:
    """Return the expected reward of an episode of always the better action."""
    common, (high, low) = task.settings["common"], task.settings["pays"]
    return task.trials * (common * high + (1 - common) * low)


def _estimate(frame: pd.DataFrame, source: str, term: str, subject: str = "all") -> Cell:
    own = (
        frame[(frame["source"] == source) & (frame["term"] == term) & (frame["subject"] == subject)]
        if len(frame)
        else frame
    )
    if own.empty or own["estimate"].isna().all():
        return Cell("–")
    row = own.iloc[0]
    return Cell(number(row["estimate"], 2), interval(row["low"], row["high"], 2))


def stay(results: StudyResults) -> list[Block]:
    """Stay probabilities by outcome and transition."""
    return [figures.stay(results)]


def effects(results: StudyResults) -> list[Block]:
    """Relative reward effect, and the coefficients it is made of."""
    return [figures.ratio(results), *(_coefficients(results, name) for name in figures.SCALES)]


def _coefficients(results: StudyResults, regression: str) -> Table | Absent:
    """Coefficients of one stay regression, every source and every network."""
    own, declared = figures.rows_of(results, regression), REGRESSIONS[regression]
    shown = figures.sources(results, own)
    if not shown:
        return Absent(declared.title, results.why_absent("regressions"))
    rows = []
    for source in (*shown, *figures.sources(results, own, ablated=True)):
        part = own[own["source"] == source]
        single = sorted(part.loc[part["subject"] != "all", "subject"].unique())
        for subject in ("all", *(single if len(single) > 1 else ())):
            terms = part[part["subject"] == subject]
            if terms.empty:
                continue
            # One subject: the clusters of its own regression, which its row "all" rests on.
            first = (part[part["subject"] == single[0]] if len(single) == 1 else terms).iloc[0]
            cells = [
                Cell(results.label(source) if subject == "all" else subject),
                *(_estimate(terms, source, term, subject) for term in (*TERMS, RATIO)),
                Cell(count(first["n_trials"])),
                Cell(count(first["n_clusters"]), str(first["clusters"])),
                Cell("separated: penalised" if terms["separated"].astype(bool).any() else ""),
            ]
            rows.append(Row(cells, results.colour(source), css="" if subject == "all" else "member"))
    unit = "log odds" if declared.scale == "log odds" else "probability"
    caption = (
        f"{declared.equation} ({unit}). One regression per subject, errors clustered by episode; a source's row is "
        "the mean over its subjects, with an interval between subjects where there are at least eight, else within "
        "these subjects. Brackets: 95 % intervals; Clusters: what the interval rests on. Ratio: reward ÷ (reward × "
        "transition), of the mean coefficients, by the delta method; –: the interaction is within 2 standard errors "
        "of 0."
    )
    if unit == "log odds":
        caption += (
            " Separated: a stay probability of 0 or 1, as the exact filter has; the coefficient is then Firth's "
            "penalised one and grows with the number of trials."
        )
    columns = ("Source", *TERMS.values(), "Ratio", "Pairs of trials", "Clusters", "Remark")
    slug = regression.replace("_", "-") + "-table"
    return Table(
        slug, declared.title, columns, rows, caption, frozenset(range(1, 7)), True, True, unit == "probability"
    )


def lags(results: StudyResults) -> list[Block]:
    """Five-lag regression."""
    return [figures.lags(results)]


def regret(results: StudyResults) -> list[Block]:
    """Regret against the exact optimum, figure and full table."""
    return [figures_bandits.regret(results), *bandits.regret_full(results)]


def training(results: StudyResults) -> list[Block]:
    """Training curves."""
    return [figures_training.training(results, "When during training do networks learn the two-step task?")]


def ablation(results: StudyResults) -> list[Block]:
    """Reward input withheld: regret and stay probabilities."""
    found = bandits.ablation(results)
    return [*found, figures.stay(results, ablated=True)] if results.names("network", True) else found
