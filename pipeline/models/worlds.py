"""Worlds of the reduced structures that no task of the registry has: baited options, stable and volatile blocks."""

import numpy as np

from pipeline.tasks.arms import BernoulliArms


class BaitedArms:
    """Two baited options in blocks, as in dynamic foraging (Herrnstein 1961; Rutledge et al. 2009).

    On each trial a reward is armed on option k with probability p0_k, unless one waits there already, and waits until
    k is chosen, across blocks. A block lasts ``block`` trials (uniform); p0 = ``arming`` · (share, 1 − share) with a
    share of r / (r + 1), r of ``ratios`` with equal chance; the richer side changes with every block, the first is at
    random.
    """

    def __init__(
        self, task, agents, episodes, generator, shared=False, *, block=(70, 90), ratios=(6, 3), arming=0.30
    ):  # fmt: skip
        leading, count = (1 if shared else agents, episodes), -(-task.trials // block[0])
        ends = generator.integers(block[0], block[1] + 1, (*leading, count)).cumsum(-1)
        ratio = np.asarray(ratios, float)[generator.integers(len(ratios), size=(*leading, count))]
        side = (generator.integers(2, size=(*leading, 1)) + np.arange(count)) % 2
        self.block = (np.arange(task.trials)[:, None] >= ends[..., None, :]).sum(-1)
        richer, share = (np.take_along_axis(x, self.block, -1) for x in (side, ratio / (ratio + 1)))
        self.arming = arming * np.where(richer[..., None] == np.arange(2), share[..., None], 1 - share[..., None])
        self.armed_now = generator.random(self.arming.shape) < self.arming
        self.richer, self.shape, self.steps, self.actions = richer, (agents, episodes), task.trials, 2
        self.waiting, self.step = np.zeros((agents, episodes, 2), bool), 0

    def observe(self):
        """Show nothing."""
        return None

    def act(self, action: np.ndarray) -> np.ndarray:
        """Pay what waits on the options chosen, float32 (agents, episodes); it waits there no longer."""
        self.waiting |= self.armed_now[:, :, self.step]
        chosen = action[..., None] == np.arange(2)
        reward = (self.waiting & chosen).any(-1)
        self.waiting &= ~chosen
        self.step += 1
        return reward.astype(np.float32)

    def columns(self) -> dict[str, np.ndarray]:
        """Block, from 1, and the richer option, (agents, episodes, trials)."""
        full = (*self.shape, self.steps)
        return {"block": np.broadcast_to(1 + self.block, full), "better_option": np.broadcast_to(self.richer, full)}


class StableVolatile(BernoulliArms):
    """A stable and a volatile half, with amounts on offer and known outcomes (Behrens et al. 2007; Gagne et al. 2020).

    The outcome falls on one of two options. In the stable half it prefers one of them with probability ``stable``, in
    the volatile half with ``volatile``, and the preferred one changes every ``stretch`` trials; which is preferred at
    first is random in both. Which half comes first alternates over subjects and over the sessions of each. Amounts are
    independent and uniform on 1, 2 … ``largest`` parts of 100, negative in sessions of the condition loss; the reward
    is the amount of the option chosen if the outcome falls on it.
    """

    def __init__(
        self, task, agents, episodes, generator, shared=False, *, stable=0.75, volatile=0.8, stretch=20, largest=99
    ):  # fmt: skip
        leading, half, lanes = (1 if shared else agents, episodes), task.trials // 2, task.lanes
        time = np.arange(task.trials)
        later = (lanes.groupby("subject").ngroup() + lanes["session"]).to_numpy() % 2 == 0  # volatile half first
        self.volatility = np.where((time >= half) == later[:, None], 0.0, 1.0)
        place = (time % half) // stretch % 2 * self.volatility.astype(int)
        first = generator.integers(2, size=(*leading, 2))
        preferred = (np.take_along_axis(first, np.broadcast_to(time // half, (*leading, task.trials)), -1) + place) % 2
        strength = np.where(self.volatility > 0, volatile, stable)
        second = np.where(preferred == 1, strength, 1 - strength)
        super().__init__(np.stack([1 - second, second], -1), agents, task.trials, generator, 1 + (time >= half))
        falls = self.outcome[..., 1:]  # on option 1, else on option 0
        self.outcome = np.concatenate([~falls, falls], -1)
        sign = np.where(lanes["condition"] == "loss", -1.0, 1.0) if "condition" in lanes else np.ones(episodes)
        amounts = generator.integers(1, largest + 1, (*leading, task.trials, 2)) / 100 * sign[:, None, None]
        self.magnitude = np.broadcast_to(amounts, self.probability.shape)

    def act(self, action: np.ndarray) -> np.ndarray:
        """Amount of the option chosen if the outcome falls on it, else 0, (agents, episodes)."""
        amount = np.take_along_axis(self.magnitude[:, :, self.step], action[..., None].astype(int), -1)[..., 0]
        return super().act(action) * amount + 0.0  # no -0

    def columns(self) -> dict[str, np.ndarray]:
        """Those of the arms; volatility (0 stable, 1 volatile), amounts and outcomes of both options."""
        shape = self.probability.shape[:3]
        return super().columns() | {
            "volatility": np.broadcast_to(self.volatility, shape),
            "magnitude": self.magnitude,
            "outcome": np.moveaxis(self.outcome, 0, 2).astype(float),
        }
