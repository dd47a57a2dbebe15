"""One step forwards and one step backwards of each core, written out; the parts of `pipeline.training.handwritten`.

Each pass holds the activities of a whole episode, (agents, trials, episodes, …). ``forward(t)`` reads
z_t = [x_t, 1, h_{t−1}] and writes h_t into z_{t+1}. ``backward`` takes ∂L/∂h_t through the heads, adds what comes back
from later trials, and leaves ∂L/∂(net input) in ``d``; ``weight_gradient`` is then one product Σ_t z_tᵀ d_t. The
derivatives σ' = s (1 − s) and tanh' = 1 − m² are PyTorch's fused ``sigmoid_backward`` and ``tanh_backward``.

On a processor the element-wise half of every step is one compiled pass (`pipeline.training.fused`); what is written
out here in PyTorch serves a GPU, and is what the compiled passes are tested against.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.agents.population import unflatten
from pipeline.training import fused

_sigmoid_back = torch.ops.aten.sigmoid_backward.grad_input
_tanh_back = torch.ops.aten.tanh_backward.grad_input


def joined(flat: Tensor, shapes: dict, first: str, last: str) -> Tensor:
    """View the neighbouring parameters ``first`` … ``last`` as one matrix per agent, (agents, rows, columns)."""
    names = list(shapes)
    before, within = names[: names.index(first)], names[names.index(first) : names.index(last) + 1]
    start = sum(int(np.prod(shapes[name])) for name in before)
    size = sum(int(np.prod(shapes[name])) for name in within)
    return flat[:, start : start + size].unflatten(1, (-1, shapes[last][-1]))


def _tanh(x: Tensor, out: Tensor) -> Tensor:
    """2 σ(2x) − 1 into ``out``; see `pipeline.agents.cores.tanh`."""
    torch.mul(x, 2, out=out)
    return out.sigmoid_().mul_(2).sub_(1)


class _Pass:
    """What the passes share: z, the gradient ``d`` by the net input, and the product at the end."""

    def __init__(self, z: Tensor, width: int, units: int, columns: int):
        self.z, self.width, self.units = z, width, units
        self.agents, self.steps, self.episodes = z.shape[0], z.shape[1] - 1, z.shape[2]
        self.hidden = z[..., width + 1 :]  # [:, t + 1] is h_t
        self.d = z.new_empty(self.agents, self.steps, self.episodes, columns)
        self.drive = self.new(columns)
        self.later = self.new(units)  # ∂L/∂h_t through the trials after t
        self.start = width + 1  # first column of h in z
        self.fused = z.device.type == "cpu"

    def views(self, *tensors: Tensor) -> tuple[np.ndarray, ...]:
        """Whole arrays as numpy sees them, without a copy: what the compiled passes take."""
        return tuple(tensor.numpy() for tensor in tensors) if self.fused else ()

    def new(self, columns: int) -> Tensor:
        """Scratch space of one step."""
        return self.z.new_zeros(self.agents, self.episodes, columns)

    def series(self, array: Tensor) -> Tensor:
        """First ``steps`` trials × episodes in one axis, without a copy."""
        return array[:, : self.steps].reshape(self.agents, self.steps * self.episodes, array.shape[-1])

    def begin(self, flat: Tensor, shapes: dict) -> None:
        """Take the weights of this update, [W_in; b; W], and start from state 0."""
        self.weights = joined(flat, shapes, "input", "recurrent")

    def outer(self) -> Tensor:
        """Sum over trials and episodes of z_tᵀ d_t, (agents, inputs + 1 + units, columns)."""
        return torch.bmm(self.series(self.z).transpose(1, 2), self.series(self.d))

    def weight_gradient(self, gradient: Tensor, shapes: dict) -> None:
        """Write the gradient of the core's weights into the rows of ``gradient``."""
        joined(gradient, shapes, "input", "recurrent").copy_(self.outer())

    def backward(self, by_hidden: Tensor) -> None:
        """Go back through the episode; ``by_hidden`` (agents, trials, episodes, units) is used up."""
        recurrent = self.weights[:, self.width + 1 :].transpose(1, 2).contiguous()
        self.later.zero_()
        by = self.views(by_hidden, self.later)
        for t in reversed(range(self.steps)):
            if t + 1 < self.steps:
                torch.bmm(self.d[:, t + 1], recurrent, out=self.later)
            if self.fused:
                self.fused_back(t, *by)
            else:
                self.step_back(t, by_hidden[:, t] + self.later)


