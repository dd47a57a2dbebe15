"""The task with an informative arm (Wang et al. 2017, experiment 3): the exact optimum, and Thompson sampling."""

from functools import lru_cache

import numpy as np

from pipeline.agents.learner import Learner, greedy
from pipeline.errors import UserError
from pipeline.tasks import Task
from pipeline.tasks.informative_arm import OTHER, TARGET, informative_value


class TargetLearner(Learner):
    """Remember which arms may still be the target; a subclass turns them into a policy.

    Outcomes are certain, so the posterior of the target is uniform on the arms that no outcome has ruled out: an arm
    that paid 1 is none, the arm that paid 5 is the only one, and so is the one that the informative arm named.
    """

    def begin(self, task: Task, episodes: int) -> None:
        """Every arm but the last may be the target; ``candidate`` is (1, episodes, options − 1)."""
        self.candidate = np.ones((1, episodes, task.options - 1), bool)
        self.told = informative_value(task)

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Rule out what the outcome excludes; action and reward are (1, episodes)."""
        arms = np.arange(self.candidate.shape[-1])
        action, reward = action[..., None], reward[..., None]
        won = np.isclose(reward, TARGET)
        excluded = np.where(won, arms != action, arms == action)
        named = np.isclose(reward, self.told, atol=1e-4)
        self.candidate &= np.where(action == len(arms), named, ~excluded)


class ThompsonTarget(TargetLearner):
    """Thompson sampling with the true prior over the target: choose an arm as often as it is the best one.

    The best arm is the target, so the policy is its posterior, π(k) = 1 / m for each of the m arms that may be the
    target and 0 for the others. The informative arm is never the best, and is never chosen: what Thompson sampling
    misses in this task.

    References
    ----------
    Thompson (1933), Biometrika 25:285; Wang et al. (2017), arXiv:1611.05763, experiment 3.
    """

    name = "thompson_target"

    def policy(self, observation=None) -> np.ndarray:
        """Posterior probability that each arm is the target, (1, episodes, options)."""
        share = self.candidate / self.candidate.sum(-1, keepdims=True)
        return np.concatenate([share, np.zeros_like(share[..., :1])], -1)


class InformativeOptimum(TargetLearner):
    """The exact optimum: choose what maximises the expected reward of all remaining trials, by dynamic programming.

    With S the m arms that may be the target and n trials to go,

        Q(try k ∈ S)    = [5 n + (m − 1) (1 + V(S ∖ k, n − 1))] / m,
        Q(k ∉ S)        = 1 + V(S, n − 1),
        Q(informative)  = ⟨j / J⟩_{j ∈ S} + 5 (n − 1),        V = max Q,   V(S, 0) = 0;

    for one candidate V = 5 n. In the paper's task (J = 10, n = 5) it takes the informative arm first, then the target:
    V = .55 + 4 · 5 = 20.55.

    Parameters
    ----------
    task : Task
        Its number of trials is the horizon.

    References
    ----------
    Bellman (1956), Sankhyā 16:221; Wang et al. (2017), arXiv:1611.05763, experiment 3.
    """

    name = "bayes_optimal"

    def begin(self, task: Task, episodes: int) -> None:
        """Start at the prior, with all trials to go.

        Raises
        ------
        UserError
            If the task has another number of arms or trials than the optimum was computed for.
        """
        if (task.options, task.trials) != (self.task.options, self.task.trials):
            raise UserError(f"bayes_optimal for task {self.task.name!r} is computed for {self.task.options} arms and "
                            f"{self.task.trials} trials; {task.name!r} has {task.options}, {task.trials}")  # fmt: skip
        super().begin(task, episodes)
        self.values, self.left = solve(task.options - 1, task.trials), task.trials

    def policy(self, observation=None) -> np.ndarray:
        """Greedy on the value of each action, shared among ties, (1, episodes, options)."""
        members = self.candidate @ (1 << np.arange(self.candidate.shape[-1]))
        return greedy(self.values[self.left][members])

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Rule out what the outcome excludes; one trial fewer is left."""
        super().observe(action, reward)
        self.left -= 1


@lru_cache(maxsize=4)
def solve(arms: int, trials: int) -> np.ndarray:
    """Value of every action in every state of knowledge.

    Returns
    -------
    array (trials + 1, 2^arms, arms + 1)
        Q of each action by number of trials to go (row 0 is 0) and set of possible targets, a bit per arm; the empty
        set cannot arise, and its row means nothing.
    """
    sets = np.arange(1 << arms)
    member = (sets[:, None] >> np.arange(arms) & 1).astype(bool)
    size = np.maximum(member.sum(1), 1)
    told = member @ (np.arange(1, arms + 1) / arms) / size
    found = np.zeros((trials + 1, len(sets), arms + 1))
    for left in range(1, trials + 1):
        after = found[left - 1].max(1)
        without = after[sets[:, None] & ~(1 << np.arange(arms))]
        tried = (TARGET * left + (size[:, None] - 1) * (OTHER + without)) / size[:, None]
        found[left, :, :-1] = np.where(member, tried, OTHER + after[:, None])
        found[left, :, -1] = told + np.where(size == 1, after, TARGET * (left - 1))
    return found
