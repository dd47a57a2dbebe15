"""Models as agents: the session loop of the networks plays them, on tasks or on the schedule that a source met."""

import numpy as np

from pipeline.errors import UserError
from pipeline.models.card import ModelCard
from pipeline.models.data import COMMON, DAW
from pipeline.models.likelihood import Learner
from pipeline.models.schedule import Schedule, ScheduleUnknown, schedule
from pipeline.models.symbolic import PER_OPTION

__all__ = ["ModelAgent", "Schedule", "ScheduleUnknown", "schedule"]


class ModelAgent:
    """A population that follows one model; obeys `pipeline.agents.Agent`.

    Of a two-step trial it makes both choices and learns once, from all that the trial brought. A model without choices
    at the second stage takes either option there with equal chance.

    Parameters
    ----------
    card : ModelCard
        As resolved for the task (`pipeline.models.data.resolve`, or `ModelCard.for_second`).
    theta : array (agents, parameters) or (agents, episodes, parameters)
        Natural values.
    subjects : sequence of str, optional
    covariates : mapping of name → array (episodes, trials) or, per option, (episodes, trials, options); optional
        The further columns that the model reads, standardised as in a fit (``Schedule.covariates``). An axis of agents
        may stand in front.

    Raises
    ------
    ValueError
        If the parameters are not those of the card.
    """

    species = "learner"

    def __init__(self, card: ModelCard, theta: np.ndarray, subjects=None, covariates=None):
        theta = np.asarray(theta, float)
        if theta.shape[-1] != len(card.names):
            raise ValueError(
                f"model {card.name!r} has the parameters {', '.join(card.names)}; theta has {theta.shape[-1]} (is the "
                "card resolved?)"
            )
        self.card, self.theta = card, theta[:, None] if theta.ndim == 2 else theta
        self.subjects = tuple(subjects or (f"model{i + 1:03d}" for i in range(len(theta))))
        self.covariates = covariates or {}

    def begin(self, task, episodes: int) -> None:
        """Set every state to its start.

        Raises
        ------
        UserError
            If the model is one of two-step tasks and the task is none, or if it says what is chosen at a second stage
            and the card was not resolved.
        """
        card = self.card
        if card.two_step and task.steps != 2:
            raise UserError(
                f"model {card.name!r} is made for two-step tasks; task {task.name!r} has one step per trial"
            )
        if card.two_step and not card.second_options and any(p.second_stage for p in card.parameters):
            raise ValueError(f"model {card.name!r}: resolve the card first (pipeline.models.data.resolve, for_second)")
        self.learner = Learner(card, self.theta, task.options, (len(self.theta), episodes))
        self.stages, self.stage, self.time = task.steps, 0, 0
        self.common = {"common": COMMON.get(task.name, DAW)} if card.two_step else {}

    def policy(self, observation=None) -> np.ndarray:
        """Choice probabilities of this step, (agents, episodes, options).

        At the second stage the observation tells the state: its features 1 and 2 are one-hot over S2 and S3.
        """
        if self.stage == 0:
            return self.learner.policy(**self._now())
        self.state = np.broadcast_to(np.asarray(observation)[..., 1:3].argmax(-1), self.choice.shape)
        if not self.card.second_options:
            return np.full((*self.choice.shape, 2), 0.5)
        return self.learner.second_policy(self.choice, self.state, **self._now())

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Learn from one outcome: that of the last step of the trial."""
        if self.stages == 1:
            self._learn(action, reward)
        elif self.stage == 0:
            self.choice, self.first, self.stage = action, reward, 1
        else:
            second = {"state": self.state, "second": action} if self.card.two_step else {}
            self._learn(self.choice, self.first + reward, **second)
            self.stage = 0

    def _learn(self, choice, reward, **second) -> None:
        self.learner.update(self.learner.step(choice, reward, **second, **self._now()))
        self.time += 1

    def _now(self) -> dict:
        found = dict(self.common)
        for name, values in self.covariates.items():
            each = name in PER_OPTION
            found[name] = list(np.moveaxis(values[..., self.time, :], -1, 0)) if each else values[..., self.time]
        return found
