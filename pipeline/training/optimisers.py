"""Gradient descent of a population: one row of parameters, one learning rate and one gradient norm per agent."""

import torch
from torch import Tensor


def clip(gradient: Tensor, largest: float) -> Tensor:
    """Scale each agent's gradient (agents, parameters) to a norm of at most ``largest``, in place; 0 never clips.

    A gradient that is not finite is set to 0: that agent skips the update, the others are not touched.
    """
    norm = gradient.norm(dim=1, keepdim=True)
    finite = norm.isfinite()
    if not finite.all():
        gradient.nan_to_num_(0, 0, 0).mul_(finite)
    if largest:
        gradient.mul_((largest / norm.clamp(min=1e-12)).clamp(max=1).nan_to_num(0))
    return gradient


class Adam:
    """Adam (Kingma & Ba 2015), β = (.9, .999): θ ← θ − η m̂ / (√v̂ + ε)."""

    names = ("first", "second")

    def __init__(self, like: Tensor, decay=(0.9, 0.999), epsilon=1e-8):
        self.decay, self.epsilon = decay, epsilon
        self.first, self.second, self.scratch = (torch.zeros_like(like) for _ in range(3))

    def step(self, flat: Tensor, gradient: Tensor, rate: Tensor, update: int) -> None:
        """Change ``flat`` in place; ``rate`` is (agents,), ``update`` counts from 1."""
        one, two = self.decay
        self.first.lerp_(gradient, 1 - one)
        self.second.mul_(two).addcmul_(gradient, gradient, value=1 - two)
        torch.sqrt(self.second, out=self.scratch).mul_((1 - two**update) ** -0.5).add_(self.epsilon)
        torch.div(self.first, self.scratch, out=self.scratch)
        flat.sub_(self.scratch.mul_(rate[:, None] / (1 - one**update)))


class RMSProp:
    """RMSProp as in A3C (Mnih et al. 2016): v ← ρ v + (1 − ρ) g², θ ← θ − η g / √(v + ε), ρ = .99.

    ε stands inside the root: gradients much smaller than √ε = 1e-4 are not blown up to the size of the others.
    """

    names = ("second",)

    def __init__(self, like: Tensor, decay=0.99, epsilon=1e-8):
        self.decay, self.epsilon = decay, epsilon
        self.second, self.scratch = torch.zeros_like(like), torch.zeros_like(like)

    def step(self, flat: Tensor, gradient: Tensor, rate: Tensor, update: int) -> None:
        """Change ``flat`` in place; ``rate`` is (agents,)."""
        self.second.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        torch.add(self.second, self.epsilon, out=self.scratch).rsqrt_().mul_(gradient)
        flat.sub_(self.scratch.mul_(rate[:, None]))


OPTIMISERS = {"adam": Adam, "rmsprop": RMSProp}
