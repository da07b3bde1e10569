"""A norm with its scale held still is a linear map, so what many parts write can be told apart behind it.

Weight, centring and scale are measured by asking the module itself, whatever its class and however it keeps its
weight (Gemma adds one to it).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.errors import UnknownArchitecture

TOLERANCE = 1e-2
FAR = 1e4
"""Length of the states a norm is asked with: its ε no longer shows."""


@dataclass(frozen=True)
class FrozenNorm:
    """x ↦ weight ⊙ centred(x) / scale, without the norm's bias; the identity where there is no norm."""

    weight: Tensor | None  # (d,)
    bias: Tensor | None  # (d,)
    centred: bool  # LayerNorm takes the mean away, RMSNorm does not
    scale: Tensor  # (…, 1) of the states it was frozen at

    @classmethod
    @torch.no_grad()
    def of(cls, norm: Any | None, at: Tensor) -> "FrozenNorm":
        """The norm frozen at the states `at` (…, d): there it gives what the module gives, less its bias.

        Raises `UnknownArchitecture` for a module of another form.
        """
        at = at.detach().float()
        if norm is None:
            return cls(None, None, False, torch.ones_like(at[..., :1]))
        own = next(norm.parameters(), at)
        dtype, at = own.dtype, at.to(own.device)
        probe = _probe(at.shape[-1]).to(at) * FAR

        def asked(x: Tensor) -> Tensor:
            return norm(x.to(dtype)).float()

        there, back = asked(probe[None])[0], asked(-probe[None])[0]
        weight = (there - back) / 2 * probe.square().mean().sqrt() / probe
        bias = (there + back) / 2
        moved = asked(probe[None] + FAR)[0]
        centred = bool((moved - there).abs().max() < 1e-3 * there.abs().max())
        frozen = cls(weight, bias, centred, torch.ones_like(at[..., :1]))
        direction = frozen.linear(at)
        scale = direction.square().sum(-1, keepdim=True) / ((asked(at) - bias) * direction).sum(-1, keepdim=True)
        made = cls(weight, bias, centred, scale)
        reached = asked(at) - bias
        if (made(at) - reached).norm() > TOLERANCE * reached.norm():
            raise UnknownArchitecture(f"{type(norm).__name__} is no norm that is linear with its scale held still.")
        return made

    def linear(self, x: Tensor) -> Tensor:
        """The map weight ⊙ centred(x), without its scale, for vectors (…, d)."""
        if self.weight is None:
            return x
        return self.weight * (x - x.mean(-1, keepdim=True) if self.centred else x)

    def __call__(self, x: Tensor) -> Tensor:
        """The map with its scale: weight ⊙ centred(x) / scale."""
        return self.linear(x) / self.scale

    def pulled(self, direction: Tensor) -> Tensor:
        """The transpose of `linear`: what a direction (…, d) behind the norm reads in front of it."""
        if self.weight is None:
            return direction
        direction = direction * self.weight
        return direction - direction.mean(-1, keepdim=True) if self.centred else direction


def _probe(size: int) -> Tensor:
    """A vector (size,) without zeros, of mean zero."""
    signs = torch.ones(size)
    signs[1::2] = -1
    if size % 2:
        signs[-3:] = torch.tensor([2.0, -1.0, -1.0])
    return signs
