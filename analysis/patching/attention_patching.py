"""Attention of one run put into another: which heads carry what an edit did to a prompt.

Both runs read the same tokens. A run whose heads are overwritten from a layer on differs from the
run it departs from only above that layer, so it is resumed there, and all such runs travel up the
blocks in one batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.forward.blocks import Frame, Passage, record
from analysis.internals.attention_patterns import at_patterns

Heads = dict[int, tuple[int, ...]]
"""Heads by layer: those whose attention, at all tokens, shall be another run's."""


@dataclass(frozen=True)
class Reading:
    """One run over a prompt, kept with its attention and its sub-blocks' outputs."""

    passage: Passage
    patterns: list[Tensor]  # L of (1, H, T, T)
    logits: Tensor  # (vocabulary,) after the last token


@torch.no_grad()
def read(frame: Frame, hidden: Tensor) -> Reading:
    """Run all blocks from block 0's input `hidden` (1, T, d_model) with the weights as they are now."""
    found: list[Tensor] = []
    with at_patterns(frame.lm, lambda _, pattern: found.append(pattern)):
        passage = record(frame, hidden, ("mlp", "attn"))
    return Reading(passage, found, frame.lm.readout(passage.last)[0])


def _nothing(rows: int) -> None:
    """A step nobody counts."""


@torch.inference_mode()
def patched(
    frame: Frame,
    passage: Passage,
    patterns: Sequence[Tensor],
    patches: Sequence[Heads],
    step: Callable[[int], None] = _nothing,
) -> Tensor:
    """Last block's output at the last token, (patches, d_model), one run a patch.

    Each run is `passage`'s (one row), computed by the weights as they are now, with the attention of
    the patch's heads taken from `patterns`, L of (1, H, T, T). `step(rows)` is called before every
    block with the number of rows × tokens it will compute; it may raise to end the run.
    """
    lm = frame.lm
    firsts = [min(patch, default=lm.n_layers) for patch in patches]
    order = sorted(range(len(patches)), key=firsts.__getitem__)
    running: list[Heads] = []

    def overwrite(layer: int, pattern: Tensor) -> Any:
        chosen = [(row, list(patch[layer])) for row, patch in enumerate(running) if layer in patch]
        if not chosen:
            return None
        pattern = pattern.clone()
        for row, heads in chosen:
            pattern[row, heads] = patterns[layer][0, heads].to(pattern)
        return pattern

    batch: Tensor | None = None
    with at_patterns(lm, overwrite):
        for layer in range(firsts[order[0]], lm.n_layers + 1):
            joining = [patches[index] for index in order[len(running) :] if firsts[index] == layer]
            if joining:
                running += joining
                own = passage.hidden[layer].expand(len(joining), -1, -1)
                batch = own if batch is None else torch.cat((batch, own.to(batch.device)))
            if layer < lm.n_layers and batch is not None:
                step(batch.shape[0] * batch.shape[1])
                batch = frame.run(layer, batch)
    assert batch is not None
    place = torch.tensor(order, device=batch.device).argsort()
    return batch[:, -1][place]
