"""Regressions and t tests of fitted learning rates on volatility, within one subject."""

import numpy as np
import pandas as pd
from scipy.stats import norm, ttest_ind
from scipy.stats import t as student

GAP = (2 / 30, 4 / 30)  # volatilities that training left out: between the two intervals of the restless bandit
INNER = "_inner"  # suffix of a statistic over the episodes whose fit lies on no bound
BLANK = (np.nan,) * 5  # value, standard error, low, high, p


def statistics(own: pd.DataFrame, gap: tuple[float, float] = GAP, level: float = 0.95) -> dict[str, tuple]:
    """Compute all statistics of one subject's fitted episodes: name → (value, SE, low, high, p, episodes)."""
    alpha, volatility = own["alpha"].to_numpy(float), own["volatility"].to_numpy(float)
    known = np.isfinite(alpha)
    inner = known & (own["at_bound"] == 0).to_numpy(bool) & (own["one_option"] == 0).to_numpy(bool)
    found = {}
    for suffix, keep in (("", known), (INNER, inner)):
        part = _relation(alpha[keep], volatility[keep], gap, level)
        found |= {f"{name}{suffix}": value for name, value in part.items()}
    shares = {
        "share_at_bound": own["at_bound"].to_numpy(float),
        "share_one_option": own["one_option"].to_numpy(float),
        "share_no_alpha": (~known).astype(float),
    }
    error = {name: flag.std(ddof=1) / np.sqrt(len(flag)) if len(flag) > 1 else np.nan for name, flag in shares.items()}
    return found | {name: (flag.mean(), error[name], *BLANK[:3], len(flag)) for name, flag in shares.items()}


def _relation(alpha: np.ndarray, volatility: np.ndarray, gap: tuple[float, float], level: float) -> dict[str, tuple]:
    low, high = volatility <= gap[0], volatility >= gap[1]
    middle = ~low & ~high
    slope, intercept, share = _regress(alpha, volatility, level)
    inside, _, inside_share = _regress(alpha[middle], volatility[middle], level)
    found = {"alpha_slope": slope, "alpha_intercept": intercept, "alpha_r_squared": share}
    for name, third in (("low", low), ("middle", middle), ("high", high)):
        found[f"alpha_{name}"] = _mean(alpha[third], level)
    found["middle_minus_low"] = _difference(alpha[middle], alpha[low], level)
    found["high_minus_middle"] = _difference(alpha[high], alpha[middle], level)
    return found | {"heldout_slope": inside, "heldout_r_squared": inside_share}


def _regress(y: np.ndarray, x: np.ndarray, level: float) -> tuple[tuple, tuple, tuple]:
    """Slope, intercept and R² of y on x by least squares, each (value, standard error, low, high, p, n).

    The interval of R² is that of the correlation by Fisher's z, squared; it begins at 0 where r may have either sign.
    Its standard error is half the interval's width over the normal quantile: 2 |r| (1 − r²) / √n would be 0 at r = 0.
    """
    import statsmodels.api as sm

    n = len(y)
    if n < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return ((*BLANK, n),) * 3
    fit = sm.OLS(y, np.stack([np.ones(n), x], 1)).fit()
    (b0, b1), ends = fit.params, fit.conf_int(1 - level)
    z = np.arctanh(np.clip(np.corrcoef(x, y)[0, 1], -1 + 1e-12, 1 - 1e-12))
    critical = norm.ppf((1 + level) / 2)
    reach = critical / np.sqrt(n - 3)
    r = np.tanh([z - reach, z + reach])
    least = 0.0 if r[0] < 0 < r[1] else (r**2).min()
    most = (r**2).max()
    p, errors = float(fit.pvalues[1]), fit.bse
    return (
        (float(b1), float(errors[1]), *map(float, ends[1]), p, n),
        (float(b0), float(errors[0]), *map(float, ends[0]), float(fit.pvalues[0]), n),
        (float(fit.rsquared), float((most - least) / 2 / critical), float(least), float(most), p, n),
    )


def _mean(values: np.ndarray, level: float) -> tuple:
    n = len(values)
    if n < 2:
        return values.mean() if n else np.nan, *BLANK[1:], n
    error = values.std(ddof=1) / np.sqrt(n)
    half = student.ppf((1 + level) / 2, n - 1) * error
    return values.mean(), error, values.mean() - half, values.mean() + half, np.nan, n


def _difference(above: np.ndarray, below: np.ndarray, level: float) -> tuple:
    """Difference of two means by Welch's t test (two-sided, variances of their own)."""
    n = len(above) + len(below)
    if min(len(above), len(below)) < 2 or np.ptp(above) == np.ptp(below) == 0:
        return *BLANK, n
    test = ttest_ind(above, below, equal_var=False)
    low, high = test.confidence_interval(level)
    error = np.hypot(*(x.std(ddof=1) / np.sqrt(len(x)) for x in (above, below)))
    return float(above.mean() - below.mean()), float(error), float(low), float(high), float(test.pvalue), n
