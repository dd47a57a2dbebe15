"""Is a posterior calibrated? Ranks of truths among draws, bands for them, coverage, and how good the draws are.

If truths come from the prior and draws from the posterior that belongs to their data, then the rank of the truth among
independent draws is uniform, for every parameter and every function of parameters and data (Talts et al. 2018; Modrák
et al. 2023). Uniformity is judged by the whole cumulative distribution, with exact simultaneous bands (Säilynoja,
Bürkner & Vehtari 2022), and intervals by how often they hold the truth.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import beta, binom, norm

LEVEL = 0.94  # of the intervals whose coverage is counted: that of all intervals reported
CELLS = 64  # values of the band's width per round of the search


def rank(truth: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Count the draws below the truth: (…,) for truths (…,) and draws (draws, …)."""
    return (np.asarray(draws) < np.asarray(truth)).sum(0)


def thin(draws: np.ndarray, keep: int) -> np.ndarray:
    """Take ``keep`` evenly spaced draws out of (draws, …), the last among them."""
    count = len(draws)
    return draws[np.round(np.arange(1, keep + 1) * count / keep).astype(int) - 1]


@dataclass(frozen=True)
class Band:
    """Simultaneous band of the empirical distribution of ``datasets`` ranks among ``draws`` draws.

    ``points`` z_k = k / (draws + 1), k = 1 … draws; ``low`` and ``high`` the least and most ranks below k with which
    the distribution stays inside. With probability ``level`` or a little more all points of a calibrated sampler do.
    """

    level: float
    datasets: int
    points: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def holds(self, ranks: np.ndarray) -> bool:
        """Whether the distribution of these ranks (datasets,) stays inside at every point."""
        found = counts(ranks, len(self.points))
        return bool(((self.low <= found) & (found <= self.high)).all())


