"""Recurrent cores of the actor–critics: vanilla, low-rank, GRU and LSTM, each for a whole population.

Every parameter has a leading agent axis, (agents, …): each agent has its own weights, and one batched matrix product
moves the population by one step. Activities are (agents, episodes, units). A core declares

- ``units``: size of its output, which the policy and value heads read;
- ``parameters(generator, agents, inputs)``: initial weights, float64 arrays by name;
- ``initial(agents, episodes, ...)``: state before the first step of an episode (zeros);
- ``step(parameters, x, state) -> state, hidden``: one step; everything in it may be differentiated.

Common initialisation: recurrent weights orthogonal (all |λ| = 1; per gate), input weights N(0, 1 / inputs), biases 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

Parameters = Mapping[str, Tensor]
State = tuple[Tensor, ...]


class Core(Protocol):
    """What the training and the frozen network need of a recurrent core."""

    units: int

    def parameters(self, generator: np.random.Generator, agents: int, inputs: int) -> dict[str, np.ndarray]:
        """Draw initial weights by name, each (agents, …)."""

    def initial(self, agents: int, episodes: int, **tensor) -> State:
        """State at the start of an episode; ``tensor`` are dtype and device."""

    def step(self, parameters: Parameters, x: Tensor, state: State) -> tuple[State, Tensor]:
        """Advance one step: x (agents, episodes, inputs), state → new state, hidden (agents, episodes, units)."""


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent as 2 σ(2x) − 1, equal to rounding and ten times as fast in PyTorch on a processor."""
    return 2 * torch.sigmoid(2 * x) - 1


def affine(parameters: Parameters, x: Tensor) -> Tensor:
    """Input drive W_in x + b of every agent, (agents, episodes, columns)."""
    return torch.baddbmm(parameters["bias"][:, None], x, parameters["input"])