class RatePass(_Pass):
    """Vanilla (W free, a = 1) and low-rank network (W = n mᵀ / N): s ← s + a (−s + h W + x W_in + b), h = tanh s."""

    def __init__(self, core, z, width):
        super().__init__(z, width, core.units, core.units)
        self.leak, self.low_rank = getattr(core, "leak", 1.0), hasattr(core, "rank")
        self.s, self.by_s = self.new(core.units), self.new(core.units)
        self.fused = self.fused and self.leak == 1
        self.arrays = self.views(self.drive, z, self.d)

    def begin(self, flat, shapes):
        """Compose W once per update: a full product per step costs less than two thin ones."""
        self.s.zero_()
        self.by_s.zero_()
        if not self.low_rank:
            return super().begin(flat, shapes)
        parameters = unflatten(flat, shapes)
        self.m, self.n = parameters["m"], parameters["n"]
        recurrent = torch.bmm(self.n, self.m.transpose(1, 2)) / self.units
        self.weights = torch.cat([joined(flat, shapes, "input", "bias"), recurrent], 1)
        return None

    def forward(self, t):
        """Advance s; h_t = tanh s_t."""
        torch.bmm(self.z[:, t], self.weights, out=self.drive)
        if self.fused:
            fused.rate_forward(t, *self.arrays[:2], self.start)
        elif self.leak == 1:
            _tanh(self.drive, self.drive)
            self.hidden[:, t + 1] = self.drive
        else:
            self.s.lerp_(self.drive, self.leak)
            self.hidden[:, t + 1] = _tanh(self.s, self.drive)

    def fused_back(self, t, by_hidden, later):
        """`step_back` in one pass."""
        fused.rate_backward(t, by_hidden, later, self.arrays[1], self.start, self.arrays[2])

    def step_back(self, t, by_h):
        """∂L/∂s_t = ∂L/∂h_t (1 − h²) + (1 − a) ∂L/∂s_{t+1};  d = a ∂L/∂s_t."""
        if self.leak == 1:
            self.d[:, t] = _tanh_back(by_h, self.hidden[:, t + 1], grad_input=by_h)
        else:
            through = torch.ops.aten.tanh_backward(by_h, self.hidden[:, t + 1])
            self.by_s.mul_(1 - self.leak).add_(through)
            torch.mul(self.by_s, self.leak, out=self.d[:, t])

    def weight_gradient(self, gradient, shapes):
        """Low rank: with J = n mᵀ / N, ∂L/∂m = (∂L/∂J)ᵀ n / N and ∂L/∂n = ∂L/∂J m / N."""
        if not self.low_rank:
            return super().weight_gradient(gradient, shapes)
        by_weights, parts = self.outer(), unflatten(gradient, shapes)
        joined(gradient, shapes, "input", "bias").copy_(by_weights[:, : self.width + 1])
        by_j = by_weights[:, self.width + 1 :] / self.units
        parts["m"].copy_(torch.bmm(by_j.transpose(1, 2), self.n))
        parts["n"].copy_(torch.bmm(by_j, self.m))
        return None


class GRUPass(_Pass):
    """GRU: r, z = σ(·); n = tanh(x W_n + b_n + r ⊙ h U_n); h ← n + z ⊙ (h − n).

    The columns of n need the recurrent part alone, so its input rows are blanked in the joint product and the input
    part of n is a small product of its own.
    """

    def __init__(self, core, z, width):
        super().__init__(z, width, core.units, 3 * core.units)
        shape = self.d.shape
        self.gates = self.d.new_empty(*shape[:3], 2 * core.units)
        self.recurrent_n, self.n, self.d_n = (self.d.new_empty(*shape[:3], core.units) for _ in range(3))
        self.carry, self.scratch = self.new(core.units), self.new(core.units)
        self.forth = self.views(self.drive, self.scratch, self.gates, self.recurrent_n, self.n, z)
        self.back = self.views(self.carry, self.gates, self.recurrent_n, self.n, z)
        self.found = self.views(self.d, self.d_n)

    def begin(self, flat, shapes):
        """Blank the input rows of n in the joint weights; keep them apart."""
        gates = 2 * self.units
        self.weights = joined(flat, shapes, "input", "recurrent").clone()
        self.feed_n = self.weights[:, : self.width + 1, gates:].clone()
        self.weights[:, : self.width + 1, gates:] = 0

    def forward(self, t):
        """Advance h."""
        gates, z = 2 * self.units, self.z[:, t]
        torch.bmm(z, self.weights, out=self.drive)
        if self.fused:
            torch.bmm(z[..., : self.start], self.feed_n, out=self.scratch)
            fused.gru_forward(t, *self.forth, self.start)
            return
        self.recurrent_n[:, t] = self.drive[..., gates:]
        r, update = torch.sigmoid(self.drive[..., :gates], out=self.gates[:, t]).chunk(2, -1)
        n = torch.bmm(z[..., : self.width + 1], self.feed_n, out=self.scratch)
        n.addcmul_(r, self.drive[..., gates:])
        self.n[:, t] = _tanh(n, n)
        torch.lerp(n, self.hidden[:, t], update, out=self.hidden[:, t + 1])

    def backward(self, by_hidden):
        """Go back through the episode; h_{t−1} also reaches h_t directly, through z."""
        self.carry.zero_()
        super().backward(by_hidden)

    def fused_back(self, t, by_hidden, later):
        """`step_back` in one pass."""
        fused.gru_backward(t, by_hidden, later, *self.back, self.start, *self.found)

    def step_back(self, t, by_h):
        """∂L/∂n = (1 − z) ∂L/∂h, ∂L/∂z = (h_{t−1} − n) ∂L/∂h, and the direct way z ∂L/∂h to h_{t−1}."""
        units, d, d_n, n = self.units, self.d[:, t], self.d_n[:, t], self.n[:, t]
        r, update = self.gates[:, t].chunk(2, -1)
        by_h = by_h.add_(self.carry)
        torch.mul(by_h, update, out=self.carry)
        torch.sub(by_h, self.carry, out=self.scratch)
        _tanh_back(self.scratch, n, grad_input=d_n)
        torch.mul(d_n, r, out=d[..., 2 * units :])
        torch.mul(d_n, self.recurrent_n[:, t], out=d[..., :units])
        torch.sub(self.hidden[:, t], n, out=self.scratch)
        torch.mul(by_h, self.scratch, out=d[..., units : 2 * units])
        _sigmoid_back(d[..., : 2 * units], self.gates[:, t], grad_input=d[..., : 2 * units])

    def weight_gradient(self, gradient, shapes):
        """Give the input rows of n their gradient from ∂L/∂n itself, without the reset gate."""
        super().weight_gradient(gradient, shapes)
        feed = self.series(self.z[..., : self.width + 1]).transpose(1, 2)
        joined(gradient, shapes, "input", "bias")[..., 2 * self.units :] = torch.bmm(feed, self.series(self.d_n))


