"""Models as agents: the session loop of the networks plays them, on tasks or on the schedule that a source met."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models.card import ModelCard
from pipeline.models.data import LANE
from pipeline.models.likelihood import Learner


class ScheduleUnknown(UserError):
    """A source whose trials cannot be simulated, because what they would have paid is not known."""


class ModelAgent:
    """A population that follows one model; obeys `pipeline.agents.Agent`.

    Parameters
    ----------
    card : ModelCard
    theta : array (agents, parameters) or (agents, episodes, parameters)
        Natural values.
    subjects : sequence of str, optional
    covariates : mapping of name → array (episodes, trials), optional
        The further columns that the model reads.
    """

    species = "learner"

    def __init__(self, card: ModelCard, theta: np.ndarray, subjects=None, covariates=None):
        theta = np.asarray(theta, float)
        self.card, self.theta = card, theta[:, None] if theta.ndim == 2 else theta
        self.subjects = tuple(subjects or (f"model{i + 1:03d}" for i in range(len(theta))))
        self.covariates = covariates or {}

    def begin(self, task, episodes: int) -> None:
        """Set every state to its start."""
        self.learner = Learner(self.card, self.theta, task.options, (len(self.theta), episodes))
        self.time = 0

    def policy(self, observation=None) -> np.ndarray:
        """Choice probabilities (agents, episodes, options); an observation ≥ 0 is a choice that is forced."""
        policy = self.learner.policy(**self._now())
        if observation is not None:
            forced = observation[..., 0]
            imposed = forced[..., None] == np.arange(policy.shape[-1])
            policy = np.where(forced[..., None] >= 0, imposed, policy)
        return policy

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Learn from one outcome."""
        self.learner.update(self.learner.step(action, reward, **self._now()))
        self.time += 1

    def _now(self) -> dict:
        return {name: values[:, self.time] for name, values in self.covariates.items()}


@dataclass(frozen=True)
class Schedule:
    """The trials that a source met, to be met again by simulated subjects; stands where a `Task` stands.

    ``probability`` (episodes, trials, options) latent probabilities of a reward of 1, ``forced`` (episodes, trials) the
    imposed choice or −1, ``length`` (episodes,) trials per episode, ``lanes`` the key of each episode.
    """

    name: str
    options: int
    trials: int
    probability: np.ndarray
    forced: np.ndarray
    length: np.ndarray
    lanes: pd.DataFrame
    covariates: dict[str, np.ndarray] = field(default_factory=dict)
    steps: int = 1  # of the world per trial, as of a `Task`

    def begin(
        self, agents: int, episodes: int, generator: np.random.Generator, shared: bool = False
    ) -> "ScheduleWorld":
        """Start the episodes; every agent meets the same latent probabilities, outcomes are drawn afresh."""
        if episodes != len(self.length):
            raise ValueError(f"the schedule has {len(self.length)} episodes, not {episodes}")
        return ScheduleWorld(self, agents, generator)


class ScheduleWorld:
    """Bernoulli outcomes at the probabilities of a schedule; obeys `pipeline.tasks.World`."""

    def __init__(self, schedule: Schedule, agents: int, generator: np.random.Generator):
        self.schedule, self.agents, self.generator, self.time = schedule, agents, generator, 0
        self.steps, self.actions = schedule.trials, schedule.options
        self.any_forced = bool((schedule.forced >= 0).any())

    def observe(self) -> np.ndarray | None:
        """Give the forced choice, −1 where free, (agents, episodes, 1); None where no trial is forced."""
        if not self.any_forced:
            return None
        return np.broadcast_to(self.schedule.forced[:, self.time, None], (self.agents, len(self.schedule.length), 1))

    def act(self, action: np.ndarray) -> np.ndarray:
        """Draw the rewards (agents, episodes) of the options chosen; advance."""
        probability = self.schedule.probability[np.arange(len(self.schedule.length)), self.time, action]
        self.time += 1
        return (self.generator.random(action.shape) < probability).astype(float)

    def columns(self) -> dict[str, np.ndarray]:
        """Latent columns of the trial table."""
        p = self.schedule.probability
        better = np.where((p == p.max(-1, keepdims=True)).sum(-1) > 1, -1, p.argmax(-1))
        changed = (np.diff(p, axis=1, prepend=p[:, :1]) != 0).any(-1)
        shape = (self.agents, *p.shape)
        found = {"reward_probability": p, "better_option": better, "block": 1 + np.cumsum(changed, 1)}
        found |= self.schedule.covariates
        return {name: np.broadcast_to(values, shape[: values.ndim + 1]) for name, values in found.items()}


def schedule(table: pd.DataFrame, card: ModelCard) -> Schedule:
    """Read the schedule of a source from its trial table (trials without a choice are left out).

    Raises
    ------
    ScheduleUnknown
        If the table lacks latent reward probabilities or its rewards are not 0 and 1.
    """
    kept = table[table["choice"].notna()].sort_values([*LANE, "trial"], kind="stable")
    options = int(kept["options"].max())
    names = [f"reward_probability_{k}" for k in range(options)]
    if any(n not in kept or kept[n].isna().any() for n in names):
        raise ScheduleUnknown(
            "cannot simulate this source: its table has no latent reward probabilities (reward_probability_0, …)"
        )
    if not kept["reward"].isin([0, 1]).all():
        raise ScheduleUnknown("cannot simulate this source: its rewards are not 0 or 1")
    grouped = kept.groupby(LANE, sort=True, observed=True)
    lane, position = grouped.ngroup().to_numpy(), grouped.cumcount().to_numpy()
    length = np.bincount(lane)
    probability = np.zeros((len(length), length.max(), options))
    probability[lane, position] = kept[names].to_numpy(float)
    forced = np.full(probability.shape[:2], -1)
    imposed = (kept["trial_type"] == "forced").to_numpy()
    forced[lane[imposed], position[imposed]] = kept["choice"].to_numpy(int)[imposed]
    covariates = {}
    for name in card.extra:
        covariates[name] = np.zeros(probability.shape[:2])
        covariates[name][lane, position] = kept[name].to_numpy(float)
    lanes = kept[LANE].iloc[np.flatnonzero(position == 0)].reset_index(drop=True)
    return Schedule(
        str(kept["task"].iloc[0]), options, int(length.max()), probability, forced, length, lanes, covariates
    )
