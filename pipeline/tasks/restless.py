"""A restless two-armed bandit whose volatility differs between episodes (Wang et al. 2017, experiment 4)."""

import numpy as np

from pipeline.errors import UserError
from pipeline.tasks.arms import BernoulliArms

SCALES = ("variance", "sd")


class RestlessArms(BernoulliArms):
    """p1 is a Gaussian random walk folded into [0, 1], p2 = 1 − p1; the volatility ν is fixed within an episode.

        ν ~ U(union of ``volatility``),   p1(1) ~ U[0, 1] (a reconstruction, R),   p1(t + 1) = fold(p1(t) + σ ε_t)

    with ε ~ N(0, 1) and σ = √ν (``scale`` "variance", the paper's word) or σ = ν ("sd"; R). Folding is the exact
    reflection at both walls, for steps of any size: fold(x) = 1 − |1 − (x mod 2)|. It maps x and its mirror images
    x + 2k, 2k − x to one point, and a Gaussian step does not tell them apart, so that the folded sum of all steps
    is the walk itself; and the uniform distribution stays uniform.

    Parameters
    ----------
    volatility : sequence of (low, high)
        Intervals on whose union ν is uniform; in an interval of no length, low = high, ν is that value.
    scale : str
        How ν is read: "variance" or "sd" of the walk's step.

    Raises
    ------
    UserError
        If an interval or the scale is not allowed.

    References
    ----------
    Wang et al. (2017), arXiv:1611.05763, experiment 4.
    """

    def __init__(self, task, agents, episodes, generator, shared=False, *, volatility=((0, 0.2),), scale="variance"):
        leading = (1 if shared else agents, episodes)
        self.volatility = draw_volatility(volatility, leading, generator)
        path = np.empty((*leading, task.trials))
        path[..., 0] = generator.random(leading)
        path[..., 1:] = generator.standard_normal((*leading, task.trials - 1), dtype=np.float32)
        path[..., 1:] *= step_deviation(self.volatility, scale)[..., None]
        first = fold(path.cumsum(-1))
        super().__init__(np.stack([first, 1 - first], -1), agents, task.trials, generator)

    def columns(self) -> dict[str, np.ndarray]:
        """Those of the arms, and ``volatility``: ν of the episode, on every trial."""
        shape = self.probability.shape[:3]
        return super().columns() | {"volatility": np.broadcast_to(self.volatility[..., None], shape)}


def fold(x: np.ndarray) -> np.ndarray:
    """Reflect numbers at 0 and at 1, as often as it takes to come to lie in [0, 1]: 1 − |1 − (x mod 2)|."""
    return 1 - np.abs(1 - np.mod(x, 2))


def step_deviation(volatility: np.ndarray, scale: str) -> np.ndarray:
    """Return the standard deviation σ of the walk's step from ν: √ν if ν is a variance, ν if it is one itself.

    Raises
    ------
    UserError
        If ``scale`` is neither.
    """
    if scale not in SCALES:
        raise UserError(f"restless bandit: scale is {scale!r}; volatility may be read as {' or '.join(SCALES)}")
    return np.sqrt(volatility) if scale == "variance" else np.asarray(volatility, float)


def draw_volatility(intervals, size, generator: np.random.Generator) -> np.ndarray:
    """Draw ν uniformly on a union of intervals.

    Raises
    ------
    UserError
        If there is none, or one that is no interval of numbers ≥ 0.
    """
    low, length = interval_lengths(intervals)
    if not length.any():
        return generator.choice(low, size)
    ends = length.cumsum()
    place = generator.random(size) * ends[-1]
    which = np.minimum(np.searchsorted(ends, place, side="right"), len(ends) - 1)
    return low[which] + place - (ends - length)[which]


def interval_lengths(intervals) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower ends and the lengths of intervals (low, high), each (intervals,), or refuse them."""
    ends = np.asarray(intervals, float)
    if ends.ndim != 2 or ends.shape[1] != 2 or not len(ends) or not (ends[:, 0] >= 0).all():
        raise UserError(f"restless bandit: volatility is {intervals!r}; it must be a list of intervals (low, high) of "
                        "numbers that are 0 or more, e.g. ((0, 0.2),)")  # fmt: skip
    if not (ends[:, 0] <= ends[:, 1]).all():
        low, high = ends[ends[:, 0] > ends[:, 1]][0]
        raise UserError(f"restless bandit: volatility holds the interval ({low:g}, {high:g}); the low end comes first")
    return ends[:, 0], ends[:, 1] - ends[:, 0]
