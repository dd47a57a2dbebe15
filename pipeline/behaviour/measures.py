"""A measure: sums per episode, and the number made of them. What the bootstrap resamples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measure:
    """Something computed from sums over episodes, so that resampling episodes, sessions or subjects is a weighted sum.

    ``value`` maps sums (…, m) to values (…, q), ``count`` to the number of trials or episodes behind each. ``pooled``
    measures add up all subjects' sums; the others (entropies, which are not linear) are averaged over subjects.
    """

    name: str
    x: np.ndarray  # (q,) abscissa; a single 0 for a summary statistic
    sums: np.ndarray  # (episodes, m)
    value: Callable[[np.ndarray], np.ndarray]
    count: Callable[[np.ndarray], np.ndarray]
    pooled: bool = True


def ratio(name: str, numerator: np.ndarray, denominator: np.ndarray, x=(0,), cumulative: bool = False) -> Measure:
    """Ratio of sums Σ numerator / Σ denominator, or its running total over ``x``; nan where the denominator is 0.

    ``numerator`` and ``denominator`` are (episodes,) or (episodes, q).
    """
    x = np.asarray(x)
    q = len(x)
    sums = np.concatenate([np.reshape(part, (-1, q)) for part in (numerator, denominator)], 1, dtype=float)

    def value(total):
        with np.errstate(invalid="ignore", divide="ignore"):
            found = total[..., :q] / total[..., q:]
        return np.cumsum(found, -1) if cumulative else found

    return Measure(name, x, sums, value, lambda total: total[..., q:])


def conditional_entropy(name: str, cells: np.ndarray) -> Measure:
    """Conditional entropy H(S | C) = −Σ_{s,c} p(s, c) log2 p(s | c) in bits from counts.

    ``cells`` is (episodes, conditions, strategies). Pooled within a subject, then averaged over subjects: pooling
    unlike subjects would add their differences to the entropy.
    """
    _, conditions, strategies = cells.shape

    def value(total):
        count = total.reshape(*total.shape[:-1], conditions, strategies)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = count / count.sum(-1, keepdims=True)
            bits = np.where(count > 0, -count * np.log2(np.where(count > 0, share, 1)), 0).sum((-1, -2))
            return (bits / total.sum(-1))[..., None]

    def count(total):
        return total.sum(-1, keepdims=True)

    return Measure(name, np.zeros(1), cells.reshape(len(cells), -1).astype(float), value, count, pooled=False)
