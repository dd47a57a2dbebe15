"""Bernoulli arms with any schedule of reward probabilities: the world behind every bandit and reversal task."""

import numpy as np


class BernoulliArms:
    """A batch of episodes in which option k pays 1 with probability p[..., t, k], else 0.

    Every option's outcome on every trial is drawn beforehand, so that two agents that meet the same episodes and
    make the same choices receive the same rewards.

    Parameters
    ----------
    probability : array (agents or 1, episodes, trials or 1, options)
        Latent reward probabilities; axes of length 1 are broadcast.
    agents, trials : int
        Full length of the broadcast axes.
    generator : numpy Generator
        Draws the outcomes.
    block : array (agents or 1, episodes, trials), optional
        Number of the stretch of constant contingency, from 1.
    """

    def __init__(self, probability, agents, trials, generator, block=None):
        _, episodes, _, options = probability.shape
        self.shape, self.steps, self.actions = (agents, episodes), trials, options
        self.probability = np.broadcast_to(probability, (agents, episodes, trials, options))
        # Shared episodes (leading axis 1) share their outcomes too. Trial first: a step reads contiguous memory.
        drawn = generator.random((trials, len(probability), episodes, options), dtype=np.float32)
        outcome = drawn < np.moveaxis(
            np.broadcast_to(probability, (len(probability), *self.probability.shape[1:])), 2, 0
        )
        self.outcome = np.broadcast_to(outcome, (trials, agents, episodes, options))
        self.block = block
        self.step = 0

    def observe(self):
        """Show nothing: these tasks have only the outcome of the last choice."""
        return None

    def act(self, action: np.ndarray) -> np.ndarray:
        """Reward 0 or 1 of the chosen option, float32 (agents, episodes)."""
        outcome = self.outcome[self.step]
        if self.actions == 2:  # several times faster than take_along_axis, and most tasks have two options
            reward = np.where(action == 1, outcome[..., 1], outcome[..., 0])
        else:
            reward = np.take_along_axis(outcome, action[..., None], -1)[..., 0]
        self.step += 1
        return reward.astype(np.float32)

    def columns(self) -> dict[str, np.ndarray]:
        """Latent probabilities, better option (masked −1 where tied) and block."""
        best = self.probability.max(-1, keepdims=True)
        tied = (self.probability == best).sum(-1) > 1
        found = {
            "reward_probability": self.probability,
            "better_option": np.where(tied, -1, self.probability.argmax(-1)),
        }
        block = np.ones((1, 1, 1), int) if self.block is None else self.block
        return found | {"block": np.broadcast_to(block, self.probability.shape[:3])}
