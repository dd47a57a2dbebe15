"""Fit one model to one source, and what is written of it: draws, table, badge, pointwise cross-validation."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.files import replacing
from pipeline.models import model
from pipeline.models.card import ModelCard
from pipeline.models.data import LANE, Trials, pack, used
from pipeline.seeds import generator

POSTERIOR = ("source", "model", "level", "subject", "parameter", "mean", "sd", "low", "high", "r_hat", "ess_bulk",
             "ess_tail", "shrinkage")  # fmt: skip
LOO = ("unit", "elpd", "pareto_k", "n_trials", "method")
FEW = 8  # subjects below which nothing is claimed about a population


@dataclass(frozen=True)
class Settings:
    """How to sample: draws and tuning steps per chain, chains, threads, root seed, NUTS target acceptance."""

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    threads: int = 1
    seed: int = 1
    target_accept: float = 0.9
    loo: bool = True
    retry: bool = (
        True  # once, when diagnostics fail: twice the tuning, and twice the draws or, after divergences, smaller steps
    )

    @classmethod
    def of(cls, settings: "Mapping | Settings | None") -> "Settings":
        """Make settings from a mapping; unknown names are an error."""
        if isinstance(settings, Settings):
            return settings
        settings = dict(settings or {})
        known = {f.name for f in fields(cls)}
        for name in settings:
            if name not in known:
                raise UserError(f"fit setting {name!r} is not known; known are {', '.join(sorted(known))}")
        found = cls(**settings)
        for name in ("draws", "tune", "chains", "threads"):
            if getattr(found, name) < 1:
                raise UserError(f"fit setting {name!r} is {getattr(found, name)}; it must be 1 or more")
        if not 0 < found.target_accept < 1:
            raise UserError(
                f"fit setting 'target_accept' is {found.target_accept}; it must lie between 0 and 1 (usual: .8 to .99)"
            )
        return found


@dataclass
class FitResult:
    """Draws (ArviZ), posterior table, badge and pointwise leave-one-out table of one fit."""

    idata: object
    posterior: pd.DataFrame
    badge: dict
    loo: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LOO))

    def write(self, nc: Path, posterior_csv: Path, badge_json: Path, loo_csv: Path) -> None:
        """Write the four files, each whole or not at all."""
        from pipeline.models import diagnose

        diagnose.write(self.idata, nc)
        for frame, path in ((self.posterior, posterior_csv), (self.loo, loo_csv)):
            with replacing(path) as temporary:
                frame.to_csv(temporary, index=False)
        with replacing(badge_json) as temporary:
            Path(temporary).write_text(json.dumps(_plain(self.badge), indent=1, ensure_ascii=False) + "\n")


def fit(
    table: pd.DataFrame, model_name: str, settings: Mapping | Settings | None = None, source: str | None = None
) -> FitResult:
    """Fit a hierarchical model to one source by NUTS, check it, and cross-validate it.

    Parameters
    ----------
    table : DataFrame
        Trial table of one source. Without rows the result is a badge that says 'not run' and why.
    model_name : str
        A name of `pipeline.models.MODELS`.
    settings : mapping or Settings, optional
        See `Settings`.
    source : str, optional
        Name of the source, needed where the table has no rows.

    Raises
    ------
    UserError
        If the model is unknown, a setting is wrong, a column that the model needs is missing, or no trial is free.
    """
    card, settings = model(model_name), Settings.of(settings)
    if source is None:
        source = str(table["source"].iloc[0]) if len(table) else str(table.attrs.get("source", ""))
    if not len(table):
        return not_run(card, source, table.attrs.get("reason") or "the source has no trials")
    from pipeline.models import diagnose, hierarchy
    from pipeline.models.laplace import em
    from pipeline.models.loo import leave_one_out

    started = time.perf_counter()
    whole, table = table, used(table, card)
    trials = pack(table, card)
    laplace = em(card, trials)
    seed = int(generator(settings.seed, "models", source, card.name).integers(2**31))
    compiled = hierarchy.program(card, trials, laplace)
    chains = {"chains": settings.chains, "threads": settings.threads}
    plan = {"draws": settings.draws, "tune": settings.tune, "target_accept": settings.target_accept}
    idata = diagnose.keep(hierarchy.sample(compiled, **plan, **chains, seed=seed))
    check, attempts = diagnose.diagnose(idata), 1
    if not check["passed"] and settings.retry and settings.chains > 1:
        plan["tune"] *= 2
        if check["divergences"]:
            plan["target_accept"] = max(0.98, settings.target_accept)
        else:
            plan["draws"] *= 2
        again = diagnose.keep(hierarchy.sample(compiled, **plan, **chains, seed=seed + 1))
        second, attempts = diagnose.diagnose(again), 2
        if second["passed"] or len(second["reasons"]) <= len(check["reasons"]):
            idata, check = again, second
    pointwise, facts = (
        leave_one_out(card, trials, table, idata, seed) if settings.loo else (pd.DataFrame(columns=LOO), _no_loo())
    )
    badge = {
        "source": source,
        "model": card.name,
        **_counts(trials),
        **{name: check[name] for name in ("chains", "draws")},
        "tune": plan["tune"],
        **{name: check[name] for name in ("divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi")},
        "log_likelihood_per_trial": _fit_per_trial(card, trials, idata),
        **facts,
        "passed": check["passed"],
        "reasons": check["reasons"],
        "notes": [*_left_out(whole, trials, card), *_notes(trials, facts)],
        "status": "run",
        "attempts": attempts,
        "seconds": round(time.perf_counter() - started, 2),
    }
    return FitResult(idata, _posterior(card, source, trials, laplace, idata), badge, pointwise)


def not_run(card: ModelCard, source: str, reason: str) -> FitResult:
    """Give a valid result for a fit that was not run, with its reason."""
    from pipeline.models import diagnose

    badge = {"source": source, "model": card.name}
    badge |= dict.fromkeys(("n_subjects", "n_sessions", "n_episodes", "n_trials", "chains", "draws", "tune"), 0)
    empty = ("divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi", "log_likelihood_per_trial")
    badge |= dict.fromkeys(empty) | _no_loo()
    badge |= {
        "passed": False,
        "reasons": [f"not run: {reason}"],
        "notes": [],
        "status": "not run",
        "attempts": 0,
        "seconds": 0.0,
    }
    return FitResult(diagnose.nothing(reason), pd.DataFrame(columns=POSTERIOR), badge)


def _no_loo() -> dict:
    return dict.fromkeys(("elpd_loo", "elpd_loo_se", "p_loo", "loo_unit", "loo_n", "pareto_k_max", "pareto_k_bad"))


def _counts(trials: Trials) -> dict[str, int]:
    return {
        "n_subjects": len(trials.subjects),
        "n_sessions": trials.units,
        "n_episodes": len(trials.lanes),
        "n_trials": trials.scored,
    }


def _left_out(whole: pd.DataFrame, trials: Trials, card: ModelCard) -> list[str]:
    """Say so where a fit reads only the first episodes of each subject."""
    total = len(whole[LANE].drop_duplicates())
    if not card.most_episodes or total <= len(trials.lanes):
        return []
    return [
        f"fitted to the first {card.most_episodes} episodes of each subject, {len(trials.lanes):,} of {total:,} "
        f"({trials.scored:,} free choices)"
    ]


def _notes(trials: Trials, facts: dict) -> list[str]:
    """Say what a reader must know beside the numbers."""
    count, notes = len(trials.subjects), []
    if count == 1:
        notes.append("one subject: its parameters have the prior of a group mean; there is no group level")
    elif count < FEW:
        notes.append(
            f"{count} subjects: the SD between subjects comes largely from its prior; "
            "nothing is claimed about a population"
        )
    if facts["pareto_k_bad"]:
        notes.append(
            f"leave-one-{facts['loo_unit']}-out: Pareto k above .7 for {facts['pareto_k_bad']} of {facts['loo_n']}; "
            "their contribution to elpd is unreliable"
        )
    return notes


def _fit_per_trial(card: ModelCard, trials: Trials, idata) -> float:
    """Posterior mean of the log-likelihood per free choice, over 100 thinned draws."""
    from pipeline.models.diagnose import flat
    from pipeline.models.laplace import objective

    eta = flat(idata, "session_parameters" if trials.nested else "subject_parameters")
    eta = eta[:: max(len(eta) // 100, 1)]
    return float(np.mean([objective(card, trials, e)[0].sum() for e in eta]) / trials.scored)


def _posterior(card: ModelCard, source: str, trials: Trials, laplace, idata) -> pd.DataFrame:
    """Tidy summary: group level (natural value at the group mean, SDs on the link's scale) and every subject.

    ``shrinkage`` of a subject's parameter is v / (v + σ²), the weight of the group mean in its estimate: v the
    variance of the estimate from the subject's data alone (Laplace), σ² the mean posterior variance between subjects.
    On the group's row it is the mean over subjects.
    """
    from pipeline.models.diagnose import flat, summary
    from pipeline.models.links import INVERSE

    draws = {name: idata.posterior[name].to_numpy() for name in idata.posterior}
    group_sd = flat(idata, "group_sd")
    shrinkage = np.full((len(trials.subjects), len(card.parameters)), np.nan)
    if group_sd is not None:
        shrinkage = laplace.of_subject.variance / (laplace.of_subject.variance + (group_sd**2).mean(0))
    rows = []
    for i, parameter in enumerate(card.parameters):
        inverse = INVERSE[parameter.link]
        if group_sd is not None:
            rows.append(("group", "", parameter.name, inverse(draws["group_mean"][..., i]), shrinkage[:, i].mean()))
            rows.append(("group", "", f"{parameter.name}_group_sd", draws["group_sd"][..., i], np.nan))
        if "session_sd" in draws:
            rows.append(("group", "", f"{parameter.name}_session_sd", draws["session_sd"][..., i], np.nan))
        for s, subject in enumerate(trials.subjects):
            values = inverse(draws["subject_parameters"][..., s, i])
            rows.append(("subject", subject, parameter.name, values, shrinkage[s, i]))
    table = [
        {"source": source, "model": card.name, "level": level, "subject": subject, "parameter": name}
        | summary(values)
        | {"shrinkage": weight}
        for level, subject, name, values, weight in rows
    ]
    return (
        pd.DataFrame(table, columns=POSTERIOR).sort_values(["level", "subject"], kind="stable").reset_index(drop=True)
    )


def _plain(value):
    """Make a value fit for JSON: no numpy types, no infinities."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
