"""Mixed logistic regressions of one source in Bayesian form: groups, subjects and sessions on every coefficient.

    logit P(y = 1) = x · (group + subject + session effects)

Beside the fits per subject of `pipeline.behaviour.run`, whose pooled estimate is a mean over subjects, these share what
subjects have in common: a subject with few trials borrows from the others, and the spread between subjects and between
sessions is itself estimated. Coefficients are conditional ones, those of a subject in a session; marginal ones, as
cluster-robust fits of pooled trials give, are smaller.
"""

import time
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.seeds import generator

COLUMNS = ("source", "task", "regression", "term", "level", "group", "subject", "mean", "sd", "low", "high", "r_hat",
           "ess_bulk", "ess_tail", "n_trials", "n_subjects", "n_sessions", "divergences", "passed", "note")  # fmt: skip
TARGET = 0.8  # acceptance: the coordinates leave a nearly standard normal posterior, which bears long steps
COUNTS = ("n_subjects", "n_sessions", "n_trials", "n_cells", "chains", "draws", "tune")
FACTS = ("divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi")


def analyse(
    table: pd.DataFrame, regressions: Iterable[str], settings: Mapping | None = None, source: str | None = None,
    lags: int = 6,
) -> tuple[pd.DataFrame, dict]:  # fmt: skip
    """Fit mixed logistic regressions to one source by NUTS, and check them.

    Parameters
    ----------
    table : DataFrame
        Trial table of one source; `group` and `condition` are used where there are such columns.
    regressions : iterable of str
        ``history`` (joint reward and choice kernels, with half-lives) or logistic ones of
        `pipeline.behaviour.REGRESSIONS`.
    settings : mapping, optional
        Of the sampler: see `pipeline.models.fitting.Settings`; ``target_accept`` is `TARGET` if not given.
    source : str, optional
        Name of the source, needed where the table has no rows.
    lags : int
        Of the history kernels.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. Level ``group``: each group's mean, the SD between its subjects (``reward_group_sd``) and, of
        all groups together (``all``), the SD between the sessions of a subject (``reward_session_sd``). Level
        ``condition``: the effect of a condition; ``group`` names the contrast. Level ``subject``. All in log odds, but
        half-lives in trials. Intervals are 94 % highest-density ones.
    dict
        Badge: ``regressions`` holds one per fit, the rest sums them up.

    Raises
    ------
    UserError
        If a regression or setting is unknown, a trial with a choice has no reward, or groups and conditions are not
        what `pipeline.models.structure` asks for.

    Notes
    -----
    Without rows, or without what a regression needs, nothing is fitted, and the badge says why. A lone subject has the
    prior of a group mean and no level of groups; without several sessions of some subject there is no level of
    sessions. Separated choices (a subject that always stays) leave a proper posterior, as the priors do not let
    coefficients grow without bound; rows say so. If all choices of a source are of one option, history kernels cannot
    be told from the intercept and are not fitted. Trials without a choice interrupt the sequence.
    """
    from pipeline.behaviour.mixed_design import known
    from pipeline.models.fitting import Settings

    if isinstance(regressions, str):
        raise UserError(f"regressions is the text {regressions!r}; give a list of names")
    names = [known(name) for name in regressions]
    if int(lags) != lags or lags < 1:
        raise UserError(f"lags is {lags}; it must be a whole number, 1 or more")
    if not isinstance(settings, Settings):
        settings = Settings.of({"target_accept": TARGET} | dict(settings or {}))
    if source is None:
        source = str(table["source"].iloc[0]) if len(table) else str(table.attrs.get("source", ""))
    reason = table.attrs.get("reason") or "the source has no trials"
    tasks = table["task"].unique() if len(table) and "task" in table else [""]
    found, badges = [], {}
    for task in tasks:
        part = table[(table["task"] == task).to_numpy(bool)] if len(tasks) > 1 else table
        for name in names:
            key = f"{task}.{name}" if len(tasks) > 1 else name
            rows, badges[key] = _one(part, name, int(lags), settings, source, str(task), reason)
            found += rows
    return pd.DataFrame(found, columns=list(COLUMNS)), _together(source, badges)


