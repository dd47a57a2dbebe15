"""All states of knowledge about two Bernoulli arms: how often each was chosen and how often it paid.

After t trials a state is (n, w0, w1): n choices of arm 0 (so t − n of arm 1), w0 and w1 wins. The states of one t are
kept flat, n slowest and w1 fastest; there are about t³/6 of them, 4.4 million over 100 trials.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class States(NamedTuple):
    """Counts of every state after t trials, flat arrays of equal length."""

    wins: np.ndarray  # (states, 2)
    losses: np.ndarray  # (states, 2)


def states(t: int) -> States:
    """List the states after ``t`` trials in flat order."""
    chosen, first, second = [], [], []
    for n in range(t + 1):
        w0, w1 = np.divmod(np.arange((n + 1) * (t - n + 1), dtype=np.int32), t - n + 1)
        chosen.append(np.full(w0.shape, n, np.int32))
        first.append(w0)
        second.append(w1)
    n, w0, w1 = (np.concatenate(parts) for parts in (chosen, first, second))
    return States(np.stack([w0, w1], -1), np.stack([n - w0, t - n - w1], -1))


def number(t: int) -> int:
    """Count the states after ``t`` trials."""
    return int(_offsets(t)[-1])


@lru_cache(maxsize=256)
def _offsets(t: int) -> np.ndarray:
    n = np.arange(t + 1)
    return np.concatenate([[0], np.cumsum((n + 1) * (t - n + 1))])


def locate(wins: np.ndarray, losses: np.ndarray, t: int) -> np.ndarray:
    """Flat position of states with ``t`` trials; wins and losses are (…, 2), the result (…)."""
    n = wins[..., 0] + losses[..., 0]
    return _offsets(t)[n] + wins[..., 0] * (t - n + 1) + wins[..., 1]


def successors(found: States, t: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Positions after trial t + 1: for each arm, (where a win leads, where a loss leads), each (states,)."""
    moves = []
    for arm in (0, 1):
        step = np.arange(2) == arm
        moves.append((locate(found.wins + step, found.losses, t + 1), locate(found.wins, found.losses + step, t + 1)))
    return tuple(moves)
