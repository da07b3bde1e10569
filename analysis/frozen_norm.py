"""A norm with its scale held where it stands: a linear map, measured from the norm itself.

Both kinds in use are x ↦ g ∘ (x − m(x)) / σ(x) + b, with m the mean (LayerNorm) or nothing (RMSNorm).
Which, and g, is found from what the module does to a few vectors, so no family needs to be named.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

TOLERANCE = 1e-3


@torch.no_grad()
def frozen_norm(norm: nn.Module, state: Tensor) -> Callable[[Tensor], Tensor] | None:
    """The map (…, d) → (…, d) of changes through `norm` with its scale as at `state` (…, d); None for another form.

    `state` and the changes broadcast against each other.
    """
    state = state.float()
    width = state.shape[-1]
    probe = torch.linspace(-1.0, 1.0, width, device=state.device).roll(width // 3) + 0.37
    device = next((parameter.device for parameter in norm.parameters()), state.device)

    def through(x: Tensor) -> Tensor:
        weight = next(norm.parameters(), x)
        return norm(x.to(device, weight.dtype)[None])[0].float().to(state.device)

    bias = through(torch.zeros(width, device=state.device))
    flat = through(torch.full((width,), 3.0, device=state.device)) - bias
    centred = bool(flat.abs().max() < TOLERANCE * (through(probe) - bias).abs().max())

    def middle(x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True) if centred else x

    at = middle(probe)
    gain = (through(probe) - bias) * at.square().mean().sqrt() / at
    moved = middle(state)
    reached = through(state) - bias
    scale = (reached * gain * moved).sum(-1, keepdim=True) / (gain * moved).square().sum(-1, keepdim=True)
    if (scale * gain * moved - reached).norm() > TOLERANCE * reached.norm():
        return None
    return lambda change: scale * gain * middle(change.float())
