"""Exact learners for the restless bandit: a filter over a folded random walk, its volatility known or inferred."""

import numpy as np

from pipeline.agents.learner import Learner, greedy
from pipeline.errors import UserError
from pipeline.tasks import Task
from pipeline.tasks.restless import interval_lengths, step_deviation

MODES = 48  # of the density of p1: as many cosines as nodes of a midpoint grid
NODES = 16  # Gauss–Legendre nodes per interval of the prior of ν
# With both, predictive probabilities lie within 1e-3 of those with 160 modes and 48 nodes; one choice in 6,000 differs.


class WalkFilter(Learner):
    """Filter p1 (and, in a subclass, ν) exactly; a subclass says which volatilities it weighs, and how it chooses.

    Since p2 = 1 − p1, a win of arm 0 and a loss of arm 1 are the same event y_t = 1, of probability p1(t); no choice
    can buy information. The density of p1 is kept per volatility as coefficients c_k of the orthonormal cosines

        f(p) = Σ_k c_k φ_k(p),   φ_0 = 1,   φ_k(p) = √2 cos(kπp),   k < ``modes``,

    which are the eigenfunctions of a folded Gaussian step of variance σ²: a trial multiplies c_k by exp(−k²π²σ²/2),
    whatever σ is, 0 included. The likelihood p1 = ½ + (p1 − ½), or 1 − p1 = ½ − (p1 − ½), is one symmetric matrix D for
    (p1 − ½), taken on the grid of midpoints (j + ½)/``modes`` on which these cosines are exactly orthonormal (the
    discrete cosine transform):

        c ← (½ c ± c D) / P(y_t),   then   c_k ← c_k exp(−k²π²σ²/2).

    Parameters
    ----------
    task : Task
        A restless task.
    modes : int
        Number of cosines, and of nodes of the grid.

    References
    ----------
    Wang et al. (2017), arXiv:1611.05763, experiment 4, for the task; Ahmed, Natarajan & Rao (1974), IEEE Trans.
    Comput. C-23:90, for the discrete cosine transform.
    """

    options = 2

    def __init__(self, task: Task, modes: int = MODES):
        super().__init__(task)
        if not (isinstance(modes, int) and modes >= 2):
            raise UserError(f"learner {self.name!r}: modes is {modes!r}; it must be a whole number, 2 or more")
        if "volatility" not in task.settings:
            raise UserError(f"learner {self.name!r} is defined for restless bandits; task {task.name!r} has no setting "
                            "'volatility'")  # fmt: skip
        self.frequency = np.pi * np.arange(modes)
        nodes = (np.arange(modes) + 0.5) / modes
        scale = np.where(np.arange(modes) == 0, 1, np.sqrt(2))[:, None]
        transform = scale * np.cos(self.frequency[:, None] * nodes) / np.sqrt(modes)
        self.centred = transform * (nodes - 0.5) @ transform.T  # D
        # ∫ φ_k over ½ … 1: with it the density between the nodes counts, not the nodes alone
        self.upper = np.append(0.5, -np.sqrt(2) * np.sin(self.frequency[1:] / 2) / self.frequency[1:])

    def prior(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Volatility as σ, (episodes or 1, volatilities), and its weights, (volatilities,), summing to 1."""
        raise NotImplementedError

    def begin(self, task: Task, episodes: int) -> None:
        """Return to the prior, p1 ~ U[0, 1]; ``belief`` is (episodes, volatilities, modes).

        Coefficient 0 of a volatility is its probability.
        """
        self.require_options(task)
        self.playing, self.episodes = task, episodes
        self._reset()

    def _reset(self) -> None:
        deviation, weight = self.prior(self.episodes)
        self.decay = np.exp(-0.5 * (self.frequency * deviation[..., None]) ** 2)
        self.belief = np.zeros((self.episodes, len(weight), len(self.frequency)))
        self.belief[..., 0] = weight

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Condition on the outcome and let the walk step; action and reward are (1, episodes).

        Raises
        ------
        UserError
            If a reward is neither 0 nor 1.
        """
        won = reward[0] == 1
        if not (won | (reward[0] == 0)).all():
            raise UserError(f"learner {self.name!r} needs rewards 0 or 1; it was given "
                            f"{reward[0][~(won | (reward[0] == 0))][0]}")  # fmt: skip
        sign = np.where((action[0] == 0) == won, 1.0, -1.0)[:, None, None]
        following = self.belief @ self.centred
        following *= sign
        following += 0.5 * self.belief
        following /= following[..., 0].sum(-1)[:, None, None]  # P(y_t)
        following *= self.decay
        self.belief = following

    def predictive(self) -> np.ndarray:
        """Probability that arm 0 pays on the current trial, E[p1 | data], (episodes,)."""
        return 0.5 + self.belief.sum(1) @ self.centred[:, 0]

    def probability_upper(self) -> np.ndarray:
        """P(p1 > ½ | data), the probability that arm 0 is the better one on the current trial, (episodes,)."""
        return (self.belief.sum(1) @ self.upper).clip(0, 1)  # the series may leave −1e-9

    def policy(self, observation=None) -> np.ndarray:
        """Greedy on the predictive probability that each arm pays, (1, episodes, 2)."""
        first = self.predictive()
        return greedy(np.stack([first, 1 - first], -1))[None]


class VolatilityFilter(WalkFilter):
    """Infer p1 and ν together, from the prior of ν that the task is *tested* with; choose the arm likelier to pay.

    The prior of ν is a mixture over Gauss–Legendre nodes in σ, weighted by dν/dσ (2σ where ν is a variance): the
    likelihood of a sequence of outcomes is a smooth function of σ, less so of σ² near 0, and a few nodes integrate it
    as well as hundreds of equally spaced ones would. As choices buy no information, the greedy policy is Bayes-optimal.

    Parameters
    ----------
    task : Task
        A restless task; the prior is that of its ``tested`` settings.
    modes, nodes : int
        Cosines of the density of p1, and nodes per interval of the prior of ν.

    References
    ----------
    Behrens et al. (2007), Nat. Neurosci. 10:1214, for inference of volatility; Wang et al. (2017), experiment 4.
    """

    name = "bayes_optimal"

    def __init__(self, task: Task, modes: int = MODES, nodes: int = NODES):
        super().__init__(task, modes)
        scale = task.tested["scale"]
        low, length = interval_lengths(task.tested["volatility"])
        if not length.any():
            self.deviation, self.volatility, weight = step_deviation(low, scale), low, np.ones(len(low))
        else:
            place, part = np.polynomial.legendre.leggauss(nodes)  # on −1 … 1
            start, end = (step_deviation(ends, scale)[:, None] for ends in (low, low + length))
            self.deviation = (start + (end - start) * (1 + place) / 2).ravel()
            self.volatility = self.deviation**2 if scale == "variance" else self.deviation
            weight = ((end - start) * part).ravel() * (self.deviation if scale == "variance" else 1)
        self.weight = weight / weight.sum()

    def prior(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights of the prior, the same in every episode."""
        return self.deviation[None], self.weight

    def inferred_volatility(self) -> np.ndarray:
        """Posterior mean of ν, (episodes,)."""
        return self.belief[..., 0] @ self.volatility


class KnownVolatilityFilter(WalkFilter):
    """The same filter, told the volatility of every episode: what remains is uncertainty about p1 alone.

    No agent without this help can do better: the session loop calls `reveal` once per batch, before the first choice.
    """

    name = "bayes_knows_volatility"

    def begin(self, task: Task, episodes: int) -> None:
        """Forget everything, the volatilities too."""
        self.known = None
        super().begin(task, episodes)

    def reveal(self, columns: dict[str, np.ndarray]) -> None:
        """Take the true volatility of every episode from the world's latent columns.

        Raises
        ------
        UserError
            If the world has no column ``volatility``.
        """
        if "volatility" not in columns:
            raise UserError(f"learner {self.name!r} must be told the volatility; the columns of task "
                            f"{self.playing.name!r} are {', '.join(columns)}")  # fmt: skip
        self.known = np.asarray(columns["volatility"], float)[0, :, 0]
        self._reset()

    def prior(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the one volatility of each episode, read on the scale of the task that is played."""
        known = np.zeros(episodes) if self.known is None else self.known
        return step_deviation(known, self.playing.tested["scale"])[:, None], np.ones(1)

    def policy(self, observation=None) -> np.ndarray:
        """Greedy on the predictive probability that each arm pays, (1, episodes, 2).

        Raises
        ------
        UserError
            If the volatility was not revealed.
        """
        if self.known is None:
            raise UserError(f"learner {self.name!r} was not told the volatility: call reveal(columns) after begin")
        return super().policy(observation)


class ThompsonWalk(WalkFilter):
    """Thompson sampling that knows the walk, but takes one fixed volatility for all episodes.

    π(1) = P(p1 > ½ | data), so that a choice drawn from it is a Thompson sample: arm 0 where the sampled p1 exceeds
    p2 = 1 − p1.

    Parameters
    ----------
    task : Task
        A restless task.
    volatility : float, optional
        ν; by default the middle of the range that the task is tested with (R: Wang et al. 2017 do not print theirs).
    modes : int
        Cosines of the density of p1.

    References
    ----------
    Thompson (1933), Biometrika 25:285.
    """

    name = "thompson_walk"

    def __init__(self, task: Task, volatility: float | None = None, modes: int = MODES):
        super().__init__(task, modes)
        low, length = interval_lengths(task.tested["volatility"])
        self.volatility = (low.min() + (low + length).max()) / 2 if volatility is None else volatility
        if not self.volatility >= 0:
            raise UserError(f"learner {self.name!r}: volatility is {volatility!r}; it must be 0 or more")
        self.deviation = step_deviation(self.volatility, task.tested["scale"])

    def prior(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the one volatility, the same in every episode."""
        return np.full((1, 1), self.deviation), np.ones(1)

    def policy(self, observation=None) -> np.ndarray:
        """Posterior probability that each arm is the better, (1, episodes, 2)."""
        first = self.probability_upper()
        return np.stack([first, 1 - first], -1)[None]
