"""Sections that set one thing beside another: group differences, published claims and ours."""

import re
from collections.abc import Callable, Mapping

import pandas as pd

from pipeline.agents import AGENTS
from pipeline.comparison.claim_source import ABLATED, Source
from pipeline.report import figures_comparison as figures
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.figures_models import failed_fits, model_title, symbol
from pipeline.report.load import StudyResults
from pipeline.report.methods_training import TUNING
from pipeline.report.selection import selection
from pipeline.report.style import count, interval, missing, number, prose, task_label

VERDICTS = {"agrees": "agrees", "deviates": "deviates", "not run": "not-run"}  # verdict → class of its badge
MARKS = {"agrees": "✓", "undecided": "?", "deviates": "✗"}  # class of a badge → what stands before the number
PATTERN = re.compile(r"[*?|\[]")  # in the place of a source: the patterns of a claim that no source of the run meets
RULES = {
    "value": "our mean lies within ± the tolerance of the published number (if there is none: it lies in our interval)",
    "sign": "our whole interval lies on the published side of 0",
    "order": "our whole interval lies on the published side of the bound",
    "ratio": "our whole interval lies within the published number × (1 ± tolerance)",
}
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
    return [claims_table(results.claims, {results.study: results.described}, selection(results, None))]


def claims_table(claims: pd.DataFrame, labels: Mapping[str, Callable[[str], str]], selected: str = "") -> Table:
    """One row per claim and training task, a cell per core.

    ``labels`` maps a study to what names its sources; ``selected`` says of which networks the intervals speak.
    """
    claims = claims.astype(object).where(claims.notna(), "").astype(str)
    known = {name: _where(name) for name in claims["source"].unique()}
    columns = [core for core in AGENTS if core in {core for core, _ in known.values()}]
    others = not columns or any(not core and not PATTERN.search(name) for name, (core, _) in known.items())
    width, rows = 2 + len(columns) + others, []
    several = len(set(claims["study"])) > 1
    for study in dict.fromkeys(claims["study"]):
        own = claims[claims["study"] == study]
        for paper in dict.fromkeys(own["paper"]):
            title = f"{study.replace('_', ' ').capitalize()} · {paper}" if several else paper
            rows.append(Row([Cell(title, span=width)], heading=True))
            together: dict[tuple, list[dict]] = {}
            for r in own[own["paper"] == paper].to_dict("records"):
                core, trained = known[r["source"]]
                together.setdefault((r["id"], trained, "" if core else r["source"]), []).append(r)
            for (_, trained, _), same in together.items():
                rows.append(_claim(same, trained, columns, others, labels.get(study, str), known))
    caption = (
        "Every claim as published, and what this run gives with its 95 % interval (of a fitted model 94 %), the cores "
        "beside each other: ✓ agrees, ✗ deviates, ? deviates but undecided: our number does not meet the rule, yet its "
        "interval does not exclude what is claimed. Each claim's rule stands in resources/published_claims.csv, "
        "written before its result was seen (notes say where one changed after first results); it unfolds below the "
        "claim, with the reason of each verdict, what an ideal agent gives where that is known, and n, the networks or "
        "subjects behind our number. A deviation is a result: it is shown, with its reason where one is known. Neither "
        "the rules by which claims are judged nor results were tuned. Of networks, intervals are over the selected "
        f"ones alone, the best of a search by the ranking episodes. {selected}"
        f"{' ' if selected else ''}{TUNING} Not run: this run's config or data cannot decide the claim."
    )
    names = [
        "Claim",
        "Published",
        *(AGENTS[core].title for core in columns),
        *([("Other sources" if columns else "Ours")] if others else []),
    ]
    return Table("claims-table", "Published claims and ours", tuple(names), rows, caption, frozenset(range(1, width)))


def _where(source: str) -> tuple[str, str]:
    """Core in whose column a source stands ("": learners, animals, cores of matched size), and its training."""
    name = Source(source)
    if not name.task or name.core not in AGENTS:
        return "", ""
    trained = f"trained on {task_label(name.task)}" + (", no reward input" if source.endswith(ABLATED) else "")
    return ("" if name.core[-1].isdigit() else name.core), trained


def _claim(same: list[dict], trained: str, columns: list[str], others: bool, label, known) -> Row:
    """One row: the claim with its rule and reasons folded away, the published number, a cell per core."""
    first = same[0]
    rule = RULES.get(first.get("judge", ""), "")
    facts = [f"Rule: {rule}. Statistic: {first['statistic']}." if rule else "", _sentence(first.get("note", ""))]
    for r in same:
        n = "" if missing(r["n"]) or float(r["n"]) == 0 else f"n = {count(r['n'])}"
        who = ", ".join(filter(None, ("" if PATTERN.search(r["source"]) else label(r["source"]), n)))
        facts.append(": ".join(filter(None, (who, _sentence(r["why"]).strip()))))
    head = Cell(_sentence(first["statement"]), " · ".join(filter(None, (first["id"], trained))),
                details=tuple(filter(None, facts)))  # fmt: skip
    cells = [head, Cell(_published(first))]
    at = {known[r["source"]][0]: r for r in same if known[r["source"]][0]}
    if PATTERN.search(first["source"]):
        return Row([*cells, Cell("not run", badge="not-run", span=len(columns) + others)])
    cells += [_ours(at[core]) if core in at else Cell("–") for core in columns]
    if others:
        cells.append(Cell("") if at else _ours(first, label(first["source"])))
    return Row(cells)


def _verdict(r: Mapping) -> str:
    """Class of a verdict's badge; a deviation that the interval leaves undecided is paler than a contradiction."""
    verdict = r["verdict"].strip().lower()
    if verdict == "deviates" and r["why"].lower().startswith("undecided:"):
        return "undecided"
    return VERDICTS.get(verdict, "not-run")


def _ours(r: Mapping, name: str = "") -> Cell:
    """Our number with the mark of its verdict, its interval, and a source's name where no column says it."""
    badge = _verdict(r)
    if badge == "not-run" or missing(r["value"]):
        return Cell("not run" if badge == "not-run" else f"{MARKS[badge]} –", name, badge=badge)
    digits = _digits(r["value"])
    small = "\n".join(filter(None, (interval(r["low"], r["high"], digits), name)))
    return Cell(f"{MARKS[badge]} {number(r['value'], digits)}", small, badge=badge)


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


def _published(r: Mapping) -> str:
    """Write the published number or bound, with its tolerance."""
    try:
        text = f"{float(r['published']):g}"
    except ValueError:
        text = r["published"] or "–"
    tolerance, text = r.get("tolerance", ""), text.replace("-", "−")
    if missing(tolerance):
        return text
    return f"{text} ± {float(tolerance) * 100:g} %" if r["judge"] == "ratio" else f"{text} ± {float(tolerance):g}"
