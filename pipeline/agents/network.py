"""The frozen network as an agent: weights never change, activities start afresh with every episode."""

from collections.abc import Sequence

import numpy as np
import torch

from pipeline.agents.heads import heads
from pipeline.agents.inputs import Inputs
from pipeline.agents.population import Population, as_tensors
from pipeline.errors import UserError
from pipeline.tasks import Task


class Network:
    """Agents of a trained population behind the protocol of `pipeline.agents.Agent`.

    Parameters
    ----------
    population : Population
        Weights and description.
    agents : sequence of int, optional
        Positions of the agents to use; default all.
    device : str
        Where the activities are computed.
    """

    species = "network"

    def __init__(self, population: Population, agents: Sequence[int] | None = None, device: str = "cpu"):
        self.rows = list(range(len(population))) if agents is None else [int(k) for k in agents]
        self.subjects = tuple(population.subjects[k] for k in self.rows)
        self.discount = population.agents["discount"].to_numpy(float)[self.rows]
        self.core = population.build_core()
        self.inputs = population.inputs
        self.weights = as_tensors(population.weights, self.rows, device)

    def begin(self, task: Task, episodes: int) -> None:
        """Start fresh episodes: state 0, last action all zeros, last reward 0.

        The task may be another than the one trained on (for example a longer episode), if it looks the same: as many
        actions and the same kinds of input. The time input t / T then refers to the T of the task at hand.
        """
        found = Inputs.of(task, reward_input=self.inputs.reward_input, time=self.inputs.time)
        if found.look != self.inputs.look:
            raise UserError(
                f"these networks cannot play {task.name!r}: they were trained with {self.inputs.actions} "
                f"actions and the inputs {', '.join(self.inputs.kinds)} (+{self.inputs.features} features), "
                f"it gives {found.actions} and {', '.join(found.kinds)} (+{found.features})"
            )
        self._now = found
        tensor = {"dtype": self.weights["policy"].dtype, "device": self.weights["policy"].device}
        with torch.inference_mode():
            self._state = self.core.initial(len(self.rows), episodes, **tensor)
            self._x = torch.zeros(len(self.rows), episodes, found.size, **tensor)
            self._one_hot = torch.eye(found.actions, **tensor)
        self._step = 0

    def policy(self, observation: np.ndarray | None) -> np.ndarray:
        """Softmax policy of this step, (agents, episodes, actions), float64 summing to 1."""
        with torch.inference_mode():
            if observation is not None and self._now.features:
                self._x[..., self._now.observation] = torch.as_tensor(observation, dtype=self._x.dtype)
            self._now.write_time(self._x, self._step)
            self._state, self.hidden = self.core.step(self.weights, self._x, self._state)
            logits, self._value = heads(self.weights, self.hidden)
            return torch.softmax(logits.double(), -1).cpu().numpy()

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Keep the action and the reward as the inputs of the next step; nothing else changes."""
        with torch.inference_mode():
            device = self._x.device
            chosen = self._one_hot[torch.as_tensor(action, dtype=torch.long, device=device)]
            self._now.write_outcome(self._x, chosen, torch.as_tensor(reward, dtype=self._x.dtype, device=device))
        self._step += 1

    def report(self) -> dict[str, np.ndarray]:
        """Value V of this step, (agents, episodes), before the choice."""
        return {"value": self._value.cpu().numpy()}
