"""Heads of the actor–critic: softmax policy and linear value, both on the output of the shared core."""

import numpy as np
import torch
from torch import Tensor

from pipeline.agents.cores import Core, Parameters, orthogonal


def head_parameters(generator: np.random.Generator, agents: int, units: int, actions: int) -> dict[str, np.ndarray]:
    """Draw head weights, (agents, units, actions) and (agents, units, 1), with biases 0.

    The policy starts near uniform (orthonormal columns × .01, as usual since Schulman et al. 2017) and the value at 0.
    """
    return {
        "policy_bias": np.zeros((agents, actions)),
        "policy": 0.01 * orthogonal(generator, agents, units, actions),
        "value_bias": np.zeros((agents, 1)),
        "value": np.zeros((agents, units, 1)),
    }


def network_parameters(core: Core, generator: np.random.Generator, agents: int, inputs: int, actions: int):
    """Draw initial weights of core and heads together, arrays by name, in the order in which they are stored."""
    return core.parameters(generator, agents, inputs) | head_parameters(generator, agents, core.units, actions)


def heads(parameters: Parameters, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of the policy, (agents, episodes, actions), and value V, (agents, episodes), of the hidden activity."""
    logits = torch.baddbmm(parameters["policy_bias"][:, None], hidden, parameters["policy"])
    value = torch.baddbmm(parameters["value_bias"][:, None], hidden, parameters["value"])
    return logits, value[..., 0]
