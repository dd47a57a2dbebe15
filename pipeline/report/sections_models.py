"""Sections on hierarchical models: posteriors, predictive checks, stacking, sampler diagnostics."""

import pandas as pd

from pipeline.report import figures_models as figures
from pipeline.report import figures_predictive, figures_stacking
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.load import StudyResults
from pipeline.report.style import count, interval, missing, number, plural, significant

BADGES = {"passed": "pass", "failed": "fail", "not run": "not-run"}


def posteriors(results: StudyResults) -> list[Block]:
    """One figure per model."""
    blocks: list[Block] = [figures.posteriors(results, model) for model in results.plan.models]
    return blocks + ([posterior_table(results)] if len(results.posterior) else [])


def posterior_table(results: StudyResults) -> Table:
    """Group means, SDs between subjects and sessions, and shrinkage, by model and source; folded."""
    own, rows = results.posterior[results.posterior["mean"].notna()], []
    failed = figures.failed_fits(results)
    for model in [m for m in results.plan.models if m in set(own["model"])]:
        for source in figures.in_order(results, own.loc[own["model"] == model, "source"]):
            fit = own[(own["model"] == model) & (own["source"] == source)]
            bad = (source, model) in failed
            head = f"{figures.model_title(model)} · {results.label(source)}" + (" (the fit failed)" if bad else "")
            rows.append(Row([Cell(head, span=6)], results.colour(source), heading=True))
            names = dict.fromkeys(fit.loc[fit["level"] == "subject", "parameter"])
            groups = _groups(fit)
            for group in groups:
                part = (
                    fit if len(groups) < 2 else fit[(fit["group"] == group) | (fit["parameter"].isin(_sessions(names)))]
                )
                if len(groups) > 1:
                    rows.append(Row([Cell(group, span=6)], css="member"))
                rows += [Row(_levels(part, model, name)) for name in names]
            rows += _contrasts(fit, model)
    caption = (
        "Posterior mean and 94 % highest-density interval. Mean: of the group, on the parameter's natural scale; of a "
        "source with one subject, that subject. SDs: on the scale of the link (log odds, log, or as is). "
        "Shrinkage: weight "
        "of the group mean in a subject's estimate (0: the subject's data alone, 1: the group alone), lowest to "
        "highest over subjects. Between sessions: only where subjects have several."
    )
    columns = ("Parameter", "Mean", "SD between subjects", "SD between sessions", "Shrinkage", "n subjects")
    title = "Every posterior in numbers, with the SDs between subjects and sessions, and shrinkage"
    return Table("posterior-table", title, columns, rows, caption, frozenset(range(1, 6)), True, True, True)


def _groups(fit: pd.DataFrame) -> list[str]:
    """List the groups of a fit, in order; one empty name where it has none."""
    if "group" not in fit:
        return [""]
    return list(dict.fromkeys(fit.loc[fit["level"] == "subject", "group"].fillna("").astype(str))) or [""]


def _sessions(names) -> list[str]:
    return [f"{name}_session_sd" for name in names]


def _contrasts(fit: pd.DataFrame, model: str) -> list[Row]:
    """Effects of conditions, on the scale of the link."""
    found = []
    for r in fit[fit["level"] == "condition"].itertuples():
        label = f"{r.group}, {figures.symbol(model, r.parameter)} (difference, scale of the link)"
        value = Cell(number(r.mean), interval(r.low, r.high))
        found.append(Row([Cell(label), value, Cell("–"), Cell("–"), Cell("–"), Cell("–")]))
    return found


def _levels(fit: pd.DataFrame, model: str, name: str) -> list[Cell]:
    subjects = fit[(fit["level"] == "subject") & (fit["parameter"] == name)]
    group = fit[fit["level"] == "group"].set_index("parameter")

    def cell(rows: pd.DataFrame) -> Cell:
        if rows.empty:
            return Cell("–")
        return Cell(number(rows["mean"].iloc[0]), interval(rows["low"].iloc[0], rows["high"].iloc[0]))

    means = cell(group.loc[[name]] if name in group.index else subjects if len(subjects) == 1 else subjects[:0])
    sds = [cell(fit[fit["parameter"] == f"{name}_{level}_sd"]) for level in ("group", "session")]
    shrinkage = pd.to_numeric(subjects["shrinkage"], errors="coerce").dropna()
    span = "–" if shrinkage.empty else "–".join(dict.fromkeys(number(v, 2) for v in (shrinkage.min(), shrinkage.max())))
    return [Cell(figures.symbol(model, name)), means, *sds, Cell(span), Cell(count(subjects["subject"].nunique()))]


def predictive(results: StudyResults) -> list[Block]:
    """Posterior predictive checks."""
    return [figures_predictive.predictive(results)]


def stacking(results: StudyResults) -> list[Block]:
    """Figure of stacking weights, and the table with elpd."""
    blocks: list[Block] = [figures_stacking.stacking(results)]
    own = results.stacking
    if own.empty:
        return blocks
    rows = []
    for source in figures.in_order(results, own["source"]):
        unit, n = figures_stacking.left_out(results, source)
        head = (
            f"{results.label(source)}: {plural(int(n.replace(',', '')), unit)} left out, one at a time" if unit else ""
        )
        rows.append(Row([Cell(head or results.label(source), span=5)], results.colour(source), heading=True))
        for _, r in own[own["source"] == source].iterrows():
            standing = figures_stacking.standing(results, r)
            elpd = Cell(number(r["elpd"], 1), "" if missing(r["elpd_se"]) else f"± {number(r['elpd_se'], 1)}")
            outcome = {"weight": "passed", "only one": "passed"}.get(standing, standing)
            remark = "" if missing(r.get("note")) or standing in ("failed", "not run") else str(r["note"])
            cells = [Cell(figures.model_title(r["model"])), elpd, Cell(number(r["weight"], 2))]
            rows.append(Row([*cells, Cell(outcome, badge=BADGES[outcome]), Cell(remark)]))
    caption = (
        "Expected log predictive density of held-out units (nats, sum over units) ± its standard error, and the "
        "stacking weight of each model within a source; the parameters of a left-out session or network are "
        "integrated out (see Methods). No weight "
        "(–): the fit failed or was not run, or fewer than two models passed. Compare within a source only: between "
        "sources the unit left out differs."
    )
    columns = ("Model", "elpd ± SE (nats)", "Weight", "Fit", "Remark")
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
