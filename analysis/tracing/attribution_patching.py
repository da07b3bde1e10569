"""Attribution patching: a first sketch of a trace from one backward pass.

(clean − corrupted) · gradient of the answer's log-probability in the corrupted run, for every
state at once (Nanda, 2023; Kramár et al., 2403.00745). It is a first-order guess, poor for whole
states and for windows, whose members it simply adds; a preview must be called one, and its rank
agreement told once the exact grid is there.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from analysis.forward.blocks import Frame, Passage, PrefixCache, Site, at_sites
from analysis.internals.layer_windows import window_layers

SAMPLES = 4
"""Noise samples a preview is made from: it orders cells, it does not measure them."""


def preview(
    frame: Frame, clean: Passage, corrupted: Tensor, answer: int, kinds: Sequence[str], window: int
) -> dict[str, np.ndarray]:
    """Estimated effect on the answer's log-probability in nats, per kind (L, T).

    `corrupted` (S, T, d_model) is block 0's input, of which the first few rows are used. Windows are sums of
    their layers' estimates; severed kinds share the estimate of the state.
    """
    sites: tuple[Site, ...] = tuple(site for site in ("mlp", "attn") if site in kinds)
    lm = frame.lm
    nodes: dict[tuple[str, int], Tensor] = {}

    def keep(site: Site, layer: int, output: Tensor) -> Tensor:
        # a reshaped output is a view off the path of the gradient, so the kept tensor must be the one that goes on
        nodes[site, layer] = output = output + 0
        return output

    with torch.enable_grad(), at_sites(lm, sites, keep):
        hidden = corrupted[:SAMPLES].detach().requires_grad_(True)
        for layer in range(lm.n_layers):
            hidden = frame.run(layer, hidden, cache=PrefixCache())
            nodes["state", layer] = hidden
        log = lm.readout(hidden[:, -1]).log_softmax(-1)[:, answer].sum()
        gradients = torch.autograd.grad(log, list(nodes.values()))
    found: dict[str, list[Tensor]] = {name: [] for name in ("state", *sites)}
    for ((name, layer), value), gradient in zip(nodes.items(), gradients, strict=True):
        target = clean.hidden[layer + 1] if name == "state" else clean.outputs[name][layer]  # type: ignore[index]
        found[name].append(((target - value.detach()) * gradient).sum(-1).mean(0).float().to(log.device))
    estimates = {name: torch.stack(each).cpu().numpy() for name, each in found.items()}
    return {kind: _windowed(estimates[kind], window) if kind in sites else estimates["state"] for kind in kinds}


def _windowed(single: np.ndarray, window: int) -> np.ndarray:
    layers = len(single)
    return np.stack([single[list(window_layers(centre, window, layers))].sum(0) for centre in range(layers)])