class LSTMPass(_Pass):
    """LSTM: i, f, o = σ(·), g = tanh(·); c ← f ⊙ c + i ⊙ g; h = o ⊙ tanh c.

    ``d`` holds the gates until their gradient replaces them.
    """

    def __init__(self, core, z, width):
        super().__init__(z, width, core.units, 4 * core.units)
        shape = self.d.shape
        self.c = self.d.new_zeros(shape[0], shape[1] + 1, shape[2], core.units)  # [:, t + 1] is c_t
        self.squashed = self.d.new_empty(*shape[:3], core.units)
        self.by_gates, self.by_c, self.scratch = self.new(4 * core.units), self.new(core.units), self.new(core.units)
        scale = torch.ones_like(self.drive[0])
        scale[:, : 3 * core.units] = 0.5
        self.forth = self.views(self.drive, scale.view(-1), self.d, self.c, self.squashed, z)
        self.back = self.views(self.by_c, self.d, self.c, self.squashed)

    def forward(self, t):
        """Advance c and h."""
        units, gates = self.units, self.d[:, t]
        torch.bmm(self.z[:, t], self.weights, out=self.drive)
        if self.fused:
            fused.lstm_forward(t, *self.forth, self.start)
            return
        self.drive[..., 3 * units :].mul_(2)
        torch.sigmoid(self.drive, out=gates)
        g = gates[..., 3 * units :].mul_(2).sub_(1)
        i, f, o = gates[..., : 3 * units].chunk(3, -1)
        c = torch.mul(f, self.c[:, t], out=self.c[:, t + 1]).addcmul_(i, g)
        squashed = _tanh(c, self.squashed[:, t])
        torch.mul(o, squashed, out=self.hidden[:, t + 1])

    def backward(self, by_hidden):
        """Go back through the episode, carrying ∂L/∂c besides ∂L/∂h."""
        self.by_c.zero_()
        super().backward(by_hidden)

    def fused_back(self, t, by_hidden, later):
        """`step_back` in one pass."""
        fused.lstm_backward(t, by_hidden, later, *self.back)

    def step_back(self, t, by_h):
        """∂L/∂c += ∂L/∂h o (1 − tanh² c); then the gates, and ∂L/∂c_{t−1} = f ∂L/∂c."""
        units, gates, back, squashed = self.units, self.d[:, t], self.by_gates, self.squashed[:, t]
        i, f, o, g = gates.chunk(4, -1)
        torch.mul(by_h, o, out=self.scratch)
        self.by_c.add_(_tanh_back(self.scratch, squashed, grad_input=self.scratch))
        torch.mul(self.by_c, g, out=back[..., :units])
        torch.mul(self.by_c, self.c[:, t], out=back[..., units : 2 * units])
        torch.mul(by_h, squashed, out=back[..., 2 * units : 3 * units])
        torch.mul(self.by_c, i, out=back[..., 3 * units :])
        self.by_c.mul_(f)
        _sigmoid_back(back[..., : 3 * units], gates[..., : 3 * units], grad_input=gates[..., : 3 * units])
        _tanh_back(back[..., 3 * units :], g, grad_input=g)
