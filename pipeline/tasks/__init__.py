"""Tasks: what is asked of an agent. Registry `TASKS`, one frozen entry per task, read without importing any world.

A *world* is a batch of episodes of one task, with leading axes (agents, episodes); see `World`. Worlds are numpy and
know nothing of who acts in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Protocol

import numpy as np

from pipeline.errors import UserError


class World(Protocol):
    """A batch of episodes, stepped together; ``steps`` steps, each with ``actions`` possible actions."""

    steps: int
    actions: int

    def observe(self) -> np.ndarray | None:
        """Observation at the current step, (agents, episodes, features), or None where the task shows nothing."""

    def act(self, action: np.ndarray) -> np.ndarray:
        """Take one action per episode, (agents, episodes) whole numbers; return rewards of the same shape; advance."""

    def columns(self) -> dict[str, np.ndarray]:
        """Latent columns of the trial table, (agents, episodes, trials) or, per option, (…, trials, options)."""


@dataclass(frozen=True)
class Task:
    """One entry of the registry."""

    name: str
    title: str
    options: int
    trials: int
    world: str  # "module:Class", imported only when episodes begin
    settings: Mapping = field(default_factory=lambda: MappingProxyType({}))
    inputs: tuple[str, ...] = ("action", "reward")  # what a network sees besides the observation
    features: int = 0  # size of the observation
    description: str = ""
    citation: str = ""

    def begin(self, agents: int, episodes: int, generator: np.random.Generator, shared: bool = False) -> World:
        """Draw fresh episodes for a population.

        With ``shared`` every agent meets the same episodes (latent probabilities *and* the outcome each option would
        give on each trial): the way agents are tested. In training each agent has its own.
        """
        module, name = self.world.split(":")
        return getattr(import_module(module), name)(self, agents, episodes, generator, shared, **self.settings)


def _bandit(name: str, title: str, description: str, **settings) -> Task:
    return Task(
        name=name,
        title=title,
        options=2,
        trials=100,
        world="pipeline.tasks.bandits:StationaryArms",
        settings=MappingProxyType(settings),
        inputs=("action", "reward", "time"),
        description=description,
        citation="Wang et al. 2017, arXiv:1611.05763, experiments 1 and 2",
    )


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            _bandit("di", "D_i: independent arms", "p1, p2 ~ U[0, 1], independent", pairs=None, structured=False),
            _bandit("du", "D_u: dependent arms, uniform", "p1 ~ U[0, 1], p2 = 1 − p1", pairs=None, structured=True),
            _bandit("de", "D_e: dependent arms, easy", "{p1, p2} = {.1, .9}", pairs=(0.1, 0.9), structured=True),
            _bandit("dm", "D_m: dependent arms, medium", "{p1, p2} = {.25, .75}", pairs=(0.25, 0.75), structured=True),
            _bandit("dh", "D_h: dependent arms, hard", "{p1, p2} = {.4, .6}", pairs=(0.4, 0.6), structured=True),
            Task(
                name="reversal",
                title="Probabilistic object reversal",
                options=2,
                trials=80,
                world="pipeline.tasks.reversal:Reversal",
                settings=MappingProxyType({"schedules": (0.8, 0.7), "first": 31, "last": 50}),
                description=(
                    "80-trial problems with two new objects, p2 = 1 − p1 at 80/20 or 70/30 (equally often), one "
                    "reversal; the first contingency holds for 30 … 49 trials (uniform), so that the first reversed "
                    "outcome falls on trial 31 … 50, as in the monkeys' data"
                ),
                citation="Costa et al. 2016, Neuron 92:505; reversal trial as measured in the released data",
            ),
        )
    }
)


def task(name: str) -> Task:
    """Look a task up by name.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in TASKS:
        raise UserError(
            f"task {name!r} is not known; known are {', '.join(TASKS)} (add one in pipeline/tasks/__init__.py)"
        )
    return TASKS[name]
