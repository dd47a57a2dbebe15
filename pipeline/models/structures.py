"""Reduced trial structures, one per study, on which its models are checked: `STRUCTURES`.

A structure keeps what matters to a fit of a study's own data — reversals, volatilities, forced trials, groups and
conditions, how sessions and episodes are nested — at about twenty episodes of at most two hundred trials, so that
hundreds of data sets can be simulated and fitted. All data sets of a structure have the same shape; ``full`` is the
size of the study's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import MappingProxyType

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models.card import ModelCard
from pipeline.tasks import TASKS

REDUCED, FULL = "reduced", "full"


@dataclass(frozen=True)
class TrialStructure:
    """How many subjects, sessions, episodes and trials, and the world that is played; obeys the protocol of a `Task`.

    Episodes have from ``shortest`` to ``trials`` trials, evenly spread. Groups, where there are any, are dealt to the
    subjects and conditions to the sessions of each subject, in turn.
    """

    name: str  # of the study
    task: str  # column ``task`` of its tables: sets the units of covariates and P(common transition)
    subjects: int
    sessions: int
    episodes: int
    trials: int
    full: tuple[int, int, int, int]  # subjects, sessions, episodes and trials of the study's own data, about
    world: str  # "module:Class", called as those of `pipeline.tasks`
    settings: Mapping = field(default_factory=lambda: MappingProxyType({}))
    shortest: int = 0  # 0: all episodes are equally long
    steps: int = 1
    second_options: int = 0
    groups: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # further columns of the trial table that the world gives
    description: str = ""
    options: int = 2

    def at(self, size: str) -> "TrialStructure":
        """Give the structure in a size: reduced (as declared) or full.

        Raises
        ------
        UserError
            If the size is neither.
        """
        if size not in (REDUCED, FULL):
            raise UserError(f"structure {self.name!r} has the sizes {REDUCED} and {FULL}, not {size!r}")
        if size == REDUCED:
            return self
        subjects, sessions, episodes, count = self.full
        shortest = round(self.shortest * count / self.trials)
        return replace(self, subjects=subjects, sessions=sessions, episodes=episodes, trials=count, shortest=shortest)

    def begin(self, agents: int, episodes: int, generator: np.random.Generator, shared: bool = False):
        """Draw the episodes of ``agents`` data sets; see `pipeline.tasks.Task.begin`."""
        module, name = self.world.split(":")
        return getattr(import_module(module), name)(self, agents, episodes, generator, shared, **self.settings)

    @property
    def lanes(self) -> pd.DataFrame:
        """One row per episode: subject, session, episode, trials, and group and condition where there are any."""
        subject, session, episode = np.indices((self.subjects, self.sessions, self.episodes)).reshape(3, -1)
        count = len(subject)
        stride = next(s for s in range(round(0.38 * count) or 1, count + 2) if np.gcd(s, count) == 1)
        length = np.round(np.linspace(self.shortest or self.trials, self.trials, count)).astype(int)
        found = {"subject": [f"s{s + 1:03d}" for s in subject], "session": session + 1, "episode": episode + 1,
                 "trials": length[np.arange(count) * stride % count]}  # long and short ones for everyone  # fmt: skip
        if self.groups:
            found["group"] = np.array(self.groups)[subject % len(self.groups)]
        if self.conditions:
            found["condition"] = np.array(self.conditions)[session % len(self.conditions)]
        return pd.DataFrame(found)

    def suits(self, card: ModelCard) -> bool:
        """Whether a model can be fitted to this structure."""
        low, high = card.options_allowed
        enough = set(card.extra) <= set(self.columns)
        return enough and low <= self.options <= high and card.two_step == (self.steps == 2)

    def resolve(self, card: ModelCard) -> ModelCard:
        """Give the card as this structure needs it; see `pipeline.models.data.resolve`.

        Raises
        ------
        UserError
            If the model cannot be fitted to this structure.
        """
        if not self.suits(card):
            stages = "two-step trials" if self.steps == 2 else "no second stage"
            raise UserError(
                f"model {card.name!r} cannot be checked on structure {self.name!r}, which has {self.options} options, "
                f"{stages} and the further columns: {', '.join(self.columns) or 'none'}"
            )
        return card.for_second(self.second_options) if card.two_step else card


STRUCTURES: Mapping[str, TrialStructure] = MappingProxyType(
    {
        s.name: s
        for s in (
            TrialStructure(
                name="reversal",
                task="reversal",
                subjects=4,
                sessions=2,
                episodes=2,
                trials=80,
                full=(4, 20, 14, 80),
                world="pipeline.tasks.reversal:Reversal",
                settings=TASKS["reversal"].settings,
                description=(
                    "problems of 80 trials, 80/20 or 70/30, one reversal whose first outcome falls on trial 31 … 50"
                ),
            ),
            TrialStructure(
                name="restless",
                task="restless",
                subjects=4,
                sessions=2,
                episodes=2,
                trials=150,
                shortest=100,
                full=(5, 1, 100, 150),
                world="pipeline.tasks.restless:RestlessArms",
                settings=MappingProxyType({"volatility": TASKS["restless"].test_settings["volatility"]}),
                columns=("volatility",),
                description="episodes of 100 to 150 trials, each with a volatility ν ~ U[0, .2] of its own",
            ),
            TrialStructure(
                name="matching",
                task="rutledge_foraging",
                subjects=8,
                sessions=2,
                episodes=1,
                trials=200,
                full=(78, 1, 1, 800),
                groups=("elderly", "young"),
                world="pipeline.models.worlds:BaitedArms",
                description="baited options in blocks of 70 to 90 trials, rewards 6:1 or 3:1, two groups of subjects",
            ),
            TrialStructure(
                name="volatility",
                task="gagne_volatility",
                subjects=8,
                sessions=2,
                episodes=1,
                trials=180,
                full=(160, 2, 1, 180),
                conditions=("gain", "loss"),
                world="pipeline.models.worlds:StableVolatile",
                columns=("volatility", "magnitude", "outcome"),
                description=(
                    "90 stable (75/25) and 90 volatile trials (80/20, changing every 20), in either order, with "
                    "amounts of .01 to .99 on offer; one session of gains and one of losses per subject"
                ),
            ),
            TrialStructure(
                name="two_step",
                task="two_step",
                subjects=4,
                sessions=2,
                episodes=20,
                trials=10,
                full=(5, 1, 300, 10),
                world="pipeline.tasks.two_step:TwoStep",
                settings=TASKS["two_step"].settings,
                steps=2,
                description="episodes of 10 trials, common transitions 75 %, one second-stage state good throughout",
            ),
            TrialStructure(
                name="two_step_drift",
                task="miranda_two_step",
                subjects=4,
                sessions=4,
                episodes=1,
                trials=200,
                full=(2, 28, 1, 530),
                world="pipeline.tasks.two_step_drift:MirandaTwoStep",
                settings=TASKS["miranda_two_step"].settings,
                steps=2,
                second_options=2,
                description=(
                    "sessions of 200 trials, common transitions 70 %, four second-stage options that pay 0, 1 or 2, "
                    "drawn anew every 5 to 9 trials; 7 % of trials with a forced first, 7 % with a forced second choice"
                ),
            ),
        )
    }
)


def structure(study: str) -> TrialStructure:
    """Look a structure up by the name of its study.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if study not in STRUCTURES:
        raise UserError(
            f"study {study!r} has no reduced structure to check its models on; there are some for "
            f"{', '.join(STRUCTURES)} (add one in pipeline/models/structures.py)"
        )
    return STRUCTURES[study]
