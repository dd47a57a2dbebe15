"""The obvious path: act with the core's own ``step`` and let PyTorch differentiate. Works for any core."""

import numpy as np
import torch
from torch import Tensor

from pipeline.agents.cores import Core
from pipeline.agents.heads import heads
from pipeline.agents.inputs import Inputs
from pipeline.agents.population import unflatten
from pipeline.tasks import World
from pipeline.training.loss import Costs, Outcome, loss


def choose(logits: Tensor, log_race: Tensor) -> Tensor:
    """Sample an action from softmax(logits): argmax_k (logit_k − log E_k) with E_k ~ Exp(1), (agents, episodes).

    The exponential race: option k wins with probability exp(logit_k) / Σ exp(logit). No softmax is needed to act.
    """
    scores = logits - log_race
    if scores.shape[-1] == 2:
        return (scores[..., 1] > scores[..., 0]).long()
    return scores.argmax(-1)


class Autograd:
    """Gradient of the actor–critic loss of a population by automatic differentiation through the episode."""

    def __init__(self, core: Core, shapes: dict, inputs: Inputs, agents: int, episodes: int, **tensor):
        self.core, self.shapes, self.inputs, self.size, self.tensor = core, shapes, inputs, (agents, episodes), tensor

    def gradient(self, flat: Tensor, world: World, log_race: Tensor, costs: Costs) -> tuple[Tensor, Outcome]:
        """Let the population behave in ``world`` and differentiate.

        Parameters
        ----------
        flat : Tensor
            Parameters, (agents, parameters).
        world : World
            Fresh episodes, (agents, episodes).
        log_race : Tensor
            Logarithms of Exp(1) draws, (trials, agents, episodes, actions): the randomness of the actions.
        costs : Costs
            Constants of the loss.

        Returns
        -------
        gradient (agents, parameters), Outcome
        """
        flat = flat.detach().requires_grad_()
        parameters = unflatten(flat, self.shapes)
        state = self.core.initial(*self.size, **self.tensor)
        one_hot = torch.eye(self.inputs.actions, **self.tensor)
        following = torch.zeros(*self.size, self.inputs.size, **self.tensor)
        record = []
        for step in range(world.steps):
            x = following
            observed = world.observe()
            if observed is not None:
                x[..., self.inputs.observation] = torch.as_tensor(observed, **self.tensor)
            self.inputs.write_time(x, step)
            state, hidden = self.core.step(parameters, x, state)
            logits, value = heads(parameters, hidden)
            action = choose(logits.detach(), log_race[step])
            reward = torch.as_tensor(np.asarray(world.act(action.cpu().numpy())), **self.tensor)
            following = torch.zeros_like(x)
            self.inputs.write_outcome(following, one_hot[action], reward)
            record.append((logits, value, action, reward))
        logits, value, action, reward = (torch.stack(parts, 2) for parts in zip(*record))
        each, outcome = loss(logits, value, action, reward, costs)
        return torch.autograd.grad(each.sum(), flat)[0], outcome
