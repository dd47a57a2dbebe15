"""Sections that check the models: recovery, calibration, confusion; and the hierarchical regressions."""

from markupsafe import Markup, escape

from pipeline.report import figures_checks, figures_models
from pipeline.report.blocks import Absent, Block, Cell, Note, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.style import count, interval, missing, number

NOT_ASKED = "This run does not check its models on simulated data (config: checks, of the scale and of the study)."


def _not_asked() -> Note:
    return Note(Markup("<p>{}</p>").format(escape(NOT_ASKED)))


def recovery(results: StudyResults) -> list[Block]:
    """Recovery of every parameter of every model from simulated data with the study's structure."""
    if not results.plan.checked:
        return [_not_asked()]
    if results.recovery.empty:
        return [Absent("Recovery", results.why_absent("recovery"))]
    return [*figures_checks.recovery(results.recovery), *figures_checks.coverage(results.recovery)]


def calibration(results: StudyResults) -> list[Block]:
    """Ranks of the truth among posterior draws."""
    if not results.plan.checked:
        return [_not_asked()]
    if results.ranks.empty:
        return [Absent("Simulation-based calibration", results.why_absent("ranks"))]
    return list(figures_checks.calibration(results.ranks))


def confusion(results: StudyResults) -> list[Block]:
    """Which model is taken for which; and planted effects, where the study plants one."""
    if not results.plan.checked:
        return [_not_asked()]
    blocks: list[Block] = []
    if results.confusion.empty:
        blocks.append(Absent("Which models can be told apart?", results.why_absent("confusion")))
    else:
        blocks += figures_checks.confusion(results.confusion)
    if results.plan.planted:
        blocks += (
            [Absent("Planted effects", results.why_absent("planted"))]
            if results.planted.empty
            else figures_checks.planted(results.planted)
        )
    return blocks


def mixed(results: StudyResults) -> list[Block]:
    """Hierarchical regressions: group coefficients with their intervals, beside the estimates of single subjects."""
    from pipeline.behaviour import MIXED

    own = results.mixed
    if own.empty:
        return [Absent("Hierarchical regressions", results.why_absent("mixed"))] if results.plan.mixed else []
    own = own[own["level"].isin(("group", "condition")) & own["mean"].notna()]
    blocks: list[Block] = []
    for regression in [r for r in MIXED if r in set(own["regression"])]:
        rows = []
        for source in figures_models.in_order(results, own["source"]):
            part = own[(own["source"] == source) & (own["regression"] == regression)]
            if part.empty:
                continue
            first = part.iloc[0]
            size = f"{count(first['n_subjects'])} subjects, {count(first['n_sessions'])} sessions"
            failed = not bool(first["passed"])
            head = f"{results.label(source)}: {size}, {count(first['n_trials'])} trials"
            rows.append(Row([Cell(head + (" (the fit failed)" if failed else ""), span=4)], results.colour(source),
                            heading=True))  # fmt: skip
            for r in part.itertuples():
                group = "" if missing(r.group) or r.group == "all" else str(r.group)
                sure = f"R\u2011hat {number(r.r_hat, 3)}"
                value = Cell(number(r.mean, 2), interval(r.low, r.high, 2))
                cells = [Cell(r.term.replace("_", " ")), Cell(group), value, Cell(number(r.sd, 2), sure)]
                rows.append(Row(cells))
        caption = (
            f"{MIXED[regression]} Posterior mean and 94 % highest-density interval of the mean over subjects "
            "(log odds; half-lives in trials). Effects of subjects, and of sessions where subjects have several, are "
            "on every coefficient. With fewer than eight subjects the spread between them leans on its prior."
        )
        columns = ("Term", "Group or condition", "Mean", "SD")
        title = f"Hierarchical regression: {regression.replace('_', ' ')}"
        blocks.append(Table(f"mixed-{regression.replace('_', '-')}", title, columns, rows, caption, frozenset((2, 3)),
                            True, True))  # fmt: skip
    return blocks
