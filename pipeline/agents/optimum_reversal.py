"""Exact expected regret of the reversal filter: a sum over all outcome sequences, with equal ones merged."""

from functools import lru_cache

import numpy as np
from scipy.special import comb


@lru_cache
def filter_regret(schedules: tuple[float, ...], first: int, last: int, trials: int) -> float:
    """Return the exact expected regret of the greedy filter over one problem, under the task's own prior.

    The signed outcomes y_t = ±1 (+1 speaks for object 0) have a distribution that no choice changes, so the regret is
    a sum over their sequences. With S_n = y_1 + … + y_n and odds x = p / (1 − p), a sequence has the likelihood

        (p (1 − p))^{n/2} · x^{± S_n / 2}                  not reversed by trial n,
        (p (1 − p))^{n/2} · x^{± (2 S_{r−1} − S_n) / 2}    reversed at r ≤ n,

    (+ where object 0 began as the better one). Let G_k = E[(2p − 1) 1{object k is better now} · likelihood]; the greedy
    policy takes the larger of the two, and so loses Σ_sequences min(G_0, G_1) on the trial. Sequences enter only
    through S_{first−1}, the *multiset* of S visited on trials first − 1 … last − 1, and S_n: the 2^79 sequences of the
    monkeys' task merge into about a million.

    Parameters
    ----------
    schedules : tuple of float
        Probabilities p > ½ of the better object, equally likely.
    first, last : int
        Range of the trial of the first reversed outcome (uniform).
    trials : int
        Trials per problem.

    Returns
    -------
    float
        Expected regret, rewards per problem.
    """
    p = np.asarray(schedules, float)
    odds = p / (1 - p)
    # (schedule): prior ½ · 1/len(p), times the loss 2p − 1 of a wrong choice.
    loss = (2 * p - 1) / (2 * len(p))
    spread = np.sqrt(p * (1 - p))
    start = first - 1
    begun = np.arange(start % 2, start + 1, 2)  # S_{first−1} ≥ 0; its mirror image loses as much
    paths = comb(start, (start + begun) // 2) * np.where(begun > 0, 2, 1)
    total = sum(_before(n, loss, spread, odds) for n in range(start))
    visits, level, weight = _root(last - first)
    for n in range(start, trials):  # n outcomes seen, trial n + 1 to come
        if start < n < last:
            visits, level, weight = _extend(visits, level, weight)
        # Σ_r x^{∓(S_{r−1} − S_{first−1})} over the reversals that have happened by trial n + 1
        reach = np.arange(visits.shape[1]) - visits.shape[1] // 2
        down = np.stack([visits @ x ** (-reach.astype(float)) for x in odds], -1) / (last - first + 1)
        up = np.stack([visits @ x ** reach.astype(float) for x in odds], -1) / (last - first + 1)
        waiting = max(last - (n + 1), 0) / (last - first + 1)
        later = max(n - (last - 1), 0)  # outcomes after the last S_{r−1}: they enter through their sum alone
        half = (2 * np.arange(later + 1) - later) / 2
        ways = comb(later, np.arange(later + 1))
        rise, fall = odds[:, None] ** half, odds[:, None] ** -half
        for s, path in zip(begun, paths, strict=True):
            now = odds ** ((s + level[:, None]) / 2)
            scale = loss * spread**n
            zero = scale * now * (waiting + odds ** float(-s) * down) @ rise
            one = scale / now * (waiting + odds ** float(s) * up) @ fall
            total += path * (weight @ np.minimum(zero, one) @ ways)
    return float(total)


def _before(n, loss, spread, odds):
    """Regret of trial n + 1 while no reversal is possible: a binomial sum."""
    s = 2 * np.arange(n + 1) - n
    zero, one = ((loss * spread**n * odds ** (sign * s[:, None] / 2)).sum(-1) for sign in (1, -1))
    return comb(n, np.arange(n + 1)) @ np.minimum(zero, one)


def _root(steps):
    """Before the first possible reversal: one path, at level 0, which it has visited once; levels −steps … steps."""
    visits = np.zeros((1, 2 * steps + 1), np.int8)
    visits[0, steps] = 1
    return visits, np.zeros(1, int), np.ones(1)


def _extend(visits, level, weight):
    """Step every path up and down; merge paths with equal visits and level, adding up their number."""
    middle = visits.shape[1] // 2
    stepped = []
    for step in (1, -1):
        more = visits.copy()
        more[np.arange(len(more)), middle + level + step] += 1
        stepped.append(np.column_stack([more, level + step]).astype(np.int8))
    merged, where = np.unique(np.concatenate(stepped), axis=0, return_inverse=True)
    return merged[:, :-1], merged[:, -1].astype(int), np.bincount(where.ravel(), np.tile(weight, 2))
