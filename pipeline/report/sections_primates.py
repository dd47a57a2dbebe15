"""Sections of pages that show animals and people alone: the behaviour of every group, by the same analyses."""

from pipeline.primates import DATASETS
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.sections_reversal import missing_box
from pipeline.report.style import animals, count, interval, number, plural

SHOWN = ("win_stay", "lose_shift", "better_choice", "reward_rate")
MANY = 12  # subjects above which single subjects are not listed in a table


def summary(results: StudyResults) -> list[Block]:
    """Behavioural statistics of every dataset and, where they are few, of every subject."""
    from pipeline.behaviour import STATISTICS

    blocks: list[Block] = [missing_box(status) for status in results.missing_datasets()]
    table = results.summary
    if table.empty:
        return [*blocks, Absent("Behaviour", results.why_absent("summary"))]
    shown = [s for s in SHOWN if s in set(table["statistic"])]
    rows: list[Row] = []
    for source in results.names("primate"):
        own = table[table["source"] == source]
        if own.empty:
            continue
        rows.append(Row([Cell(DATASETS[source].title, span=len(shown) + 2)], heading=True))
        subjects = animals(source, own.loc[own["subject"] != "all", "subject"])
        for subject in ["all", *(subjects if len(subjects) <= MANY else [])]:
            part = own[own["subject"] == subject].set_index("statistic")
            cells = [
                Cell(number(part.loc[s, "value"]), interval(part.loc[s, "low"], part.loc[s, "high"]))
                if s in part.index
                else Cell("–")
                for s in shown
            ]
            first = part.iloc[0]
            units = (("n_subjects", "subject"), ("n_sessions", "session"))
            size = [plural(int(first[c]), what) for c, what in units if first[c] == first[c]]
            label = "All subjects" if subject == "all" else subject
            numbers = Cell(f"{count(part['n_trials'].max())} trials", ", ".join(size))
            rows.append(Row([Cell(label), *cells, numbers], results.colour(source)))
    equations = "; ".join(f"{STATISTICS[s].title}: {STATISTICS[s].equation}" for s in shown)
    caption = (
        f"{equations}. Brackets: 95 % bootstrap intervals, over subjects, then sessions; with fewer than eight "
        "subjects over the sessions of each."
    )
    columns = ("Source", *(STATISTICS[s].title for s in shown), "n")
    return [*blocks, Table("summary-table", "Behaviour", columns, rows, caption, frozenset(range(1, len(shown) + 2)))]


def answer(results: StudyResults) -> str:
    """Say which model predicts unseen sessions or people best."""
    from pipeline.report.figures_models import in_order, model_title

    own = results.stacking[results.stacking["weight"].notna()] if len(results.stacking) else results.stacking
    if own.empty:
        return "Not answered: no two models of this study have passed their diagnostics."
    parts = []
    for source in in_order(results, own["source"]):
        best = own[own["source"] == source].sort_values("weight").iloc[-1]
        parts.append(
            f"{results.label(source)}: {model_title(best['model'])}, stacking weight {number(best['weight'], 2)}"
        )
    return f"Model that predicts units left out best: {'; '.join(parts)}."


def picture(results: StudyResults):
    """Posterior of the first model of the study."""
    from pipeline.report.figures_models import posteriors

    return posteriors(results, results.plan.models[0])


def condition_effects(results: StudyResults) -> list[Block]:
    """Effect of every condition on every parameter, with its interval."""
    from pipeline.report import figures_models as figures

    own = results.posterior
    own = own[(own["level"] == "condition") & own["mean"].notna()] if len(own) else own
    if own.empty:
        return [Absent("Conditions", "No condition varies between the sessions of this study's subjects.")]
    rows, failed = [], figures.failed_fits(results)
    for source in figures.in_order(results, own["source"]):
        for model in [m for m in results.plan.models if m in set(own.loc[own["source"] == source, "model"])]:
            part = own[(own["source"] == source) & (own["model"] == model)]
            mark = " (the fit failed)" if (source, model) in failed else ""
            rows.append(Row([Cell(f"{results.label(source)} · {figures.model_title(model)}{mark}", span=3)],
                            results.colour(source), heading=True))  # fmt: skip
            for r in part.itertuples():
                value = Cell(number(r.mean, 2), interval(r.low, r.high, 2))
                rows.append(Row([Cell(r.group), Cell(figures.symbol(model, r.parameter)), value]))
    caption = (
        "Difference between conditions within subjects, on the scale of the parameter's link (log odds for a "
        "probability, log for a positive parameter): posterior mean and 94 % highest-density interval. No direction is "
        "assumed."
    )
    title = "What does a condition change?"
    columns = ("Condition", "Parameter", "Difference")
    return [Table("conditions-table", title, columns, rows, caption, frozenset((2,)), True, True)]
