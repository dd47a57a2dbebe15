"""Everything that is asked of ArviZ, in one place: its interface changes between versions."""

from pathlib import Path

import numpy as np

from pipeline.files import replacing

HDI = 0.94
LIMITS = {
    "max_r_hat": 1.01,
    "min_ess_bulk": 400,
    "min_ess_tail": 400,
    "min_ebfmi": 0.3,
}  # Vehtari et al. 2021; Betancourt 2016
KEPT = (
    "group_mean",
    "group_sd",
    "condition_effect",
    "session_sd",
    "subject_parameters",
    "session_parameters",
)
PARETO_K = 0.7  # above this an importance-sampling estimate is not to be trusted (Vehtari et al. 2024)


def keep(idata, trials=None):
    """Reduce a nutpie trace to the parameters of interest and the sampler statistics that are reported.

    With the packed trials given, the draws also say who belongs to whom: the coordinates ``subject_group`` (subject)
    and ``unit_subject`` (unit) hold the name of each subject's group and of each session's subject.
    """
    import arviz as az

    posterior = idata.posterior[[name for name in KEPT if name in idata.posterior]].astype("float32")
    if trials is not None:
        groups, subjects = (np.array(names, object) for names in (trials.structure.groups, trials.subjects))
        posterior = posterior.assign_coords(subject_group=("subject", groups[trials.structure.subject_group]))
        if "unit" in posterior.dims:
            posterior = posterior.assign_coords(unit_subject=("unit", subjects[trials.unit_subject]))
    statistics = idata.sample_stats
    wanted = [n for n in ("diverging", "energy", "n_steps", "depth", "step_size", "logp") if n in statistics]
    return az.InferenceData(posterior=posterior, sample_stats=statistics[wanted])


def diagnose(idata) -> dict:
    """Convergence of a fit: R-hat, effective sample sizes, divergences, E-BFMI, a verdict and its reasons.

    Over all parameters reported, those of sessions included. A fit passes with rank-normalised R-hat ≤ 1.01, bulk and
    tail effective sample size ≥ 400, no divergences and E-BFMI ≥ .3 (Vehtari et al. 2021).
    """
    import arviz as az

    posterior = idata.posterior

    def extreme(statistics, best):
        values = np.concatenate([np.ravel(statistics[name].to_numpy()) for name in statistics.data_vars])
        return float(best(np.nan_to_num(values, nan=np.inf if best is np.max else -np.inf)))

    found = {
        "chains": int(posterior.sizes["chain"]),
        "draws": int(posterior.sizes["draw"]),
        "divergences": int(idata.sample_stats["diverging"].sum()),
        "max_r_hat": extreme(az.rhat(posterior), np.max) if posterior.sizes["chain"] > 1 else None,
        "min_ess_bulk": extreme(az.ess(posterior, method="bulk"), np.min),
        "min_ess_tail": extreme(az.ess(posterior, method="tail"), np.min),
        "min_ebfmi": float(np.min(az.bfmi(idata.sample_stats["energy"].to_numpy()))),
    }
    reasons = [] if found["max_r_hat"] is not None else ["R-hat needs two chains or more"]
    if found["max_r_hat"] is not None and found["max_r_hat"] > LIMITS["max_r_hat"]:
        reasons.append(f"largest R-hat {found['max_r_hat']:.3f}, above {LIMITS['max_r_hat']}")
    for name, words in (("min_ess_bulk", "bulk effective sample size"), ("min_ess_tail", "tail effective sample size")):
        if found[name] < LIMITS[name]:
            reasons.append(f"smallest {words} {found[name]:.0f}, below {LIMITS[name]}")
    if found["min_ebfmi"] < LIMITS["min_ebfmi"]:
        reasons.append(f"smallest E-BFMI {found['min_ebfmi']:.2f}, below {LIMITS['min_ebfmi']}")
    if found["divergences"]:
        reasons.append(f"{found['divergences']} divergent transitions")
    return found | {"passed": not reasons, "reasons": reasons}


def summary(draws: np.ndarray) -> dict[str, float]:
    """Mean, SD, 94 % highest-density interval, R-hat and effective sample sizes of draws (chains, draws)."""
    import arviz as az

    draws = np.asarray(draws, float)
    low, high = hdi(draws.ravel())
    return {
        "mean": float(draws.mean()),
        "sd": float(draws.std(ddof=1)),
        "low": low,
        "high": high,
        "r_hat": float(az.rhat(draws)) if len(draws) > 1 else np.nan,
        "ess_bulk": float(az.ess(draws, method="bulk")),
        "ess_tail": float(az.ess(draws, method="tail")),
    }


def hdi(draws: np.ndarray) -> tuple[float, float]:
    """94 % highest-density interval: the shortest that holds 94 % of the draws."""
    import arviz as az

    low, high = az.hdi(np.asarray(draws, float).ravel(), hdi_prob=HDI)
    return float(low), float(high)


def smooth(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed, normalised log importance weights (…, draws) and Pareto k (…,) (Vehtari et al. 2024)."""
    import arviz as az

    log_weights = np.asarray(log_weights, float)
    if np.ptp(log_weights, axis=-1).max() < 1e-9:  # all weights alike: nothing to smooth
        return np.full(log_weights.shape, -np.log(log_weights.shape[-1])), np.full(log_weights.shape[:-1], -np.inf)
    smoothed, k = az.psislw(np.array(log_weights))
    return np.asarray(smoothed), np.asarray(k)


def flat(idata, name: str) -> np.ndarray | None:
    """Draws of one variable, (chains × draws, …); None if the model has no such variable."""
    if name not in idata.posterior:
        return None
    values = idata.posterior[name].to_numpy()
    return values.reshape(-1, *values.shape[2:]).astype(float)


def of_units(idata) -> np.ndarray:
    """Draws of the parameters at which each unit's choices are evaluated, (draws, units, parameters)."""
    return flat(idata, "session_parameters" if "session_parameters" in idata.posterior else "subject_parameters")


def write(idata, path: Path) -> None:
    """Write draws to netCDF, whole or not at all."""
    with replacing(path) as temporary:
        idata.to_netcdf(str(temporary), engine="h5netcdf", compress=True)


def read(path: Path):
    """Read draws from netCDF."""
    import arviz as az

    return az.from_netcdf(str(path), engine="h5netcdf")


def nothing(reason: str):
    """Stand in for the draws of a fit that was not run."""
    import arviz as az
    import xarray as xr

    return az.InferenceData(posterior=xr.Dataset({"not_run": 1}, attrs={"status": "not run", "reason": reason}))