def _one(table, name: str, lags: int, settings, source: str, task: str, reason: str) -> tuple[list[dict], dict]:
    """Rows and badge of one regression."""
    who = {"source": source, "task": task, "regression": name}
    if not len(table):
        return [], _not_run(who, reason)
    from pipeline.behaviour.mixed_design import of
    from pipeline.behaviour.mixed_laplace import fit
    from pipeline.behaviour.mixed_model import prior
    from pipeline.behaviour.mixed_separation import separated_subjects

    started = time.perf_counter()
    cells, reason = of(table, name, lags)
    if cells is None:
        return [], _not_run(who, reason)
    scales = prior(cells)
    laplace = fit(cells, scales, tolerance=1e-3)
    seed = int(generator(settings.seed, "mixed", source, task, name).integers(2**31))
    idata, check, tune, attempts = _sampled(cells, scales, laplace, settings, seed)
    apart = separated_subjects(cells)
    badge = who | {
        "n_subjects": len(cells.subjects), "n_sessions": cells.units, "n_trials": int(cells.unit_trials.sum()),
        "n_cells": cells.cells, "chains": check["chains"], "draws": check["draws"], "tune": tune,
        **{fact: check[fact] for fact in FACTS}, "passed": check["passed"], "reasons": check["reasons"],
        "notes": _notes(cells, apart), "status": "run", "attempts": attempts,
    }  # fmt: skip
    common = {"divergences": check["divergences"], "passed": check["passed"]}
    rows = [who | row | common for row in _rows(cells, idata, lags if name == "history" else 0, apart)]
    return rows, badge | {"seconds": round(time.perf_counter() - started, 2)}


def _sampled(cells, scales, laplace, settings, seed: int):
    """Draws with their diagnosis, sampled once more where it fails, by the rule of `pipeline.models.fitting.fit`."""
    from pipeline.behaviour.mixed_density import Density
    from pipeline.behaviour.mixed_model import sample
    from pipeline.models import diagnose

    density = Density(cells, scales, laplace)
    chains = {"chains": settings.chains, "threads": settings.threads}
    plan = {"draws": settings.draws, "tune": settings.tune, "target_accept": settings.target_accept}
    idata = diagnose.keep(sample(cells, density, **plan, **chains, seed=seed), cells)
    check, attempts = diagnose.diagnose(idata), 1
    if not check["passed"] and settings.retry and settings.chains > 1:
        plan["tune"] *= 2
        if check["divergences"]:
            plan["target_accept"] = max(0.98, settings.target_accept)
        else:
            plan["draws"] *= 2
        again = diagnose.keep(sample(cells, density, **plan, **chains, seed=seed + 1), cells)
        second, attempts = diagnose.diagnose(again), 2
        if second["passed"] or len(second["reasons"]) <= len(check["reasons"]):
            idata, check = again, second
    return idata, check, plan["tune"], attempts


