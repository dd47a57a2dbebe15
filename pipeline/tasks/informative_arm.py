"""Eleven arms, one of which names the best: Wang et al. 2017, experiment 3."""

import numpy as np

TARGET, OTHER = 5.0, 1.0  # rewards of the target and of the other arms


def informative_value(task) -> np.ndarray:
    """Reward of the informative arm if arm j = 1 … J is the target, j / J, (J,); J = options − 1."""
    count = task.options - 1
    return np.arange(1, count + 1) / count


def reward_class(one_hot_action, reward):
    """Class of an outcome, as networks see it: whole numbers from 0, as floats.

    The informative (last) arm's values 1/J … 1 are classes 0 … J − 1; elsewhere a reward of 1 is class J and one of 5
    class J + 1. The classes are keyed by the arm: a 1 from the informative arm says “the last arm is the target”, a 1
    from any other that it is not the target (a reconstruction, R: the paper says only that the reward was one-hot).

    Parameters
    ----------
    one_hot_action : array or tensor (…, J + 1)
        The action made.
    reward : array or tensor (…)
        What it paid.

    Returns
    -------
    array or tensor (…)
        Built from operators alone, so that it serves numpy and torch alike.
    """
    targets = one_hot_action.shape[-1] - 1
    informative = one_hot_action[..., -1]
    told = targets * reward - 1
    paid = targets + (reward > (OTHER + TARGET) / 2) * 1.0
    return (informative * told + (1 - informative) * paid + 0.5) // 1  # .3 is no whole number of tenths in floats


class InformativeArm:
    """A batch of episodes with one target among arms 1 … J that pays 5; the other J − 1 pay 1; outcomes are certain.

    The last arm, J + 1, pays j / J where j is the number of the target: the least of all, but it tells which it is.
    The target is drawn uniformly once per episode.

    Parameters
    ----------
    task : Task
        Gives the number of arms, J + 1 = ``options``, and of trials.
    agents, episodes : int
        Size of the batch.
    generator : numpy Generator
        Draws the targets.
    shared : bool
        Whether every agent meets the same episodes.

    References
    ----------
    Wang et al. (2017), arXiv:1611.05763, experiment 3.
    """

    def __init__(self, task, agents, episodes, generator, shared=False):
        self.steps, self.actions = task.trials, task.options
        self.target = np.broadcast_to(
            generator.integers(task.options - 1, size=(1 if shared else agents, episodes)), (agents, episodes)
        )
        self.told = informative_value(task)[self.target].astype(np.float32)

    def observe(self):
        """Show nothing: this task has only the outcome of the last choice."""
        return None

    def act(self, action: np.ndarray) -> np.ndarray:
        """Reward of the chosen arm, float32 (agents, episodes)."""
        paid = np.where(action == self.target, np.float32(TARGET), np.float32(OTHER))
        return np.where(action == self.actions - 1, self.told, paid)

    def columns(self) -> dict[str, np.ndarray]:
        """Latent rewards of all arms (agents, episodes, trials, options), the target as better option, and block 1."""
        pays = np.where(np.arange(self.actions - 1) == self.target[..., None], TARGET, OTHER)
        pays = np.concatenate([pays, self.told[..., None].astype(float)], -1)
        trials = (*self.target.shape, self.steps)
        return {
            "expected_reward": np.broadcast_to(pays[:, :, None], (*trials, self.actions)),
            "better_option": np.broadcast_to(self.target[..., None], trials),
            "block": np.ones(trials, int),
        }
