"""Matching: how the allocation of choices follows the allocation of rewards, block by block (Baum 1974)."""

from dataclasses import dataclass

import numpy as np

from pipeline.behaviour.arrays import NONE, Episodes
from pipeline.behaviour.bootstrap import POPULATION
from pipeline.behaviour.kernels import clusters
from pipeline.behaviour.logistic import Fit

SKIPPED = 20  # trials at the start of a block, in which choice still settles


@dataclass(frozen=True)
class Ratios:
    """Log ratios of the blocks, one row per block of which no count is 0, in the order of the episodes."""

    choice: np.ndarray  # (blocks,) log2 of choices of option 1 over choices of option 0
    reward: np.ndarray  # (blocks,) the same of the rewards that they brought
    episode: np.ndarray  # (blocks,)
    dropped: np.ndarray  # (episodes,) number of blocks with a count of 0


@dataclass(frozen=True)
class Matching:
    """Matching law fitted to the blocks of a subject, a session, or all of a table."""

    fit: Fit  # of log2 bias and slope; `trials` is the number of blocks
    dropped: int  # blocks left out because a count was 0

    @property
    def slope(self) -> float:
        """Sensitivity: 1 matching, below 1 undermatching, above 1 overmatching."""
        return float(self.fit.estimate[1])


def ratios(e: Episodes, skip: int = SKIPPED) -> Ratios:
    """Log choice and reward ratios of every block, over its free choices from trial ``skip`` + 1 of the block on.

    A block in which an option was never chosen, or never paid, has no ratio and is counted in ``dropped``; so is one
    that ends within its first ``skip`` trials.
    """
    episode, column = np.nonzero((e.block != NONE) & (e.choice != NONE))
    number = e.block[episode, column]
    key, block = np.unique(episode * (number.max(initial=0) + 1) + number, return_inverse=True)
    first = np.full(len(key), e.choice.shape[1])
    np.minimum.at(first, block, column)
    at = np.zeros(len(key), int)
    at[block] = episode
    late = e.free[episode, column] & (column - first[block] >= skip)
    block, choice, reward = (x[late] for x in (block, e.choice[episode, column], e.reward[episode, column]))
    counts = np.stack([np.bincount(block, (choice == k) * w, len(key)) for w in (1, reward) for k in (0, 1)])
    kept = (counts > 0).all(0)
    chosen, paid = np.log2(counts[[1, 3]][:, kept]) - np.log2(counts[[0, 2]][:, kept])
    return Ratios(chosen, paid, at[kept], np.bincount(at[~kept], minlength=len(e.choice)))


def matching_slope(e: Episodes, skip: int = SKIPPED, unit: str = "subject") -> list[Matching]:
    """Generalised matching law, log2(C_1 / C_0) = log2 bias + slope · log2(R_1 / R_0), by least squares over blocks.

    C_k are the choices of option k in a block and R_k the rewards that they brought, both counted from trial
    ``skip`` + 1 of the block on. The errors are cluster-robust. Clusters are the subjects where there are eight or
    more, else sessions, else episodes, else blocks: whichever there are several of in the unit.

    Parameters
    ----------
    e : Episodes
        All of the table is fitted: choose a group or condition before.
    skip : int
        Trials left out at the start of each block.
    unit : "all", "subject" or "session"
        What has a slope of its own.

    Returns
    -------
    list of Matching
        One for all, or one per subject, or per session, in the order of ``e``. Estimates are nan with fewer than three
        blocks, with equal reward ratios in all of them, and with more than two options.

    References
    ----------
    Baum 1974, J Exp Anal Behav 22:231 (generalised matching law); Corrado, Sugrue, Seung & Newsome 2005, J Exp Anal
    Behav 84:581 (baited dynamic foraging); Liang & Zeger 1986, Biometrika 73:13 (cluster-robust errors).
    """
    of = {"all": np.zeros_like(e.subject), "subject": e.subject, "session": e.session}
    if unit not in of:
        raise ValueError(f"matching_slope: unit is {unit!r}; allowed: {', '.join(of)}")
    count = {"all": 1, "subject": len(e.subjects), "session": len(e.session_subject)}[unit]
    if e.options != 2:
        blank = Fit(np.full(2, np.nan), np.full((2, 2), np.nan), 0, 0, note="the matching slope needs two options")
        return [Matching(blank, 0) for _ in range(count)]
    r = ratios(e, skip)
    levels = [clusters(e)[r.episode], r.episode, np.arange(len(r.episode))]
    if unit == "all" and len(e.subjects) >= POPULATION:
        levels.insert(0, e.subject[r.episode])
    found = []
    for k in range(count):
        own = of[unit][r.episode] == k
        cluster = next((c[own] for c in levels if len(np.unique(c[own])) > 1), np.zeros(own.sum(), int))
        found.append(Matching(_line(r.reward[own], r.choice[own], cluster), int(r.dropped[of[unit] == k].sum())))
    return found


def _line(x: np.ndarray, y: np.ndarray, cluster: np.ndarray) -> Fit:
    """Least-squares line, with the sandwich covariance of clustered residuals and its factor G/(G−1) · (n−1)/(n−k)."""
    n, k, groups = len(x), 2, len(np.unique(cluster))
    if n <= k or np.ptp(x) == 0:
        note = "too few blocks" if n <= k else "all blocks have the same reward ratio"
        return Fit(np.full(k, np.nan), np.full((k, k), np.nan), n, groups, note=note)
    design = np.stack([np.ones(n), x], 1)
    bread = np.linalg.inv(design.T @ design)
    estimate = bread @ design.T @ y
    numbers, group = np.unique(cluster, return_inverse=True)
    score = np.zeros((groups, k))
    np.add.at(score, group, design * (y - design @ estimate)[:, None])
    parts = np.sqrt(groups / (groups - 1) * (n - 1) / (n - k)) * score @ bread
    note = "" if groups >= 10 else f"{groups} clusters: robust errors are uncertain"
    return Fit(estimate, parts.T @ parts, n, groups, False, note, numbers, parts)