def _rows(cells, idata, lags: int, apart: list[str]):
    """Rows of one fit: groups, conditions, subjects; with ``lags``, half-lives after each level's coefficients."""
    from pipeline.behaviour.mixed_half_life import summarise
    from pipeline.models.badge import FEW
    from pipeline.models.diagnose import summary
    from pipeline.models.structure import ALL

    draws, s = {name: idata.posterior[name].to_numpy().astype(float) for name in idata.posterior}, cells.structure
    sessions = np.bincount(cells.unit_subject, minlength=len(cells.subjects))
    trials = np.bincount(cells.unit_subject, cells.unit_trials, len(cells.subjects)).astype(int)

    def row(level, group, subject, term, values, inside, note=""):
        count = {"n_trials": int(trials[inside].sum()), "n_subjects": int(inside.sum()),
                 "n_sessions": int(sessions[inside].sum())}  # fmt: skip
        found = summary(values) if isinstance(values, np.ndarray) else values
        return {"term": term, "level": level, "group": group, "subject": subject, **found, **count, "note": note}

    def coefficients(level, group, subject, values, inside, note=""):
        """Rows of one vector of coefficients, draws (chains, draws, k)."""
        yield from (row(level, group, subject, t, values[..., i], inside, note) for i, t in enumerate(cells.terms))
        for k, kind in enumerate(("reward", "choice") if lags else ()):
            value, why = summarise(values[..., 1 + k * lags : 1 + (k + 1) * lags])
            text = "; ".join(filter(None, (note, why)))
            yield row(level, group, subject, f"{kind}_half_life", value, inside, text)

    everyone = np.ones(len(cells.subjects), bool)
    for g, group in enumerate(s.groups if "group_sd" in draws else ()):
        inside = s.subject_group == g
        few = f"{inside.sum()} subjects: the SD between them rests largely on its prior" if inside.sum() < FEW else ""
        yield from coefficients("group", group, "", draws["group_mean"][..., g, :], inside)
        for i, term in enumerate(cells.terms):
            yield row("group", group, "", f"{term}_group_sd", draws["group_sd"][..., g, i], inside, few)
    for i, term in enumerate(cells.terms if "session_sd" in draws else ()):
        yield row("group", ALL, "", f"{term}_session_sd", draws["session_sd"][..., i], everyone)
    for c, contrast in enumerate(s.contrasts):
        inside = np.isin(np.arange(len(everyone)), cells.unit_subject[s.design[:, c] != 0])
        for i, term in enumerate(cells.terms):
            yield row("condition", contrast, "", term, draws["condition_effect"][..., c, i], inside)
    for k, subject in enumerate(cells.subjects):
        note = "separated: finite because of the priors" if subject in apart else ""
        values, inside = draws["subject_parameters"][..., k, :], np.arange(len(everyone)) == k
        yield from coefficients("subject", s.groups[s.subject_group[k]], subject, values, inside, note)


def _notes(cells, apart: list[str]) -> list[str]:
    """Say what a reader must know beside the numbers."""
    from pipeline.models.badge import FEW

    s, count, found = cells.structure, len(cells.subjects), []
    members = np.bincount(s.subject_group, minlength=len(s.groups))
    few = [f"{group} {n}" for group, n in zip(s.groups, members) if n < FEW]
    if count == 1:
        found.append("one subject: its coefficients have the prior of a group mean; there is no group level")
    elif few:
        who = f"{count} subjects" if len(s.groups) == 1 else f"groups of few subjects ({', '.join(few)})"
        found.append(
            f"{who}: the SD between subjects rests largely on its prior; nothing is claimed about a population"
        )
    if not cells.nested:
        found.append("one session per subject: what varies between sessions counts as variation between subjects")
    if apart:
        shown = f"{', '.join(apart[:5])}{' …' if len(apart) > 5 else ''}"
        found.append(
            f"the choices of {len(apart)} of {count} subjects ({shown}) are separated by the predictors: alone they "
            "have no finite estimate, and the priors keep theirs finite"
        )
    return found


def _not_run(who: dict, reason: str) -> dict:
    return who | dict.fromkeys(COUNTS, 0) | dict.fromkeys(FACTS) | {
        "passed": False, "reasons": [f"not run: {reason}"], "notes": [], "status": "not run", "attempts": 0,
        "seconds": 0.0,
    }  # fmt: skip


def _together(source: str, badges: dict[str, dict]) -> dict:
    """Sum up the badges of all regressions: the worst of each diagnostic, all reasons by name."""
    run = [b for b in badges.values() if b["status"] == "run"]

    def worst(fact, best):
        values = [b[fact] for b in run if b[fact] is not None]
        return best(values) if values else None

    return {
        "source": source,
        "divergences": sum(b["divergences"] for b in run),
        "max_r_hat": worst("max_r_hat", max),
        **{fact: worst(fact, min) for fact in ("min_ess_bulk", "min_ess_tail", "min_ebfmi")},
        "passed": bool(badges) and all(b["passed"] for b in badges.values()),
        "reasons": [f"{name}: {reason}" for name, b in badges.items() for reason in b["reasons"]],
        "notes": [f"{name}: {note}" for name, b in badges.items() for note in b["notes"]],
        "status": "run" if run else "not run",
        "seconds": round(sum(b["seconds"] for b in badges.values()), 2),
        "regressions": badges,
    }
