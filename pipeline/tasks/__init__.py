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
    """A batch of episodes, stepped together; ``steps`` steps in all, each with ``actions`` possible actions."""

    steps: int
    actions: int

    def observe(self) -> np.ndarray | None:
        """Observation at the current step, (agents, episodes, features), or None where the task shows nothing."""

    def act(self, action: np.ndarray) -> np.ndarray:
        """Take one action per episode, (agents, episodes) whole numbers; return rewards of the same shape; advance."""

    def columns(self) -> dict[str, np.ndarray]:
        """Latent columns of the trial table, (agents, episodes, trials) or, per option, (…, trials, options)."""

    # A world that forces some choices has a method ``imposed()`` besides: the action that it will carry out at the
    # current step whatever it is told, −1 where the choice is free, (agents or 1, episodes); or None. Its columns may
    # hold ``trial_type`` and ``second_trial_type``.


@dataclass(frozen=True)
class Task:
    """One entry of the registry."""

    name: str
    title: str
    options: int
    trials: int
    world: str  # "module:Class", imported only when episodes begin
    settings: Mapping = field(default_factory=lambda: MappingProxyType({}))
    test_settings: Mapping = field(default_factory=lambda: MappingProxyType({}))  # where tests differ from training
    inputs: tuple[str, ...] = ("action", "reward")  # what a network sees besides the observation
    features: int = 0  # size of the observation
    steps: int = 1  # steps of the world per trial
    # A reward that networks see as one of so many classes: "module:function" of (one-hot action, reward) → class.
    reward_classes: int = 0
    reward_coding: str = ""
    description: str = ""
    citation: str = ""

    def begin(self, agents: int, episodes: int, generator: np.random.Generator, shared: bool = False) -> World:
        """Draw fresh episodes for a population.

        With ``shared`` every agent meets the same episodes (latent probabilities *and* the outcome each option would
        give on each trial), drawn from the distribution of the tests: the way agents are tested. In training each
        agent has its own.
        """
        module, name = self.world.split(":")
        settings = {**self.settings, **self.test_settings} if shared else self.settings
        return getattr(import_module(module), name)(self, agents, episodes, generator, shared, **settings)

    @property
    def tested(self) -> Mapping:
        """Settings of the episodes that agents are tested on."""
        return {**self.settings, **self.test_settings}


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


def _restless(name: str, scale: str, word: str) -> Task:
    return Task(
        name=name,
        title=f"Restless bandit, volatility as {word}",
        options=2,
        trials=150,
        world="pipeline.tasks.restless:RestlessArms",
        settings=MappingProxyType({"volatility": ((0, 2 / 30), (4 / 30, 6 / 30)), "scale": scale}),
        test_settings=MappingProxyType({"volatility": ((0, 6 / 30),)}),
        inputs=("action", "reward", "time"),
        description=(
            f"p1 starts uniform on [0, 1] and walks with reflected Gaussian steps of {word} ν, p2 = 1 − p1; ν is fixed "
            "within an episode, in training uniform on [0, 2/30] ∪ [4/30, 6/30], in tests uniform on [0, 6/30]"
        ),
        citation="Wang et al. 2017, arXiv:1611.05763, experiment 4",
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
            Task(
                name="informative_arm",
                title="Eleven arms, one informative",
                options=11,
                trials=5,
                world="pipeline.tasks.informative_arm:InformativeArm",
                inputs=("action", "reward", "time"),
                reward_classes=12,
                reward_coding="pipeline.tasks.informative_arm:reward_class",
                description=(
                    "one of arms 1–10 (the target) pays 5, the nine others 1; arm 11 pays a tenth of the target's "
                    "number (.1 … 1) and so tells it; outcomes are certain; networks see the reward as one of 12 "
                    "classes"
                ),
                citation="Wang et al. 2017, arXiv:1611.05763, experiment 3",
            ),
            _restless("restless", "variance", "variance"),
            _restless("restless_sd", "sd", "standard deviation"),
            Task(
                name="two_step",
                title="Two-step task",
                options=2,
                trials=10,
                steps=2,
                world="pipeline.tasks.two_step:TwoStep",
                settings=MappingProxyType({"common": 0.75, "pays": (0.9, 0.1)}),
                inputs=("action", "reward", "time"),
                features=3,
                description=(
                    "at the first stage action 1 leads to S2 with .75 and to S3 with .25, action 2 the other way "
                    "round; one of S2 and S3 pays with .9, the other with .1, fixed within an episode; at the second "
                    "stage any action collects the outcome"
                ),
                citation="Wang et al. 2017, arXiv:1611.05763, experiment 5; Daw et al. 2011, Neuron 69:1204",
            ),
            Task(
                name="daw_two_step",
                title="Two-step task with drifting rewards",
                options=2,
                trials=201,
                steps=2,
                world="pipeline.tasks.two_step_drift:DawTwoStep",
                settings=MappingProxyType({"common": 0.7, "deviation": 0.025, "bounds": (0.25, 0.75)}),
                features=3,
                description=(
                    "at the first stage action 1 leads to S2 with .7 and to S3 with .3, action 2 the other way round; "
                    "each of the two options of either state pays with a probability of its own, which walks with "
                    "Gaussian steps of SD .025 reflected at .25 and .75"
                ),
                citation="Daw et al. 2011, Neuron 69:1204",
            ),
            Task(
                name="miranda_two_step",
                title="Two-step task with reward levels and forced choices",
                options=2,
                trials=200,
                steps=2,
                world="pipeline.tasks.two_step_drift:MirandaTwoStep",
                settings=MappingProxyType(
                    {"common": 0.7, "levels": (0, 1, 2), "stays": (5, 9), "forced": (0.074, 0.072)}
                ),
                inputs=("reward",),  # the action carried out, which may be a forced one, is in the observation
                features=7,
                description=(
                    "at the first stage action 1 leads to S2 with .7 and to S3 with .3, action 2 the other way round; "
                    "each of the two options of either state pays 0, 1 or 2, drawn anew every 5–9 trials; on 7.4 % of "
                    "the trials the first choice is forced and on 7.2 % the second, as in the monkeys' data"
                ),
                citation="Miranda et al. 2020; levels and forced trials as measured in the released data",
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
