"""Stacking: how much weight each model deserves in predicting sessions (or subjects) that it has not seen."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from pipeline.errors import UserError

COLUMNS = ("source", "model", "elpd", "elpd_se", "weight", "passed", "note")


def weights(elpd: np.ndarray, iterations: int = 20000, tolerance: float = 1e-12) -> np.ndarray:
    """Stacking weights w on the simplex that maximise Σ_u log Σ_m w_m exp(elpd_um) (Yao et al. 2018).

    The objective is concave; expectation–maximisation for mixture proportions climbs it without step sizes.

    Parameters
    ----------
    elpd : array (units, models)
        Pointwise expected log predictive densities, of the same units for every model.

    Returns
    -------
    array (models,)
    """
    elpd = np.asarray(elpd, float)
    weight = np.full(elpd.shape[1], 1 / elpd.shape[1])
    for _ in range(iterations):
        with np.errstate(divide="ignore"):
            log_share = np.log(weight) + elpd
        share = np.exp(log_share - logsumexp(log_share, axis=1, keepdims=True))
        new = share.mean(0)
        if np.abs(new - weight).max() < tolerance:
            break
        weight = new
    return new


def stack(badges: Mapping[str, dict], pointwise: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Compare the models of one source.

    A model whose sampler failed, or that was not run, is listed with its reason and takes no part; one with an
    unreliable unit (Pareto k > .7) takes part and is marked in ``note``. With fewer than two models left there is
    nothing to compare: no weight is given, rather than a weight of 1 to whoever is left.

    Parameters
    ----------
    badges : mapping of model → badge
    pointwise : mapping of model → DataFrame
        ``unit``, ``elpd``, ``pareto_k``, ``n_trials``; where they hold several levels (``level``), the badge's
        ``loo_unit`` is read: sessions where subjects have several, else subjects.

    Raises
    ------
    UserError
        If two models were not scored on the same units and trials.
    """
    able = [m for m, badge in badges.items() if badge["passed"] and len(pointwise[m])]
    weight: dict[str, float] = {}
    if len(able) > 1:
        frames = {m: _level(pointwise[m], badges[m].get("loo_unit")) for m in able}
        reference = frames[able[0]]
        for name, frame in frames.items():
            same = len(frame) == len(reference) and all(
                (frame[c].to_numpy() == reference[c].to_numpy()).all() for c in ("unit", "n_trials")
            )
            if not same:
                raise UserError(
                    f"stacking: models {able[0]!r} and {name!r} were not scored on the same trials; fit both again"
                )
        weight = dict(zip(able, weights(np.column_stack([frames[m]["elpd"] for m in able]))))
    rows = []
    for name, badge in badges.items():
        note = "; ".join(badge.get("reasons", []))
        if name in able and name not in weight:
            note = "the only model whose fit passed: nothing to compare it with"
        if name in weight and badge.get("pareto_k_bad"):
            note = f"Pareto k above .7 for {badge['pareto_k_bad']} of {badge['loo_n']} units"
        rows.append(
            (
                badge["source"],
                name,
                badge["elpd_loo"],
                badge["elpd_loo_se"],
                weight.get(name, np.nan),
                badge["passed"],
                note,
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _level(frame: pd.DataFrame, level: str | None) -> pd.DataFrame:
    """Give the rows of one level, by unit."""
    own = frame[frame["level"] == level] if level and "level" in frame else frame
    return own.assign(unit=own["unit"].astype(str)).sort_values("unit").reset_index(drop=True)
