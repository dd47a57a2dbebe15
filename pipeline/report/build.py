"""Pages from sections: a page per study, the claims, the index; each a self-contained HTML file that opens offline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.errors import UserError
from pipeline.files import replacing
from pipeline.primates import DATASETS
from pipeline.report import PAGES, Page, Section
from pipeline.report import blocks as kinds
from pipeline.report.load import StudyResults
from pipeline.report.methods import methods
from pipeline.report.sections_comparison import claims_table, tally
from pipeline.report.selection import unequal
from pipeline.report.style import listed, plural

LIMIT = 2_000_000  # bytes: larger pages are blank panes in Snakemake's report


@dataclass(frozen=True)
class Context:
    """What every page shows besides its results: provenance (`pipeline.provenance.provenance`), pages, run times."""

    provenance: Mapping
    studies: Sequence[str]
    run_times: Mapping[str, tuple[int, float]] = field(default_factory=dict)


def page(results: StudyResults, context: Context) -> str:
    """HTML of one study's page.

    Raises
    ------
    UserError
        If the page would be larger than `LIMIT`.
    """
    entry = PAGES.get(results.study) or _generic(results.study)
    sections = [(section, section.load()(results)) for section in entry.sections]
    paragraphs, references = methods(results, entry.methods)
    return _render(
        "study.html",
        f"{results.study}.html",
        context,
        title=entry.title,
        page=entry,
        sections=sections,
        answer=entry.load("answer")(results) if entry.answer else "",
        paragraphs=paragraphs,
        references=references,
        missing=results.missing_datasets(),
    )


def claims_page(claims: pd.DataFrame, context: Context, results: Sequence[StudyResults] = ()) -> str:
    """HTML of the claims page; ``results`` give sources their names."""
    labels = {r.study: r.described for r in results}
    table = (
        claims_table(claims, labels, _selected(results))
        if len(claims)
        else kinds.Absent("Published claims", "The pipeline has not written claims.csv.")
    )
    return _render(
        "claims.html", "claims.html", context, title="Published claims and ours", table=table, tally=tally(claims)
    )


def _selected(results: Sequence[StudyResults]) -> str:
    """Say how many networks of a core stand behind the intervals of each study, and in what cores differ."""
    best: dict[int, list[str]] = {}
    for r in results:
        if r.names("network"):
            best.setdefault(r.plan.best, []).append(r.study.replace("_", " "))
    if not best:
        return ""
    parts = "; ".join(f"{listed(studies)}: {n}" for n, studies in best.items())
    apart = any(unequal(r, None) for r in results)
    more = " Cores differ in the number of settings or training episodes, too (see each study's page)." if apart else ""
    return f"Networks per core, {parts}.{more}"


def index(results: Sequence[StudyResults], claims: pd.DataFrame, context: Context) -> str:
    """HTML of the entry page: each study's answer, one picture, datasets, claims, provenance."""
    entries = [(PAGES.get(r.study) or _generic(r.study), r) for r in results]
    studies = [(entry, r, entry.load("answer")(r) if entry.answer else "", _numbers(r)) for entry, r in entries]
    picture = None
    for entry, r in reversed(entries):  # the animals' page, where there is one, has the picture to begin with
        picture = entry.load("picture")(r) if entry.picture else None
        if isinstance(picture, kinds.Figure):
            break
    datasets = {name: status for r in results for name, status in r.datasets.items()}
    return _render(
        "index.html",
        "index.html",
        context,
        title="learning-set",
        studies=studies,
        picture=picture,
        tally=tally(claims),
        datasets=[(DATASETS.get(name), status) for name, status in datasets.items()],
    )


def write(html: str, path: str | Path) -> None:
    """Write a page, whole or not at all."""
    with replacing(Path(path)) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _numbers(r: StudyResults) -> str:
    """Say what was run, in one line."""
    networks = len(r.evaluation[r.evaluation["source"].isin(r.names("network", None, None))])
    parts = [
        plural(networks, "trained network"),
        plural(len(r.names("learner")), "learner"),
        plural(len(r.badges), "hierarchical fit"),
    ]
    failed = int((~r.badges["passed"].astype(bool)).sum()) if len(r.badges) else 0
    present = sum(status.rows for status in r.datasets.values())
    return (
        ", ".join(p for p in parts if not p.startswith("0 "))
        + (f" ({failed} failed)" if failed else "")
        + (f", {present:,} trials of animals" if present else "")
    )


def _generic(study: str) -> Page:
    """Page of a study that has no sections of its own yet: its claims and nothing else."""
    section = Section("claims", "Published claims", "pipeline.report.sections_comparison:claims")
    name = study.replace("_", " ").capitalize()
    return Page(study, name, name, "", "", "", (section,), ("trial_table", "tasks"))


def _render(template: str, name: str, context: Context, **values) -> str:
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    environment.globals["kind"] = lambda block: type(block).__name__.lower()
    pages = [
        ("index.html", "Overview"),
        *((f"{s}.html", (PAGES.get(s) or _generic(s)).short) for s in context.studies),
        ("claims.html", "Claims"),
    ]
    times = sorted(context.run_times.items(), key=lambda item: -item[1][1])
    html = environment.get_template(template).render(
        pages=pages, here=name, provenance=context.provenance, times=times, **values
    )
    size = len(html.encode())
    if size > LIMIT:
        raise UserError(
            f"report page {name} would have {size:,} bytes; the limit is {LIMIT:,} (draw fewer lines in the largest "
            f"figure)"
        )
    return html