def orthogonal(generator: np.random.Generator, agents: int, rows: int, columns: int) -> np.ndarray:
    """Draw matrices with orthonormal columns ≤ rows, uniformly, (agents, rows, columns) (Saxe et al. 2014)."""
    q, r = np.linalg.qr(generator.standard_normal((agents, rows, columns)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]


def _feedforward(generator: np.random.Generator, agents: int, inputs: int, columns: int) -> dict[str, np.ndarray]:
    return {
        "input": generator.standard_normal((agents, inputs, columns)) / np.sqrt(inputs),
        "bias": np.zeros((agents, columns)),
    }


@dataclass(frozen=True)
class Vanilla:
    """Elman network, h_t = tanh(W h_{t−1} + W_in x_t + b) (Elman 1990)."""

    units: int = 48

    def parameters(self, generator, agents, inputs):
        """Orthogonal W; see the module for the rest."""
        recurrent = orthogonal(generator, agents, self.units, self.units)
        return _feedforward(generator, agents, inputs, self.units) | {"recurrent": recurrent}

    def initial(self, agents, episodes, **tensor):
        """State h = 0."""
        return (torch.zeros(agents, episodes, self.units, **tensor),)

    def step(self, parameters, x, state):
        """Advance h; the heads read h."""
        hidden = tanh(torch.baddbmm(affine(parameters, x), state[0], parameters["recurrent"]))
        return (hidden,), hidden


@dataclass(frozen=True)
class LowRank:
    """Rate network whose recurrent weights have rank r: h ← h + a (−h + m nᵀ φ(h) / N + W_in x + b), φ = tanh.

    m and n are (units, rank), N is the number of units, a = Δt/τ the leak (1: h is replaced at each step). The heads
    read φ(h). Mastrogiuseppe & Ostojic 2018; Dubreuil et al. 2022.
    """

    units: int = 48
    rank: int = 5
    leak: float = 1.0
    gain: float = 1.2

    def parameters(self, generator, agents, inputs):
        """Draw m = n = g √N Q with orthonormal Q: m nᵀ / N is g² times a projection on a random r-dimensional subspace.

        Its r eigenvalues that are not zero are g². At g = 1 what enters the subspace neither grows nor fades at h = 0,
        as with the orthogonal matrices of the other cores; g slightly above 1 makes up for the saturation of tanh, so
        that memory does not fade as soon as the activity is not small (below 1 hardly a network learns). Independent m
        and n would start with hardly any memory (λ ~ 1/√N).
        """
        q = self.gain * np.sqrt(self.units) * orthogonal(generator, agents, self.units, self.rank)
        return _feedforward(generator, agents, inputs, self.units) | {"m": q, "n": q.copy()}

    def initial(self, agents, episodes, **tensor):
        """State h = 0."""
        return (torch.zeros(agents, episodes, self.units, **tensor),)

    def step(self, parameters, x, state):
        """Advance h; the heads read φ(h)."""
        (h,) = state
        latent = torch.bmm(tanh(h), parameters["n"]) / self.units  # κ = nᵀ φ(h) / N, (agents, episodes, rank)
        drive = torch.baddbmm(affine(parameters, x), latent, parameters["m"].transpose(1, 2))
        h = h + self.leak * (drive - h)
        return (h,), tanh(h)


@dataclass(frozen=True)
class GRU:
    """Gated recurrent unit (Cho et al. 2014, with the reset gate after the product as in cuDNN and torch.nn.GRU).

    r, z = σ(W x + b + U h);  n = tanh(W_n x + b_n + r ⊙ U_n h);  h ← (1 − z) ⊙ n + z ⊙ h.
    Columns of ``input``, ``bias`` and ``recurrent`` stand in the order r, z, n.
    """

    units: int = 48

    def parameters(self, generator, agents, inputs):
        """Orthogonal U per gate; see the module for the rest."""
        recurrent = [orthogonal(generator, agents, self.units, self.units) for _ in range(3)]
        return _feedforward(generator, agents, inputs, 3 * self.units) | {"recurrent": np.concatenate(recurrent, -1)}

    def initial(self, agents, episodes, **tensor):
        """State h = 0."""
        return (torch.zeros(agents, episodes, self.units, **tensor),)

    def step(self, parameters, x, state):
        """Advance h; the heads read h."""
        (h,), gates = state, 2 * self.units
        drive, recurrent = affine(parameters, x), torch.bmm(h, parameters["recurrent"])
        reset, update = torch.sigmoid(drive[..., :gates] + recurrent[..., :gates]).chunk(2, -1)
        candidate = tanh(drive[..., gates:] + reset * recurrent[..., gates:])
        h = candidate + update * (h - candidate)
        return (h,), h


@dataclass(frozen=True)
class LSTM:
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    i, f, o = σ(W x + b + U h);  g = tanh(W_g x + b_g + U_g h);  c ← f ⊙ c + i ⊙ g;  h = o ⊙ tanh(c).
    Columns of ``input``, ``bias`` and ``recurrent`` stand in the order i, f, o, g.
    """

    units: int = 48

    def parameters(self, generator, agents, inputs):
        """Orthogonal U per gate; forget bias 1, so that the cell remembers from the start (Jozefowicz et al. 2015)."""
        recurrent = [orthogonal(generator, agents, self.units, self.units) for _ in range(4)]
        found = _feedforward(generator, agents, inputs, 4 * self.units) | {"recurrent": np.concatenate(recurrent, -1)}
        found["bias"][:, self.units : 2 * self.units] = 1
        return found

    def initial(self, agents, episodes, **tensor):
        """State h = c = 0."""
        zeros = torch.zeros(agents, episodes, self.units, **tensor)
        return zeros, zeros

    def step(self, parameters, x, state):
        """Advance h and c; the heads read h."""
        (h, c), gates = state, 3 * self.units
        drive = torch.baddbmm(affine(parameters, x), h, parameters["recurrent"])
        i, f, o = torch.sigmoid(drive[..., :gates]).chunk(3, -1)
        c = f * c + i * tanh(drive[..., gates:])
        h = o * tanh(c)
        return (h, c), h
