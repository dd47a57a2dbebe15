"""Learners by rule: random choice, Thompson sampling, upper confidence bound, Rescorla–Wagner."""

import numpy as np
from scipy.special import betaln

from pipeline.agents.learner import CountLearner, Learner, greedy
from pipeline.errors import UserError
from pipeline.tasks import Task


class Random(CountLearner):
    """Every option equally often, whatever happens: the chance level, P(a) = 1/K."""

    name = "random"

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Probability 1/K of each option, shape of ``wins``."""
        return np.full(wins.shape, 1 / wins.shape[-1])

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Forget the outcome, whatever it is: rewards need not be 0 or 1."""


class Thompson(CountLearner):
    """Thompson sampling: choose an arm as often as it is the best one under the posterior.

    Every arm has its own posterior p_k ~ Beta(1 + wins_k, 1 + losses_k), taken as stationary and independent of
    the other; the policy is π(k) = P(p_k is largest), so that a choice drawn from it is exactly a Thompson sample.

    References
    ----------
    Thompson (1933), Biometrika 25:285.
    """

    name = "thompson"
    options = 2

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Posterior probability that each arm is the better, (…, 2)."""
        first = probability_greater(1 + wins[..., 0], 1 + losses[..., 0], 1 + wins[..., 1], 1 + losses[..., 1])
        return np.stack([first, 1 - first], -1)


def probability_greater(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Probability that X > Y for independent X ~ Beta(a, b), Y ~ Beta(c, d) with whole numbers a ≥ 1.

    P(X > Y) = Σ_{i=0}^{a−1} B(c + i, b + d) / [(b + i) B(1 + i, b) B(c, d)]; every term is positive, so that nothing
    cancels, and the ratio of neighbours is (c + i)(b + i) / [(b + c + d + i)(1 + i)]. All arguments have one shape.

    References
    ----------
    Cook (2005), Exact calculation of beta inequalities, UT MD Anderson technical report UTMDABTR-005-05.
    """
    # P(X > Y) = P(1 − Y > 1 − X) = 1 − P(Y > X) = 1 − P(1 − X > 1 − Y): sum the one of fewest terms.
    forms = np.stack([(a, b, c, d), (d, c, b, a), (b, a, d, c), (c, d, a, b)])
    fewest = forms[:, 0].argmin(0)
    a, b, c, d = np.take_along_axis(forms, fewest[None, None], 0)[0]
    term = np.exp(betaln(c, b + d) - betaln(c, d))
    total = np.zeros_like(term)
    for i in range(int(np.max(a, initial=0))):
        total += np.where(i < a, term, 0)
        term *= (c + i) * (b + i) / ((b + c + d + i) * (1 + i))
    return np.where(fewest < 2, total, 1 - total).clip(0, 1)  # rounding may leave 1 + 1e-15


class UCB(CountLearner):
    """Upper confidence bound: choose the arm of largest x̄_k + √(χ ln n / n_k).

    x̄_k is the mean reward of arm k over its n_k choices, n = Σ n_k. Untried arms come first; ties are broken evenly.
    Rewards may be graded, and options any number; the bonus is that of rewards between 0 and 1. Where there are more
    arms than trials, trying every arm first is all that it does.

    Parameters
    ----------
    task : Task
        Any.
    chi : float
        Weight χ ≥ 0 of the exploration bonus; UCB1 of Auer et al. has χ = 2.

    Raises
    ------
    UserError
        If χ is negative.

    References
    ----------
    Auer, Cesa-Bianchi & Fischer (2002), Machine Learning 47:235.
    """

    name = "ucb"

    def __init__(self, task: Task, chi: float = 1.0):
        if not chi >= 0:
            raise UserError(f"learner 'ucb': chi is {chi!r}; the weight of the exploration bonus must be 0 or more")
        super().__init__(task)
        self.chi = chi

    def begin(self, task: Task, episodes: int) -> None:
        """Forget all outcomes; number of choices and sum of rewards of every option are (1, episodes, options)."""
        self.require_options(task)
        self.tried = np.zeros((1, episodes, task.options), np.int64)
        self.total = np.zeros(self.tried.shape)

    def policy(self, observation=None) -> np.ndarray:
        """Greedy policy on the bound, (1, episodes, options)."""
        return self._greedy(self.total, self.tried)

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Add the outcome to the chosen option's sum; action and reward are (1, episodes)."""
        chosen = action[..., None] == np.arange(self.tried.shape[-1])
        self.tried += chosen
        self.total += np.where(chosen, reward[..., None], 0)

    def policy_at(self, wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Greedy policy after counts of 0/1 outcomes, (…, options): for exact expectations."""
        return self._greedy(wins, wins + losses)

    def _greedy(self, total: np.ndarray, tried: np.ndarray) -> np.ndarray:
        n = np.maximum(tried.sum(-1, keepdims=True), 1)
        count = np.maximum(tried, 1)
        bound = total / count + np.sqrt(self.chi * np.log(n) / count)
        return greedy(np.where(tried == 0, np.inf, bound))


class RescorlaWagner(Learner):
    """Delta rule with softmax choice: Q_c ← Q_c + α (r − Q_c) for the chosen option c; π(k) ∝ exp(β Q_k); Q₀ = .5.

    Parameters
    ----------
    task : Task
        Any.
    alpha : float
        Learning rate α in 0 … 1.
    beta : float
        Inverse temperature β ≥ 0.

    Raises
    ------
    UserError
        If α or β is out of range.

    References
    ----------
    Rescorla & Wagner (1972), in Black & Prokasy (eds.), Classical Conditioning II, 64–99.
    """

    name = "rescorla_wagner"
    initial = 0.5

    def __init__(self, task: Task, alpha: float = 0.4, beta: float = 5.0):
        if not 0 <= alpha <= 1:
            raise UserError(f"learner 'rescorla_wagner': alpha is {alpha!r}; a learning rate lies in 0 … 1")
        if not beta >= 0:
            raise UserError(f"learner 'rescorla_wagner': beta is {beta!r}; an inverse temperature is 0 or more")
        super().__init__(task)
        self.alpha, self.beta = alpha, beta

    def begin(self, task: Task, episodes: int) -> None:
        """Set every Q to .5; Q is (1, episodes, options)."""
        self.q = np.full((1, episodes, task.options), self.initial)

    def policy(self, observation=None) -> np.ndarray:
        """Softmax of β Q, (1, episodes, options)."""
        weight = np.exp(self.beta * (self.q - self.q.max(-1, keepdims=True)))
        return weight / weight.sum(-1, keepdims=True)

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Move the chosen Q towards the reward; action and reward are (1, episodes)."""
        chosen = action[..., None] == np.arange(self.q.shape[-1])
        self.q += chosen * self.alpha * (reward[..., None] - self.q)
