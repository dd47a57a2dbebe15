"""Stationary two-armed bandits: the five distributions of Wang et al. 2017, experiments 1 and 2."""

import numpy as np

from pipeline.tasks.arms import BernoulliArms


class StationaryArms(BernoulliArms):
    """Two arms whose probabilities are drawn once per episode.

    ``pairs=None`` draws p1 ~ U[0, 1]; ``pairs=(low, high)`` gives the better probability to either arm with equal
    chance. ``structured`` sets p2 = 1 − p1; otherwise p2 is drawn on its own.
    """

    def __init__(self, task, agents, episodes, generator, shared=False, *, pairs=None, structured=True):
        leading = (1 if shared else agents, episodes)
        first = generator.random(leading) if pairs is None else generator.choice(np.asarray(pairs), leading)
        second = 1 - first if structured else generator.random(leading)
        super().__init__(np.stack([first, second], -1)[:, :, None, :], agents, task.trials, generator)
