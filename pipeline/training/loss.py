"""The advantage actor–critic loss of every agent of a population, and its gradient at the heads.

Arrays have axes (agents, episodes, trials) or (agents, trials, episodes): both functions name the trial axis, so that
the obvious path and the fast path share them. All agents are independent: the loss of the population is the sum of its
agents' losses, and its gradient the stack of theirs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Costs:
    """Per-agent constants of the loss, each (agents,), and those shared by all.

    discount γ, entropy cost β_e; value cost β_v; trace λ of the generalised advantage (1: full-episode return).
    """

    discount: Tensor
    entropy: Tensor
    value: float = 0.05
    trace: float = 1.0
    normalise: bool = False

    def advantage(self, reward: Tensor, value: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Generalised advantage and value target (Schulman et al. 2016), constants for the gradient.

        δ_t = r_t + γ V_{t+1} − V_t, V = 0 after the last trial;  A_t = δ_t + γ λ A_{t+1};  target R_t = A_t + V_t.
        With λ = 1, R_t = Σ_k γ^k r_{t+k} is the discounted return to the end of the episode. With ``normalise`` the
        policy's advantages of each agent are centred and divided by their standard deviation over the batch.
        """
        reward, value = reward.unbind(axis), value.detach().unbind(axis)
        discount = self.discount[:, None]
        following_value = torch.zeros_like(value[0])
        advantage, found = torch.zeros_like(value[0]), []
        for r, v in zip(reversed(reward), reversed(value)):
            advantage = r + discount * following_value - v + discount * self.trace * advantage
            following_value = v
            found.append(advantage)
        advantage = torch.stack(found[::-1], axis)
        target = advantage + torch.stack(value, axis)
        if self.normalise:
            mean, deviation = advantage.mean((1, 2), keepdim=True), advantage.std((1, 2), keepdim=True)
            advantage = (advantage - mean) / (deviation + 1e-6)
        return advantage, target


@dataclass
class Outcome:
    """What one update measured of every agent, (agents,): mean reward per trial, policy entropy (nats), value loss."""

    reward: Tensor
    entropy: Tensor
    value_loss: Tensor


def loss(
    logits: Tensor, value: Tensor, action: Tensor, reward: Tensor, costs: Costs, axis: int = 2
) -> tuple[Tensor, Outcome]:
    """Loss of every agent, (agents,), means over its episodes and trials.

    L = ⟨−log π(a_t) A_t + β_v ½ (R_t − V_t)² − β_e H(π_t)⟩, with A and R constant (Mnih et al. 2016; Wang et al. 2017).
    The advantage carries no gradient into the value head; the value loss does, and on into the core.

    ``logits`` are (…, actions); ``value``, ``action`` and ``reward`` lack that axis; ``axis`` counts trials.
    """
    advantage, target = costs.advantage(reward, value, axis)
    log_policy = torch.log_softmax(logits, -1)
    entropy = -(log_policy.exp() * log_policy).sum(-1)
    chosen = log_policy.gather(-1, action[..., None])[..., 0]
    value_loss = 0.5 * (target - value) ** 2
    terms = -chosen * advantage + costs.value * value_loss - costs.entropy[:, None, None] * entropy
    outcome = Outcome(*(x.detach().mean((1, 2)) for x in (reward, entropy, value_loss)))
    return terms.mean((1, 2)), outcome


def head_gradient(
    logits: Tensor, value: Tensor, one_hot: Tensor, reward: Tensor, costs: Costs, axis: int = 2
) -> tuple[Tensor, Tensor, Outcome]:
    """Gradient of `loss` by the logits and by the value, written out.

    ∂L/∂l_k = [A (π_k − 1{a = k}) + β_e π_k (log π_k + H)] / n;  ∂L/∂V = β_v (V − R) / n;  n = episodes × trials.
    """
    advantage, target = costs.advantage(reward, value, axis)
    log_policy = torch.log_softmax(logits, -1)
    policy = log_policy.exp()
    entropy = -(policy * log_policy).sum(-1, keepdim=True)
    count = reward[0].numel()
    by_entropy = costs.entropy[:, None, None, None] * policy * (log_policy + entropy)
    by_logits = ((policy - one_hot) * advantage[..., None] + by_entropy) / count
    error = value - target
    outcome = Outcome(reward.mean((1, 2)), entropy[..., 0].mean((1, 2)), 0.5 * (error**2).mean((1, 2)))
    return by_logits, error * (costs.value / count), outcome