def counts(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Count the ranks (…, datasets) below k, for k = 1 … draws: (…, draws)."""
    ranks = np.asarray(ranks)
    return (ranks[..., None] < np.arange(1, draws + 1)).sum(-2)


@lru_cache
def band(datasets: int, draws: int, level: float) -> Band:
    """Simultaneous band for ranks 0 … ``draws`` of ``datasets`` data sets (Säilynoja et al. 2022).

    At every point z the number of ranks below is binomial(datasets, z); the band is the central interval of each that
    leaves out more than γ / 2 on neither side, with the largest γ for which the whole distribution stays inside with
    probability ``level``. That probability is exact, by a recursion over the points, not simulated.

    Parameters
    ----------
    datasets, draws : int
        Number of ranks, and of the draws among which each was taken.
    level : float
        Of the band, e.g. .99.
    """
    low, high = 0.0, 1.0
    for _ in range(4):
        widths = np.linspace(low, high, CELLS)
        enough = np.flatnonzero(inside_probability(widths, datasets, draws) >= level)
        best = int(enough[-1]) if len(enough) else 0
        low, high = widths[best], widths[min(best + 1, CELLS - 1)]
    least, most = _limits(low, datasets, draws)
    return Band(level, datasets, np.arange(1, draws + 1) / (draws + 1), least, most)


def p_values(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Probability that ranks of a calibrated sampler stray at some point as far as these (…, datasets) or farther.

    Below 1 − level exactly where the distribution leaves the band of that level.
    """
    ranks = np.asarray(ranks)
    datasets = ranks.shape[-1]
    found, share = counts(ranks, draws), np.arange(1, draws + 1) / (draws + 1)
    tail = np.minimum(binom.cdf(found, datasets, share), binom.sf(found - 1, datasets, share)).min(-1)
    straying = np.minimum(2 * tail, 1).ravel()
    return (1 - inside_probability(straying * (1 + 1e-9), datasets, draws)).clip(0, 1).reshape(tail.shape)


def inside_probability(widths: np.ndarray, datasets: int, draws: int) -> np.ndarray:
    """Probability that all points stay inside bands of pointwise tails γ / 2, one for each γ of ``widths`` (γs,).

    Given that c ranks lie below k, the number below k + 1 is c + binomial(datasets − c, 1 / (draws + 1 − k)): the
    probability of every count is carried from point to point, and what lies outside the band is dropped.
    """
    widths = np.atleast_1d(widths)
    limits = [_limits(width, datasets, draws) for width in widths]
    every = np.arange(datasets + 1)
    more = every[None, :] - every[:, None]  # new − old count
    state = np.zeros((len(widths), datasets + 1))
    state[:, 0] = 1
    for k in range(draws):
        step = np.where(more >= 0, binom.pmf(more, datasets - every[:, None], 1 / (draws + 1 - k)), 0)
        state = state @ step
        for row, (least, most) in zip(state, limits):
            row[: max(least[k], 0)] = 0
            row[most[k] + 1 :] = 0
    return state.sum(1)


def _limits(width: float, datasets: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and most counts at every point whose tails, they themselves included, hold at least γ / 2 each."""
    share = np.arange(1, draws + 1)[:, None] / (draws + 1)
    every = np.arange(datasets + 1)
    fits = (binom.cdf(every, datasets, share) >= width / 2) & (binom.sf(every - 1, datasets, share) >= width / 2)
    low = fits.argmax(1)
    return low, np.where(fits.any(1), datasets - fits[:, ::-1].argmax(1), low - 1)


def interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Central interval of draws (draws, …), between the order statistics (n + 1) q.

    Of n independent draws and the truth, which under calibration is one more draw, it holds the truth with probability
    ``level`` exactly, however few the draws are (a highest-density interval of few draws is too short).
    """
    return tuple(np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull"))


def proportion_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a proportion (Clopper & Pearson 1934)."""
    tail = (1 - level) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def covers(successes: int, trials: int, tests: int, expected: float = LEVEL, level: float = 0.99) -> bool:
    """Whether so few intervals held the truth as chance alone allows.

    Fails only where binomial(trials, expected) is that small with a probability below (1 − level) / tests: the
    one-sided limit corrected for the number of parameters tested (Bonferroni).
    """
    return bool(binom.cdf(successes, trials, expected) >= (1 - level) / tests)


def effective_size(draws: np.ndarray) -> np.ndarray:
    """Bulk effective sample size of one chain of draws (draws, …), (…,) (Vehtari et al. 2021).

    The chain is split in halves and the draws replaced by normal scores of their ranks; autocorrelations are summed up
    to the first negative pair, made monotone (Geyer 1992). Equal to ArviZ's, for all quantities in one pass.
    """
    halves = _scores(_split(draws))
    count = halves.shape[1]
    centred = halves - halves.mean(1, keepdims=True)
    size = 1 << (2 * count - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    autocovariance = np.fft.irfft(power, size, axis=1)[:, :count].mean(0) / count
    within = autocovariance[0] * count / (count - 1)
    total = autocovariance[0] + halves.mean(1).var(0, ddof=1)
    correlation = 1 - (within - autocovariance) / total
    correlation[0] = 1
    pairs = correlation[: count - count % 2].reshape(-1, 2, *correlation.shape[1:])
    together = pairs.sum(1)
    # Pairs before the first that is not positive, no later one larger than an earlier one; then the next even lag.
    kept = np.logical_and.accumulate(together > 0, axis=0)
    kept[(count - 3) // 2 :] = False
    summed = np.where(kept, np.minimum.accumulate(together, axis=0), 0).sum(0)
    after = np.minimum(kept.sum(0), len(together) - 1)
    tail = np.take_along_axis(pairs[:, 0], after[None], 0)[0]
    length = -1 + 2 * summed + np.where(tail > 0, tail, 0)
    return 2 * count / np.maximum(length, 1 / np.log10(2 * count))


def split_r_hat(draws: np.ndarray) -> np.ndarray:
    """R-hat of the halves of a chain (draws, …), of ranks or folded ranks, the larger (Vehtari et al. 2021)."""
    folded = np.abs(draws - np.median(draws, axis=0))

    def plain(halves):
        count = halves.shape[1]
        within, between = halves.var(1, ddof=1).mean(0), halves.mean(1).var(0, ddof=1)
        return np.sqrt((count - 1) / count + between / within)

    return np.maximum(plain(_scores(_split(draws))), plain(_scores(_split(folded))))


def _split(draws: np.ndarray) -> np.ndarray:
    """Both halves, (2, half, …); of an odd number the middle draw is left out."""
    half = len(draws) // 2
    return np.stack([draws[:half], draws[-half:]])


def _scores(halves: np.ndarray) -> np.ndarray:
    """Replace draws by normal scores of their ranks over both halves."""
    flat = halves.reshape(-1, *halves.shape[2:])
    order = flat.argsort(0, kind="stable").argsort(0, kind="stable") + 1
    return norm.ppf((order - 0.375) / (len(flat) + 0.25)).reshape(halves.shape)
