"""The fast path: backpropagation through the episode written out, for the four cores of the registry.

Same actions, same loss and, to rounding, the same gradient as `pipeline.training.autograd`; several times faster:

- activities are kept while acting, so there is no second forward pass;
- inputs, the constant 1 and the previous hidden activity stand side by side, z_t = [x_t, 1, h_{t−1}], and so do their
  weights: one batched product per step does input, bias and recurrence (and never a broadcast product over the
  episode, which is fifteen times slower);
- the recursion backwards carries only the gradient by the activities; the weights' gradient is **one** batched product
  over trials × episodes at the end;
- all large arrays are made once.

Arrays are (agents, trials, episodes, …), so that trials × episodes merge without a copy.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.agents.cores import GRU, LSTM, Core, LowRank, Vanilla
from pipeline.agents.inputs import Inputs
from pipeline.agents.population import unflatten
from pipeline.tasks import World
from pipeline.training.autograd import choose
from pipeline.training.loss import Costs, Outcome, head_gradient
from pipeline.training.recurrences import GRUPass, LSTMPass, RatePass, joined

PASSES = {Vanilla: RatePass, LowRank: RatePass, GRU: GRUPass, LSTM: LSTMPass}


class Handwritten:
    """Gradient of the actor–critic loss of a population; same signature as `Autograd`."""

    def __init__(self, core: Core, shapes: dict, inputs: Inputs, agents: int, episodes: int, **tensor):
        self.core, self.shapes, self.inputs = core, shapes, inputs
        steps, width, units = inputs.steps, inputs.size, core.units
        self.one_hot = torch.eye(inputs.actions, **tensor)
        self.z = torch.zeros(agents, steps + 1, episodes, width + 1 + units, **tensor)
        self.z[..., width] = 1
        for step in range(steps):
            inputs.write_time(self.z[:, step], step)
        self.hidden = self.z[..., width + 1 :]  # [:, t + 1] is h_t, [:, 0] stays 0: state before the first choice
        self.by_hidden = torch.empty(agents, steps, episodes, units, **tensor)
        self.recurrence = PASSES[type(core)](core, self.z, width)

    @torch.no_grad()
    def gradient(self, flat: Tensor, world: World, log_race: Tensor, costs: Costs) -> tuple[Tensor, Outcome]:
        """Let the population behave in ``world`` and backpropagate; see `Autograd.gradient`."""
        logits, action, reward = self._act(flat, world, log_race)
        agents, steps, episodes, _ = logits.shape
        found = torch.empty_like(flat)
        parameters, gradients = unflatten(flat, self.shapes), unflatten(found, self.shapes)

        # z without its inputs is [1, h]: bias and weights of the heads in one product
        read = self.z[:, 1:, :, self.inputs.size :].reshape(agents, steps * episodes, -1)
        value = torch.bmm(read, joined(flat, self.shapes, "value_bias", "value")).view(agents, steps, episodes)
        by_logits, by_value, outcome = head_gradient(logits, value, self.one_hot[action], reward, costs, axis=1)
        by_heads = torch.cat([by_logits, by_value[..., None]], -1).view(agents, steps * episodes, -1)
        weights = torch.bmm(read.transpose(1, 2), by_heads)
        gradients["policy_bias"].copy_(weights[:, 0, :-1])
        gradients["policy"].copy_(weights[:, 1:, :-1])
        gradients["value_bias"].copy_(weights[:, 0, -1:])
        gradients["value"].copy_(weights[:, 1:, -1:])
        readout = torch.cat([parameters["policy"], parameters["value"]], -1).transpose(1, 2)
        torch.bmm(by_heads, readout, out=self.by_hidden.view(agents, steps * episodes, -1))

        self.recurrence.backward(self.by_hidden)
        self.recurrence.weight_gradient(found, self.shapes)
        return found, outcome

    def _act(self, flat: Tensor, world: World, log_race: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Behave, keeping what the way back needs; return logits, action, reward (agents, trials, episodes, …)."""
        width = self.inputs.size
        policy = joined(flat, self.shapes, "policy_bias", "policy")
        self.recurrence.begin(flat, self.shapes)
        record = []
        for step in range(world.steps):
            observed = world.observe()
            if observed is not None:
                self.z[:, step, :, self.inputs.observation] = torch.as_tensor(observed)
            self.recurrence.forward(step)
            logits = torch.bmm(self.z[:, step + 1, :, width:], policy)
            action = choose(logits, log_race[step])
            reward = torch.as_tensor(np.asarray(world.act(action.cpu().numpy())), dtype=flat.dtype, device=flat.device)
            if step + 1 < world.steps:
                chosen = self.one_hot.index_select(0, action.view(-1)).view(*action.shape, -1)  # faster than one_hot[…]
                self.inputs.write_outcome(self.z[:, step + 1], chosen, reward)
            record.append((logits, action, reward))
        return tuple(torch.stack(parts, 1) for parts in zip(*record))
