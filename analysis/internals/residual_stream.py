"""One prompt's run taken apart: what every layer, head and neuron writes into the residual stream.

An MLP writes the sum of its neurons' values, a row of the output matrix times the neuron's coefficient (Geva et al.,
2012.14913); an attention layer writes the same sum over its heads' dimensions. A norm behind the output matrix is
held still, so the sum stands. Models that normalise the stream itself have no such sum and are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from analysis.errors import UnknownArchitecture
from analysis.forward.architecture import writes_through
from analysis.forward.blocks import Frame, Passage, Site, first_hidden, record
from analysis.internals.attention_patterns import at_patterns
from analysis.internals.frozen_norm import FrozenNorm
from analysis.internals.key_value_memory import attention_matrix, output_matrix

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

PARTS: tuple[Site, ...] = ("attn", "mlp")
TOLERANCE = 1e-3
"""Of the largest number written; a norm between would change it by far more."""


@dataclass(frozen=True)
class ResidualStream:
    """A recorded run of T tokens; L layers, N neurons of an MLP, M = heads · d_head of an attention."""

    frame: Frame
    passage: Passage  # of one row
    coefficients: dict[Site, list[Tensor]]  # L of (T, N or M): inputs of the output matrices
    scales: dict[Site, list[Tensor]]  # L of (T, 1): of the norm behind, 1 where there is none
    patterns: list[Tensor]  # L of (heads, T, T)

    def written(self, part: Site, layer: int) -> Tensor:
        """What the part adds to the stream, (T, d_model)."""
        return self.passage.outputs[part][layer][0].float()

    def before(self, part: Site, layer: int) -> Tensor:
        """The stream a part's score starts from, (T, d_model): h of the layer below, for an MLP with this layer's A.

        In parallel blocks the MLP does not read A; h + A is its reference point all the same (the published code).
        """
        below = self.passage.hidden[layer][0].to(self.frame.lm.block_devices[layer]).float()
        return below + self.written("attn", layer) if part == "mlp" else below

    def vectors(self, part: Site, layer: int) -> Tensor:
        """What a neuron of coefficient 1 writes, before the scale of a norm behind: (N or M, d_model)."""
        module = matrix_of(self.frame.lm, part, layer)
        weight: Tensor = module.weight.detach().float()  # type: ignore[operator]
        rows = weight if isinstance(module, Conv1D) else weight.T
        norm = writes_through(self.frame.lm.blocks[layer], part)
        return FrozenNorm.of(norm, rows[:1]).linear(rows) * self.frame.lm.factors[part]

    def constant(self, part: Site, layer: int) -> Tensor:
        """What the part writes whatever its neurons do, (T, d_model): the biases of its output matrix and of a norm."""
        scales, bias = self.scales[part][layer], getattr(matrix_of(self.frame.lm, part, layer), "bias", None)
        width = self.frame.lm.d_model
        own = scales.new_zeros(1, width) if bias is None else bias.detach().float()[None]
        norm = FrozenNorm.of(writes_through(self.frame.lm.blocks[layer], part), scales.new_ones(1, width))
        whole = norm.linear(own) / scales + (0 if norm.bias is None else norm.bias)
        return whole * self.frame.lm.factors[part]

    def weights(self, part: Site, layer: int) -> Tensor:
        """Coefficients over the scale behind, (T, N or M): times `vectors`, what the neurons write."""
        return self.coefficients[part][layer] / self.scales[part][layer]

    def by_source(self, layer: int) -> Tensor:
        """`weights` of the attention at the last token, told apart by the token they come from: (T, M)."""
        _, values = self.passage.prefix[layer]
        pattern = self.patterns[layer][:, -1].float()  # heads, T
        shared = values[0].float().repeat_interleave(len(pattern) // values.shape[1], dim=0)  # heads, T, d_head
        return (pattern[..., None] * shared).transpose(0, 1).flatten(1) / self.scales["attn"][layer][-1]


def matrix_of(lm: "LanguageModel", part: Site, layer: int) -> nn.Module:
    """The output matrix of a layer's MLP or attention."""
    return (output_matrix if part == "mlp" else attention_matrix)(lm, layer).module


@torch.no_grad()
def read_residual_stream(lm: "LanguageModel", ids: Tensor) -> ResidualStream:
    """Run token ids (1, T) and keep what every part writes; `UnknownArchitecture` where the parts do not add up."""
    frame = Frame.of(lm, ids)
    found: dict[Site, list[Tensor]] = {part: [] for part in PARTS}
    behind: dict[Site, list[Tensor]] = {part: [] for part in PARTS}
    patterns: list[Tensor] = []
    handles = []
    for layer in range(lm.n_layers):
        for part in PARTS:
            module = matrix_of(lm, part, layer)
            handles.append(module.register_forward_pre_hook(_keeper(found[part])))
            handles.append(module.register_forward_hook(_keeper(behind[part])))
    try:
        with at_patterns(lm, lambda _, pattern: patterns.append(pattern[0])):
            passage = record(frame, first_hidden(lm, ids), ("mlp", "attn"))
    finally:
        for handle in handles:
            handle.remove()
    scales: dict[Site, list[Tensor]] = {
        part: [
            FrozenNorm.of(writes_through(lm.blocks[layer], part), output).scale
            for layer, output in enumerate(behind[part])
        ]
        for part in PARTS
    }
    stream = ResidualStream(frame, passage, found, scales, patterns)
    _refuse_what_does_not_add_up(stream, behind)
    return stream


def _keeper(into: list[Tensor]) -> Any:
    """A hook that keeps the input, or the output where there is one, as (T, width)."""

    def keep(_: Any, args: tuple, output: Tensor | None = None) -> None:
        kept = args[0] if output is None else output
        into.append(kept.detach().float().reshape(-1, kept.shape[-1]))

    return keep


def left_over(before: Tensor, after: Tensor, parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What a block adds to the stream (…, d_model), and what of that its parts do not account for."""
    step = after - before.to(after)
    return step, step - sum(part.to(step.device) for part in parts)


def _refuse_what_does_not_add_up(stream: ResidualStream, behind: dict[Site, list[Tensor]]) -> None:
    lm, hidden = stream.frame.lm, stream.passage.hidden
    loose = TOLERANCE if lm.dtype == torch.float32 else 5e-2
    for layer in range(lm.n_layers):
        parts = [stream.written(part, layer) for part in PARTS]
        _, rest = left_over(hidden[layer][0], hidden[layer + 1][0], parts)
        if rest.abs().max() > loose * (1 + max(float(part.abs().max()) for part in parts)):
            raise UnknownArchitecture(
                f"{lm.name} normalises its residual stream inside layer {layer}, so what its neurons write does not "
                "add up to what is read at the end. Choose a model with norms before its blocks' parts."
            )
        for part in PARTS:
            norm = FrozenNorm.of(writes_through(lm.blocks[layer], part), behind[part][layer])
            told = norm(behind[part][layer]) + (0 if norm.bias is None else norm.bias)
            told = told * lm.factors[part]
            if (told - stream.written(part, layer).to(told)).abs().max() > loose * (1 + told.abs().max()):
                raise UnknownArchitecture(
                    f"Something unknown stands between the output matrix of the {part} of layer {layer} of {lm.name} "
                    "and its residual stream. Choose another model."
                )
