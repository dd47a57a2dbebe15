"""Sections that set one thing beside another: group differences, published claims and ours."""

from collections.abc import Callable, Mapping

import pandas as pd

from pipeline.report import figures_comparison as figures
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.figures_models import failed_fits, model_title, symbol
from pipeline.report.load import StudyResults
from pipeline.report.methods_training import selection
from pipeline.report.style import count, interval, missing, number, prose

VERDICTS = {"agrees": "agrees", "deviates": "deviates", "not run": "not-run"}  # verdict → class of its badge
OTHER_PRIORS = ("SDs halved", "SDs doubled")


def differences(results: StudyResults) -> list[Block]:
    """Figure of all group differences, and their table with its sensitivity to the priors."""
    blocks: list[Block] = [figures.differences(results)]
    own = figures.main_differences(results)
    if own.empty:
        return blocks
    groups, failed, rows = results.groups, failed_fits(results), []
    others = [p for p in OTHER_PRIORS if "prior" in groups and p in set(groups["prior"])]
    for model in dict.fromkeys(own["model"]):
        rows.append(Row([Cell(model_title(model), span=7 + len(others))], heading=True))
        for r in own[own["model"] == model].itertuples():
            same = groups[
                (groups["model"] == model)
                & (groups["parameter"] == r.parameter)
                & (groups["group_a"] == r.group_a)
                & (groups["group_b"] == r.group_b)
            ]
            bad = (r.group_a, model) in failed or (r.group_b, model) in failed
            cells = [
                Cell(figures.pair(results, r.group_a, r.group_b), css="failed" if bad else ""),
                Cell(symbol(model, r.parameter)),
                Cell(number(r.mean, 2), interval(r.low, r.high, 2)),
                *(_other_prior(same, prior) for prior in others),
                Cell(number(r.p_rope, 2)),
                Cell(number(r.p_direction, 2)),
                Cell(f"{count(r.n_a)} / {count(r.n_b)}"),
                Cell("a fit failed" if bad else ""),
            ]
            rows.append(Row(cells, results.colour(r.group_a)))
    notes = "; ".join(dict.fromkeys(part for n in own["note"] if not missing(n) for part in str(n).split("; ")))
    caption = (
        "Posterior mean and 94 % highest-density interval of each difference in choice probability; P(in ROPE): "
        "posterior "
        "mass inside the region of practical equivalence; P(direction): posterior mass on the more probable side of 0; "
        "n: subjects of either group. P(in ROPE) is not comparable between parameters (see Methods). "
        + selection(results)
        + (
            " SDs halved, doubled: the mean under priors with other SDs (?: importance weights unreliable, Pareto k "
            "above .7)."
            if others
            else ""
        )
        + (f" {notes[0].upper()}{notes[1:]}." if notes else "")
    )
    columns = ("Difference", "Parameter", "Mean [94 % HDI]", *others, "P(in ROPE)", "P(direction)", "n", "Remark")
    numeric = frozenset(range(2, 6 + len(others)))
    return [
        *blocks,
        Table("differences-table", "Group differences in full", columns, rows, caption, numeric, True, True),
    ]


def _other_prior(same: pd.DataFrame, prior: str) -> Cell:
    row = same[(same["prior"] == prior) & (same["scale"] == figures.SCALE)]
    if row.empty:
        return Cell("–")
    unreliable = "pareto_k" in row and float(row["pareto_k"].iloc[0]) > 0.7
    return Cell(number(row["mean"].iloc[0], 2) + (" ?" if unreliable else ""))


def claims(results: StudyResults) -> list[Block]:
    """Set the published claims of this study against ours."""
    if results.claims.empty:
        return [Absent("Published claims", results.why_absent("claims"))]
    return [claims_table(results.claims, {results.study: results.described})]


def claims_table(claims: pd.DataFrame, labels: Mapping[str, Callable[[str], str]]) -> Table:
    """Claim · published · ours [interval] · n · verdict · why; ``labels`` maps a study to what names its sources."""
    rows = []
    for paper in dict.fromkeys(claims["paper"]):
        rows.append(Row([Cell(str(paper), span=6)], heading=True))
        for r in claims[claims["paper"] == paper].itertuples():
            verdict = str(r.verdict).strip().lower()
            verdict = verdict if verdict in VERDICTS else "not run"
            source = "" if missing(r.source) else labels.get(r.study, str)(r.source)
            ours = Cell("–") if missing(r.value) else Cell(_ours(r.value), interval(r.low, r.high, _digits(r.value)))
            cells = [
                Cell(_sentence(r.statement), " · ".join(filter(None, (str(r.id), source)))),
                Cell("–" if missing(r.published) else _published(r.published)),
                ours,
                Cell(count(r.n)),
                _verdict(verdict, "" if missing(r.why) else str(r.why)),
                Cell("" if missing(r.why) else _sentence(r.why)),
            ]
            rows.append(Row(cells))
    caption = (
        "Every claim as published, and what this run gives, with its interval in brackets; n: networks, subjects or "
        "episodes behind our number. Agrees or deviates is decided by a rule stated for each claim "
        "(notes say where one changed after first results) "
        "(resources/published_claims.csv). Deviates (undecided): our number does not meet the rule, but its "
        "interval does "
        "not exclude what is claimed. A deviation is a result: it is shown, with its reason where one is known, "
        "and "
        "nothing was tuned until it agreed. Not run: this run's config or data cannot decide the claim."
    )
    columns = ("Claim", "Published", "Ours", "n", "Verdict", "Why")
    return Table("claims-table", "Published claims and ours", columns, rows, caption, frozenset((1, 2, 3)))


def _verdict(verdict: str, why: str) -> Cell:
    """Badge of a verdict; a deviation that the interval leaves undecided is paler than a contradiction."""
    if verdict == "deviates" and why.lower().startswith("undecided:"):
        return Cell("deviates (undecided)", badge="undecided")
    return Cell(verdict, badge=VERDICTS[verdict])


def tally(claims: pd.DataFrame) -> dict[str, int]:
    """Count the claims by verdict, in the order agrees, deviates, not run."""
    verdicts = [str(v).strip().lower() for v in claims["verdict"]] if len(claims) else []
    return {name: sum(v == name for v in verdicts) for name in VERDICTS}


def _sentence(text) -> str:
    text = prose(str(text))
    return text[:1].upper() + text[1:]


def _digits(value) -> int:
    size = abs(float(value))
    return 3 if size < 1 else 2 if size < 100 else 0


def _ours(value) -> str:
    try:
        return number(value, _digits(value))
    except ValueError:
        return str(value)


def _published(value) -> str:
    try:
        return f"{float(value):g}".replace("-", "−")
    except ValueError:
        return str(value)
