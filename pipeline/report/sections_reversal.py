"""Sections of the page on reversal learning."""

import pandas as pd

from pipeline.behaviour import REGRESSIONS, STATISTICS
from pipeline.primates import DATASETS
from pipeline.report import figures_behaviour, figures_training, figures_typicality
from pipeline.report.blocks import Absent, Block, Cell, Figure, Row, Table
from pipeline.report.load import DatasetStatus, StudyResults
from pipeline.report.sections_bandits import regret_full
from pipeline.report.selection import selection
from pipeline.report.statistics import crossing
from pipeline.report.style import animals, count, interval, listed, number, plural

SHOWN = ("win_stay", "lose_shift", "better_choice", "reward_rate", "regret")
FACTS = ("win_stay", "lose_shift", "better_choice", "reward_rate")  # of them, those among the kept facts


def answer(results: StudyResults) -> str:
    """Say how many trials after a reversal networks and animals need to cross one half."""
    own = results.curves
    own = own[(own["curve"] == "reversal") & (own["subject"] == "all")] if len(own) else own
    parts = []
    networks = [s for s in results.names("network") if len(own) and s in set(own["source"])]
    if networks:
        parts.append(listed(f"{results.label(s)} {_trials([crossing(own[own['source'] == s])])}" for s in networks))
    wild, stand_in = figures_behaviour.animal_curves(results, "reversal")
    if len(wild):
        values = [crossing(part) for _, part in wild.groupby("subject", sort=False)]
        parts.append(f"the {len(values)} animals {_trials(values)}" + (" (kept facts)" if stand_in else ""))
    if not parts:
        return "Not answered: neither networks nor animals have been analysed."
    lacking = "" if len(wild) or not results.names("primate") else " The animals are missing from this run."
    return (
        "Trials after the first reversed outcome until the newly better option is chosen more often than not: "
        f"{'; '.join(parts)}.{lacking}"
    )


def _trials(values: list[float]) -> str:
    """Say the range of some numbers of trials; a nan is a curve that never crosses."""
    known = sorted({value for value in values if value == value})
    if not known:
        return "never"
    span = " to ".join(number(value, 0) for value in dict.fromkeys((known[0], known[-1])))
    never = sum(value != value for value in values)
    return span + (f" ({never} never)" if never else "")


def picture(results: StudyResults) -> Figure | Absent:
    """Reversal-aligned curves."""
    return figures_behaviour.reversal(results)


def summary(results: StudyResults) -> list[Block]:
    """Behavioural statistics of every source and every animal."""
    blocks: list[Block] = [missing_box(status) for status in results.missing_datasets()]
    table = results.summary
    found = set(table["statistic"]) if len(table) else set()
    shown = [s for s in SHOWN if s in found or (s in FACTS and results.missing_datasets())]
    rows: list[Row] = []
    for name in results.names("primate"):
        rows += _animals(results, name, shown)
    for kind, heading in (("network", "Networks, best of each core"), ("learner", "Learners")):
        names = [s for s in results.names(kind) if len(table) and s in set(table["source"])]
        if names:
            rows.append(Row([Cell(heading, span=len(shown) + 2)], heading=True))
        for source in names:
            own = table[(table["source"] == source) & (table["subject"] == "all")].set_index("statistic")
            cells = [Cell(results.label(source)), *(_statistic(own, s) for s in shown), _counts(own)]
            rows.append(Row(cells, results.colour(source)))
    if not rows:
        return [*blocks, Absent("Summary", results.why_absent("summary"))]
    equations = "; ".join(f"{STATISTICS[s].title}: {STATISTICS[s].equation}" for s in shown if s in STATISTICS)
    resampled = "; ".join(sorted({str(u) for u in table["unit"].dropna()})) if len(table) else "–"
    caption = (
        f"{equations}. Brackets: 95 % bootstrap intervals (resampled, as the source allows: {resampled}). The animals "
        f"are "
        "fewer than eight: each is shown, and the row that takes them together describes these animals only. "
        + selection(results)
    )
    columns = ("Source", *(_title(s) for s in shown), "n")
    numeric = frozenset(range(1, len(shown) + 2))
    return [*blocks, Table("summary-table", "Behaviour, side by side", columns, rows, caption, numeric)]


def _title(statistic: str) -> str:
    if statistic == "regret":
        return "Regret per problem"
    return STATISTICS[statistic].title if statistic in STATISTICS else statistic


def _animals(results: StudyResults, name: str, shown: list[str]) -> list[Row]:
    """Rows of one dataset: all animals together, then each; or the kept facts, labelled."""
    table, status = results.summary, results.datasets[name]
    own = table[table["source"] == name] if len(table) else table
    heading = DATASETS[name].title if name in DATASETS else name
    colour, width = results.colour(name), len(shown) + 2
    if len(own):
        rows = [Row([Cell(heading, span=width)], heading=True)]
        for subject in ["all", *animals(name, own.loc[own["subject"] != "all", "subject"])]:
            part = own[own["subject"] == subject].set_index("statistic")
            label = "All, these animals only" if subject == "all" else subject
            rows.append(Row([Cell(label), *(_statistic(part, s) for s in shown), _counts(part)], colour))
        return rows
    if status.facts is None:
        return [Row([Cell(f"{heading}: missing ({status.reason})", span=width)], heading=True)]
    text = f"{heading}: missing here; summary statistics kept as facts, not computed by this run"
    rows = [Row([Cell(text, span=width)], heading=True)]
    facts = status.facts.assign(subject=status.facts["subject"].astype(str))
    for subject in ["all", *animals(name, facts.loc[facts["subject"] != "all", "subject"])]:
        values = facts[facts["subject"] == subject].set_index("statistic")["value"]
        cells = [Cell(number(values.get(s)) if s in FACTS else "–") for s in shown]
        label = "All, these animals only" if subject == "all" else subject
        rows.append(Row([Cell(label), *cells, Cell(f"{count(values.get('trials'))} trials")], colour, css="fact"))
    return rows


