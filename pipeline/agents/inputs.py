"""What a network sees at each step, and when: the last action, the last reward, the time, the observation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.tasks import Task

TIMES = ("fraction", "step")


@dataclass(frozen=True)
class Inputs:
    """Columns of the input x_t = [one-hot a_{t−1}, r_{t−1}, t, observation_t], as far as the task gives them.

    **Before the first choice of an episode the last action is all zeros and the last reward 0**; then they are those of
    the previous step (Wang et al. 2017; zeros are a reconstruction, R). ``time`` says how t = 0, 1, … enters: as the
    ``fraction`` t / T of the episode (default; the paper does not print the scaling, R) or as the ``step`` itself.
    With ``reward_input`` off the reward columns stay 0 for ever: the ablation of Wang et al. 2017, which withholds the
    reward from the network's eyes, while reward still trains it. A task that declares ``reward_classes`` has its reward
    seen as a one-hot class, all zeros before the first choice, in place of the number.
    """

    actions: int
    steps: int
    kinds: tuple[str, ...] = ("action", "reward")
    features: int = 0
    reward_input: bool = True
    time: str = "fraction"
    reward_classes: int = 0
    reward_coding: str = ""

    def __post_init__(self):
        unknown = [kind for kind in self.kinds if kind not in ("action", "reward", "time")]
        if unknown:
            raise UserError(f"network input {unknown[0]!r} is not known; a task may declare action, reward, time")
        if self.time not in TIMES:
            raise UserError(f"time input {self.time!r} is not known; it may be {' or '.join(TIMES)}")
        position, start = 0, {}
        for kind in ("action", "reward", "time"):
            if kind in self.kinds:
                start[kind] = position
                position += self._sizes[kind]
        object.__setattr__(self, "_start", start | {"features": position})  # looked up at every step

    @classmethod
    def of(cls, task: Task, steps: int | None = None, actions: int | None = None, **options) -> "Inputs":
        """Take what a task declares; ``steps`` and ``actions`` where its world's differ from trials and options."""
        steps = steps or task.trials * task.steps
        coding = {"reward_classes": task.reward_classes, "reward_coding": task.reward_coding}
        return cls(actions or task.options, steps, tuple(task.inputs), task.features, **coding, **options)

    @property
    def look(self) -> tuple:
        """What must be equal for a network to play another task: actions, kinds of input, features, reward classes."""
        return self.actions, self.kinds, self.features, self.reward_classes, self.reward_coding

    @property
    def size(self) -> int:
        """Number of input columns."""
        return sum(self._sizes[kind] for kind in self.kinds) + self.features

    @property
    def _sizes(self) -> dict[str, int]:
        return {"action": self.actions, "reward": self.reward_classes or 1, "time": 1}

    @property
    def action(self) -> slice:
        """Columns of the one-hot last action (empty where the task withholds it)."""
        start = self._start.get("action", 0)
        return slice(start, start + self.actions * ("action" in self.kinds))

    @property
    def reward(self) -> int | None:
        """First column of the last reward (the only one, unless it has classes); None where it is not seen."""
        return self._start.get("reward") if self.reward_input else None

    @property
    def observation(self) -> slice:
        """Columns of the observation."""
        return slice(self._start["features"], self.size)

    def write_time(self, x: Tensor, step: int) -> None:
        """Write t into the inputs of step ``step`` (from 0), (agents, episodes, ≥ size), in place."""
        if "time" in self.kinds:
            x[..., self._start["time"]] = step / self.steps if self.time == "fraction" else step

    def write_outcome(self, x: Tensor, one_hot: Tensor, reward: Tensor) -> None:
        """Write the action just made, (agents, episodes, actions), and its reward into the *next* step's inputs."""
        if "action" in self.kinds:
            x[..., self.action] = one_hot
        if self.reward is None:
            return
        if not self.reward_classes:
            x[..., self.reward] = reward
            return
        classes = torch.arange(self.reward_classes, device=x.device)
        seen = _coding(self.reward_coding)(one_hot, reward)[..., None] == classes
        x[..., self.reward : self.reward + self.reward_classes] = seen.to(x.dtype)


@cache
def _coding(name: str) -> Callable:
    module, function = name.split(":")
    return getattr(import_module(module), function)
