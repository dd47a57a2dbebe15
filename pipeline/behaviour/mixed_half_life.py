"""Half-lives of history kernels, from posterior draws."""

import numpy as np

SHORTEST, LONGEST = 0.1, 10.0  # trials, and multiples of the number of lags: beyond these there is no half-life
STEPS = 300
CLEAR = 0.97  # share of draws in which the kernel has one sign; else there is nothing that could decay


def half_lives(kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half-life h, in trials, of the exponential A·2^(−(k − 1)/h) through each draw of a kernel.

    Least squares over lags k = 1 … L, each weighted by the posterior precision of the kernel there. For a given h the
    best A is known, so that the fit is a search along h alone: over a grid in log h, and a parabola through its best
    three points. No start can lead it astray, and several thousand draws take milliseconds.

    Parameters
    ----------
    kernels : array (draws, L)
        Posterior draws of one kernel; L is 3 or more.

    Returns
    -------
    half_life, amplitude : arrays (draws,)
        A half-life at the edge, `SHORTEST` trials or `LONGEST` · L, stands for a kernel that is over at once or does
        not decay: it has none (`exists`).

    References
    ----------
    Lau & Glimcher 2005, J Exp Anal Behav 84:555 (kernels); the fit to draws is this project's.
    """
    lags = kernels.shape[1]
    weight = 1 / np.maximum(kernels.var(0), 1e-12)
    axis = np.linspace(np.log(SHORTEST), np.log(LONGEST * lags), STEPS)
    curve = 2.0 ** (-np.arange(lags) * np.exp(-axis)[:, None])  # (steps, L)
    size = (weight * curve**2).sum(1)
    along = kernels @ (weight * curve).T  # (draws, steps)
    gain = along**2 / size  # how much of the weighted sum of squares the best A explains
    best = gain.argmax(1)
    inner = np.clip(best, 1, STEPS - 2)
    row = np.arange(len(kernels))
    left, middle, right = (gain[row, inner + d] for d in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros(len(kernels)), where=bend < 0)
    found = axis[inner] + np.clip(shift, -0.5, 0.5) * (axis[1] - axis[0])
    edge = (best == 0) | (best == STEPS - 1)
    return np.exp(np.where(edge, axis[best], found)), along[row, best] / size[best]


def exists(half_life: np.ndarray, lags: int) -> np.ndarray:
    """Whether each half-life lies inside the range searched."""
    return (half_life > SHORTEST * 1.001) & (half_life < LONGEST * lags * 0.999)


def summarise(kernels: np.ndarray) -> tuple[dict[str, float], str]:
    """Posterior of a half-life from draws (chains, draws, L) of a kernel, and a note.

    Mean, SD and interval are over the draws that have one; the note says how many have none. Nothing is given where
    that is half of them or more, where the kernel's sign is uncertain (`CLEAR`), or with fewer than 3 lags. R-hat and
    effective sample sizes, which go by ranks, are over all draws, those without in the extreme ranks.
    """
    from pipeline.models.diagnose import hdi, summary

    nothing = dict.fromkeys(("mean", "sd", "low", "high", "r_hat", "ess_bulk", "ess_tail"), np.nan)
    lags = kernels.shape[2]
    if lags < 3:
        return nothing, "no half-life: it takes three lags or more"
    value, amplitude = half_lives(kernels.reshape(-1, lags))
    there = exists(value, lags)
    if max((amplitude > 0).mean(), (amplitude < 0).mean()) < CLEAR:
        return nothing, "no half-life: the kernel may be 0, or of either sign"
    share = 1 - there.mean()
    if share >= 0.5:
        return nothing, f"no half-life: the kernel does not decay in {share:.0%} of the draws"
    kept = value[there]
    low, high = hdi(kept)
    found = summary(value.reshape(kernels.shape[:2]))
    found |= {"mean": float(kept.mean()), "sd": float(kept.std(ddof=1)), "low": low, "high": high}
    return found, f"{(~there).sum():,} of {len(value):,} draws have no half-life" if share else ""