def missing_box(status: DatasetStatus) -> Absent:
    """Visible box for a dataset that could not be had."""
    entry = DATASETS.get(status.name)
    detail = f"Name: {status.name}."
    if entry and entry.summary:
        detail += (
            f" Its per-animal summary statistics, kept as facts in resources/{entry.summary}, stand in below, labelled."
        )
    title = f"Dataset missing: {entry.title if entry else status.name}"
    return Absent(title, f"Reason: {status.reason}", detail)


def _statistic(own: pd.DataFrame, statistic: str) -> Cell:
    if statistic not in own.index:
        return Cell("–")
    row = own.loc[statistic]
    digits = 2 if statistic in ("regret", "perseveration") else 3
    return Cell(number(row["value"], digits), interval(row["low"], row["high"], digits))


def _counts(own: pd.DataFrame) -> Cell:
    if own.empty:
        return Cell("–")
    row, trials = own.iloc[0], own["n_trials"].max()
    if "reward_rate" in own.index:
        trials = own.loc["reward_rate", "n_trials"]
    units = (("n_subjects", "subject"), ("n_sessions", "session"), ("n_episodes", "episode"))
    parts = [plural(int(row[column]), what) for column, what in units if row[column] == row[column]]
    return Cell(f"{count(trials)} trials", ", ".join(parts[:2]) + "".join(f"\n{part}" for part in parts[2:]))


def reversal(results: StudyResults) -> list[Block]:
    """Reversal-aligned curves."""
    return [figures_behaviour.reversal(results)]


def learning(results: StudyResults) -> list[Block]:
    """Learning curves from trial 1."""
    return [figures_behaviour.learning(results)]


def kernels(results: StudyResults) -> list[Block]:
    """Reward and choice kernels."""
    return figures_behaviour.kernels(results)


def stay(results: StudyResults) -> list[Block]:
    """Coefficients of the stay regression, every source and animal."""
    own = results.regressions
    own = own[(own["regression"] == "stay") & own["term"].isin(["intercept", "reward"])] if len(own) else own
    if own.empty:
        return [Absent("Stay regression", results.why_absent("regressions"))]
    rows = []
    for source in (*results.names("primate"), *results.names("network"), *results.names("learner")):
        part = own[own["source"] == source]
        wild = source in results.names("primate")
        subjects = ["all", *(animals(source, part.loc[part["subject"] != "all", "subject"]) if wild else [])]
        for subject in subjects:
            terms = part[part["subject"] == subject].set_index("term")
            if terms.empty:
                continue
            first, cells = terms.iloc[0], []
            if subject == "all" and part["subject"].nunique() == 2:  # one subject: the clusters of its own regression
                first = part[part["subject"] != "all"].iloc[0]
            for term in ("intercept", "reward"):
                row = terms.loc[term] if term in terms.index else {}
                cells.append(Cell(number(row.get("estimate"), 2), interval(row.get("low"), row.get("high"), 2)))
            clusters = Cell(count(first["n_clusters"]), str(first["clusters"]))
            remark = "separated: penalised estimate" if terms["separated"].astype(bool).any() else ""
            label = results.label(source) if subject == "all" else subject
            cells = [Cell(label), *cells, Cell(count(first["n_trials"])), clusters, Cell(remark)]
            rows.append(Row(cells, results.colour(source), css="" if subject == "all" else "member"))
    equation = REGRESSIONS["stay"].equation if "stay" in REGRESSIONS else ""
    caption = (
        f"{equation} (log odds). One regression per subject, errors clustered by session, or by episode where a "
        "subject "
        "has one session. A source's row is the mean over its subjects, with an interval between subjects where there "
        "are at least eight, else within these subjects. Brackets: 95 % intervals; Clusters: what the interval "
        "rests on. "
        "The intercept is the tendency to repeat, the coefficient of reward how much more often a choice is repeated "
        "after reward than after none."
    )
    title = "How much does an outcome decide whether the choice is repeated?"
    columns = ("Source", "Intercept", "Reward", "Trials", "Clusters", "Remark")
    return [Table("stay-table", title, columns, rows, caption, frozenset((1, 2, 3, 4)), True, True)]


def typicality(results: StudyResults) -> list[Block]:
    """Animals among the networks."""
    return [figures_typicality.typicality(results)]


def training(results: StudyResults) -> list[Block]:
    """Regret table and training curves of the reversal task's networks."""
    question = "When during training do networks learn to reverse?"
    return [*regret_full(results), figures_training.training(results, question)]
