"""The slow, obvious causal trace: one full forward of S + 1 rows for every cell.

Row 0 stays clean, the others are corrupted, and hooks copy row 0's state into them, as in the
code published with ROME. Fast traces are held against it, in tests and in `palimpsest bench`.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analysis.forward.blocks import Site, at_sites
from analysis.internals.layer_windows import default_window, window_layers
from analysis.text.tokens import subject_range
from analysis.tracing.corruption import replaced, subject_scale
from analysis.tracing.result import Kind, TraceRequest

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


class PlainTrace:
    """Inputs of a plain trace; `cell` runs one full forward."""

    def __init__(self, lm: "LanguageModel", request: TraceRequest, answer: int):
        self.lm, self.request, self.answer = lm, request, answer
        tokens = lm.encode(request.prompt)
        self.begin, self.end = subject_range(tokens, request.subject, request.occurrence)
        ids = tokens.tensor(lm.device)
        self.noise: Tensor | None = None
        self.next_noise: Tensor | None = None
        if request.corruption == "noise":
            scale = request.noise * (request.sigma or subject_scale(lm))
            self.noise, self.next_noise = self._noise(scale, ids)
            self.ids = ids.expand(1 + request.samples, -1)
        else:
            assert request.replacement is not None
            other = replaced(lm, tokens, (self.begin, self.end), request.replacement).tensor(lm.device)
            self.ids = torch.cat((ids, other))
        self.window = request.window or default_window(lm.n_layers)

    def _noise(self, scale: float, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Two draws from one generator."""
        shape = self.request.samples, self.end - self.begin, self.lm.bridge.embed(ids).shape[-1]
        generator = np.random.RandomState(self.request.seed)
        return torch.from_numpy(generator.randn(*shape) * scale), torch.from_numpy(generator.randn(*shape) * scale)

    @torch.no_grad()
    def forward(
        self, states: dict[int, int], sites: dict[tuple[Site, int], Any], noise: Tensor | None = None
    ) -> np.ndarray:
        """P(answer) per corrupted row; sets `states[layer] = token`, `sites[site, layer] = (token, values or None)`.

        `noise` in place of the first draw.
        """
        lm, noise = self.lm, self.noise if noise is None else noise

        def corrupt(_: Any, __: Any, output: Tensor) -> Tensor:
            output = output.clone()
            if noise is not None:
                output[1:, self.begin : self.end] += noise.to(output)
            return output

        def state(layer: int) -> Any:
            def copy(_: Any, __: Any, output: Any) -> Any:
                hidden = (output[0] if isinstance(output, tuple) else output).clone()
                hidden[1:, states[layer]] = hidden[0, states[layer]]
                return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

            return copy

        def site(name: Site, layer: int, output: Tensor) -> Tensor | None:
            if (name, layer) not in sites:
                return None
            token, values = sites[name, layer]
            output = output.clone()
            output[1:, token] = output[0, token] if values is None else values
            return output

        with ExitStack() as hooks:
            hooks.callback(lm.bridge.embed.register_forward_hook(corrupt).remove)
            for layer in states:
                hooks.callback(lm.blocks[layer].register_forward_hook(state(layer)).remove)
            hooks.enter_context(at_sites(lm, ("mlp", "attn") if sites else (), site))
            logits = lm.logits(self.ids)
        return logits[1:, -1].softmax(-1)[:, self.answer].cpu().numpy()

    def outputs(self, name: Site, token: int) -> dict[int, Tensor]:
        """What each layer's sub-block puts out at a token in the corrupted rows."""
        kept: dict[int, Tensor] = {}

        def keep(site: Site, layer: int, output: Tensor) -> None:
            kept[layer] = output[1:, token].clone()

        with torch.no_grad(), ExitStack() as hooks:
            noise = self.noise

            def corrupt(_: Any, __: Any, output: Tensor) -> Tensor:
                output = output.clone()
                if noise is not None:
                    output[1:, self.begin : self.end] += noise.to(output)
                return output

            hooks.callback(self.lm.bridge.embed.register_forward_hook(corrupt).remove)
            hooks.enter_context(at_sites(self.lm, (name,), keep))
            self.lm.logits(self.ids)
        return kept

    def cell(self, kind: Kind, layer: int, token: int) -> np.ndarray:
        """P(answer) per corrupted row, (S,), with one cell repaired."""
        if kind in ("mlp", "attn"):
            name: Site = "mlp" if kind == "mlp" else "attn"
            span = window_layers(layer, self.window, self.lm.n_layers)
            return self.forward({}, {(name, at): (token, None) for at in span})
        sites: dict[tuple[Site, int], Any] = {}
        noise = self.noise
        if kind != "state":
            name = "mlp" if kind == "severed_mlp" else "attn"
            sites = {(name, at): (token, values) for at, values in self.outputs(name, token).items()}
            noise = self.next_noise if self.request.severing_noise == "published" else self.noise
        return self.forward({layer: token}, sites, noise)

    def grid(self, kind: Kind) -> np.ndarray:
        """All cells, (S, L, T)."""
        layers, tokens = self.lm.n_layers, self.ids.shape[1]
        rows = [[self.cell(kind, layer, token) for token in range(tokens)] for layer in range(layers)]
        return np.array(rows).transpose(2, 0, 1)
