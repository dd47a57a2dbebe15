"""Sections on hierarchical models: posteriors, predictive checks, stacking, sampler diagnostics."""

from pipeline.report import figures_models as figures
from pipeline.report import figures_predictive
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.style import count, missing, number, plural, significant

BADGES = {"passed": "pass", "failed": "fail", "not run": "not-run"}


def posteriors(results: StudyResults) -> list[Block]:
    """One figure per model."""
    return [figures.posteriors(results, model) for model in results.plan.models]


def predictive(results: StudyResults) -> list[Block]:
    """Posterior predictive checks."""
    return [figures_predictive.predictive(results)]


def stacking(results: StudyResults) -> list[Block]:
    """Figure of stacking weights, and the table with elpd."""
    blocks: list[Block] = [figures.stacking(results)]
    own = results.stacking
    if own.empty:
        return blocks
    rows = []
    for source in figures.in_order(results, own["source"]):
        rows.append(Row([Cell(results.label(source), span=4)], results.colour(source), heading=True))
        for _, r in own[own["source"] == source].iterrows():
            passed = bool(r.get("passed", True))
            elpd = Cell(number(r["elpd"], 1), "" if missing(r["elpd_se"]) else f"± {number(r['elpd_se'], 1)}")
            badge = Cell("passed" if passed else "failed", badge="pass" if passed else "fail")
            rows.append(Row([Cell(figures.model_title(r["model"])), elpd, Cell(number(r["weight"], 2)), badge]))
    caption = (
        "Expected log predictive density of held-out units (nats, sum over units) ± its standard error, and the "
        "stacking weight of each model within a source. Compare within a source only."
    )
    columns = ("Model", "elpd ± SE (nats)", "Weight", "Fit")
    return [
        *blocks,
        Table("stacking-table", "Leave-one-out by model", columns, rows, caption, frozenset((1, 2)), True, True),
    ]


def sampler(results: StudyResults) -> list[Block]:
    """Badge of every fit: passed or failed, with the reasons."""
    if results.badges.empty:
        return [Absent("Sampler diagnostics", results.why_absent("badges"))]
    rows = []
    for source in figures.in_order(results, results.badges["source"]):
        own = results.badges[results.badges["source"] == source]
        head = Cell(f"{results.label(source)}: {_units(own.iloc[0])}", span=9)
        rows.append(Row([head], results.colour(source), heading=True))
        for _, b in own.iterrows():
            rows.append(Row(_diagnostics(b)))
            reasons = [*_texts(b["reasons"]), *_texts(b.get("notes"))]
            if reasons:
                failed = figures.verdict(b) == "failed"
                rows.append(Row([Cell("; ".join(reasons), span=9)], css="reasons failed" if failed else "reasons"))
    caption = (
        "One row per fit; below it why it failed, and what else to know. R-hat: largest over all parameters (1 is "
        "converged; Vehtari et al. 2021). ESS: smallest effective sample size, bulk, below it tail. elpd: "
        "leave-one-out "
        "expected log predictive density (nats), its standard error and the effective number of parameters p. Pareto "
        "k: "
        "largest, and units above .7, where importance sampling is not reliable. A fit that failed is marked wherever "
        "its numbers appear."
    )
    columns = (
        "Model",
        "Badge",
        "Max R\u2011hat",
        "Min ESS",
        "Divergences",
        "Min E\u2011BFMI",
        "elpd (LOO)",
        "Pareto k",
        "Time",
    )
    title = "Did the sampler do its work?"
    return [Table("sampler-table", title, columns, rows, caption, frozenset(range(2, 9)), True)]


def _diagnostics(b) -> list[Cell]:
    outcome = figures.verdict(b)
    cells = [Cell(figures.model_title(b["model"])), Cell(outcome, badge=BADGES[outcome])]
    if outcome == "not run":
        return [*cells, *(Cell("–") for _ in range(7))]
    unit = "unit" if missing(b["loo_unit"]) else str(b["loo_unit"]).removesuffix("s")
    return [
        *cells,
        Cell(number(b["max_r_hat"])),
        Cell(count(b["min_ess_bulk"]), f"tail {count(b['min_ess_tail'])}"),
        Cell(count(b["divergences"])),
        Cell(number(b["min_ebfmi"], 2)),
        Cell(number(b["elpd_loo"], 1), f"± {number(b['elpd_loo_se'], 1)}, p {number(b['p_loo'], 1)}"),
        Cell(significant(b["pareto_k_max"], 2), f"{count(b['pareto_k_bad'])} of {count(b['loo_n'])} {unit}s > .7"),
        Cell(_seconds(b["seconds"]), f"{count(b['chains'])} × {count(b['draws'])} draws"),
    ]


def _texts(value) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(v) for v in value]
    return [] if missing(value) else [str(value)]


def _units(b) -> str:
    units = ("subject", "session", "episode", "trial")
    return ", ".join(plural(int(b[f"n_{unit}s"]), unit) for unit in units if not missing(b[f"n_{unit}s"]))


def _seconds(value) -> str:
    if missing(value):
        return "–"
    value = float(value)
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"
