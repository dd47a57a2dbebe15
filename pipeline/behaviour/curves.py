"""Behaviour by trial: learning curve, reversal-aligned curve, suboptimal choices, cumulative regret."""

import numpy as np

from pipeline.behaviour.arrays import NONE, Episodes
from pipeline.behaviour.informative import informative_curves
from pipeline.behaviour.measures import Measure, ratio


def curves(e: Episodes, before: int = 20, after: int = 30) -> list[Measure]:
    """Trial curves as measures over episodes; see `pipeline.behaviour.CURVES` for their equations.

    Parameters
    ----------
    e : Episodes
        Padded trials.
    before, after : int
        Trials shown on either side of the first reversed trial (x = 0).
    """
    trial = np.arange(1, e.choice.shape[1] + 1)
    first = (e.block == 1) | (e.block == NONE)  # where no blocks are known the contingency counts as constant
    known = ~np.isnan(e.regret)
    x = np.arange(-before, after + 1)
    newly, valid = aligned(e, x)
    return [
        ratio("learning", e.correct & first, e.judged & first, trial),
        ratio("reversal", newly, valid, x),
        ratio("suboptimal", e.judged & ~e.correct, e.judged, trial),
        ratio("regret", np.where(known, e.regret, 0), known, trial, cumulative=True),
        *informative_curves(e),
    ]


def aligned(e: Episodes, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count choices of the newly better option at trials ``x`` from each reversal, and the free trials there.

    A trial counts if it lies in the block before (x < 0) or after (x ≥ 0) that reversal; an episode may hold several
    reversals. Both arrays are (episodes, len(x)).
    """
    episode, column = e.reversals
    newly, valid = np.zeros((2, len(e.choice), len(x)))
    if len(episode):
        place = column[:, None] + x
        inside = (place >= 0) & (place < e.choice.shape[1])
        place = np.where(inside, place, 0)
        row = episode[:, None]
        own = np.where(x < 0, e.block[episode, column - 1][:, None], e.block[episode, column][:, None])
        counts = inside & e.free[row, place] & (e.block[row, place] == own)
        chosen = counts & (e.choice[row, place] == e.better[episode, column][:, None])
        np.add.at(newly, episode, chosen)
        np.add.at(valid, episode, counts)
    return newly, valid
