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
from pipeline.models.badge import LOO_COLUMNS, LOO_FACTS, counts, left_out, notes
from pipeline.models.card import ModelCard
from pipeline.models.data import Trials, pack, resolve, used
from pipeline.models.posterior_table import COLUMNS as POSTERIOR
from pipeline.models.posterior_table import posterior_table
from pipeline.seeds import generator


@dataclass(frozen=True)
class Settings:
    """How to sample: draws and tuning steps per chain, chains, threads, root seed, NUTS target acceptance.

    ``retry``: once, when diagnostics fail, with twice the tuning, and twice the draws or, after divergences, smaller
    steps. ``refits``: how often leave-one-out may sample anew without a session or subject that importance weights
    cannot leave out; those beyond are flagged. ``episodes``: the first of each subject are read, all where it is 0.
    """

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    threads: int = 1
    seed: int = 1
    target_accept: float = 0.9
    loo: bool = True
    retry: bool = True
    refits: int = 6
    episodes: int = 0

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
        if found.episodes < 0:
            raise UserError(f"fit setting 'episodes' is {found.episodes}; it must be 0 (all of them) or more")
        if found.refits < 0:
            raise UserError(f"fit setting 'refits' is {found.refits}; it must be 0 or more (0: flag, do not refit)")
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
    loo: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LOO_COLUMNS))

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
        If the model is unknown, a setting is wrong, a column that the model needs is missing or has gaps, no trial is
        free, or the table is otherwise not what `pipeline.models.data.pack` asks for.

    Notes
    -----
    Little data gets a correct answer, and a note in the badge. A lone subject has the prior of a group's mean and no
    level of groups; a group of one subject, and any of fewer than 8, takes its SD largely from the prior. Without
    several sessions there is no level of sessions, and subjects are left out instead, of a lone subject episodes. Where
    all free choices of a subject are alike its likelihood has no maximum; the posterior is proper, and what it says of
    the temperature comes from the prior. Trials without a choice are not scored and leave the learner's state as it is.
    """
    card, settings = model(model_name), Settings.of(settings)
    if source is None:
        source = str(table["source"].iloc[0]) if len(table) else str(table.attrs.get("source", ""))
    if not len(table):
        return not_run(card, source, table.attrs.get("reason") or "the source has no trials")
    from pipeline.models import diagnose, hierarchy
    from pipeline.models.laplace import em
    from pipeline.models.loo import leave_one_out
    from pipeline.models.refit import Refits

    started = time.perf_counter()
    card = resolve(card, table)
    whole, table = table, used(table, card, settings.episodes)
    trials = pack(table, card)
    laplace = em(card, trials)
    seed = int(generator(settings.seed, "models", source, card.name).integers(2**31))
    compiled = hierarchy.program(card, trials, laplace)
    chains = {"chains": settings.chains, "threads": settings.threads}
    plan = {"draws": settings.draws, "tune": settings.tune, "target_accept": settings.target_accept}
    idata = diagnose.keep(hierarchy.sample(compiled, **plan, **chains, seed=seed), trials)
    check, attempts = diagnose.diagnose(idata), 1
    if not check["passed"] and settings.retry and settings.chains > 1:
        plan["tune"] *= 2
        if check["divergences"]:
            plan["target_accept"] = max(0.98, settings.target_accept)
        else:
            plan["draws"] *= 2
        again = diagnose.keep(hierarchy.sample(compiled, **plan, **chains, seed=seed + 1), trials)
        second, attempts = diagnose.diagnose(again), 2
        if second["passed"] or len(second["reasons"]) <= len(check["reasons"]):
            idata, check = again, second
    pointwise, facts = pd.DataFrame(columns=LOO_COLUMNS), dict.fromkeys(LOO_FACTS)
    if settings.loo:
        refits = Refits(card, trials, compiled, plan | chains, seed, settings.refits)
        pointwise, facts = leave_one_out(card, trials, table, idata, seed, refits)
    badge = {
        "source": source,
        "model": card.name,
        **counts(trials),
        **{name: check[name] for name in ("chains", "draws")},
        "tune": plan["tune"],
        **{name: check[name] for name in ("divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi")},
        "log_likelihood_per_trial": _fit_per_trial(card, trials, idata),
        **facts,
        "passed": check["passed"],
        "reasons": check["reasons"],
        "notes": [*left_out(whole, trials), *notes(trials, table, facts)],
        "status": "run",
        "attempts": attempts,
        "seconds": round(time.perf_counter() - started, 2),
    }
    return FitResult(idata, posterior_table(card, source, trials, laplace, idata), badge, pointwise)


def not_run(card: ModelCard, source: str, reason: str) -> FitResult:
    """Give a valid result for a fit that was not run, with its reason."""
    from pipeline.models import diagnose

    badge = {"source": source, "model": card.name}
    badge |= dict.fromkeys(("n_subjects", "n_sessions", "n_episodes", "n_trials", "chains", "draws", "tune"), 0)
    empty = ("divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi", "log_likelihood_per_trial")
    badge |= dict.fromkeys(empty) | dict.fromkeys(LOO_FACTS) | {"groups": {}, "conditions": []}
    badge |= {
        "passed": False,
        "reasons": [f"not run: {reason}"],
        "notes": [],
        "status": "not run",
        "attempts": 0,
        "seconds": 0.0,
    }
    return FitResult(diagnose.nothing(reason), pd.DataFrame(columns=POSTERIOR), badge)


def _fit_per_trial(card: ModelCard, trials: Trials, idata) -> float:
    """Posterior mean of the log-likelihood per free choice, over 100 thinned draws."""
    from pipeline.models.diagnose import of_units
    from pipeline.models.modes import objective

    eta = of_units(idata)
    eta = eta[:: max(len(eta) // 100, 1)]
    return float(np.mean([objective(card, trials, e)[0].sum() for e in eta]) / trials.scored)


def _plain(value):
    """Make a value fit for JSON: no numpy types, no infinities."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
