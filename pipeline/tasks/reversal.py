"""The monkeys' object-reversal task (Costa et al. 2016) as their released outcomes show it."""

import numpy as np

from pipeline.tasks.arms import BernoulliArms


class Reversal(BernoulliArms):
    """Two new objects per problem, p2 = 1 − p1, one reversal.

    Per episode a schedule p ∈ ``schedules`` and the initially better object are drawn with equal chance; the first
    reversed outcome falls on trial ``first`` … ``last`` (counted from 1, uniform). In the released data these are 31
    and 50: the first contingency holds for 30–49 trials.
    """

    def __init__(self, task, agents, episodes, generator, shared=False, *, schedules=(0.8, 0.7), first=31, last=50):
        leading = (1 if shared else agents, episodes)
        high = generator.choice(np.asarray(schedules), leading)[..., None]
        better = generator.integers(2, size=leading)[..., None]
        reversal = generator.integers(first, last + 1, size=leading)[..., None]
        after = np.arange(1, task.trials + 1) >= reversal
        better_now = np.where(after, 1 - better, better)
        second = np.where(better_now == 1, high, 1 - high)
        super().__init__(
            np.stack([1 - second, second], -1), agents, task.trials, generator, block=1 + after.astype(int)
        )
