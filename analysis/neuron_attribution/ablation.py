"""Neurons switched off, or turned up, at every token: what becomes of the answer.

A neuron's coefficient times 0 is its value vector times 0: the same as a row of zeros in the output matrix. Many sets
of neurons travel as one batch, each joining at the lowest layer it changes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.forward.blocks import Site
from analysis.internals.residual_stream import ResidualStream, matrix_of

ROW_BUDGET = {"cpu": 1024, "cuda": 1 << 16, "mps": 1 << 14}


@dataclass(frozen=True)
class Scaled:
    """Neurons whose coefficients are multiplied by `factor`: indices by part and layer."""

    neurons: Mapping[tuple[Site, int], Sequence[int]]
    factor: float = 0.0

    @property
    def first(self) -> int:
        """The lowest layer it changes; a set of none changes the last by nothing."""
        return min((layer for _, layer in self.neurons), default=-1)


@torch.no_grad()
def outcomes(
    stream: ResidualStream,
    sets: Sequence[Scaled],
    answer: int,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Tensor, Tensor]:
    """Probability of `answer` and the likeliest token after the prompt, each (sets,), with every set scaled."""
    lm = stream.frame.lm
    tokens = stream.frame.length
    budget = max(1, ROW_BUDGET.get(lm.device.type, 1024) // tokens)
    order = sorted(range(len(sets)), key=lambda i: sets[i].first % (lm.n_layers + 1))
    probability, said = torch.zeros(len(sets)), torch.zeros(len(sets), dtype=torch.long)
    for begin in range(0, len(order), budget):
        step(begin, len(order))
        chosen = order[begin : begin + budget]
        logits = lm.readout(_last(stream, [sets[i] for i in chosen]))
        probability[chosen] = logits.softmax(-1)[:, answer].cpu()
        said[chosen] = logits.argmax(-1).cpu()
    return probability, said


def _last(stream: ResidualStream, sets: list[Scaled]) -> Tensor:
    """The last block's output at the last token, (sets, d_model); sets in order of their first layer."""
    lm, hidden = stream.frame.lm, stream.passage.hidden
    joins = [one.first if one.neurons else lm.n_layers for one in sets]
    batch = hidden[min(joins)][:0]
    rows: list[Scaled] = []
    for layer in range(min(joins), lm.n_layers + 1):
        new = [one for one, join in zip(sets, joins, strict=True) if join == layer]
        if new:
            rows += new
            batch = torch.cat((batch.to(hidden[layer].device), hidden[layer].expand(len(new), -1, -1)))
        if layer < lm.n_layers and rows:
            with ExitStack() as hooks:
                for part in ("attn", "mlp"):
                    chosen = {i: one for i, one in enumerate(rows) if (part, layer) in one.neurons}
                    if chosen:
                        handle = matrix_of(lm, part, layer).register_forward_pre_hook(
                            _scaling(chosen, part, layer, len(rows))
                        )
                        hooks.callback(handle.remove)
                batch = stream.frame.run(layer, batch)
    return batch[:, -1]


def _scaling(chosen: dict[int, Scaled], part: Site, layer: int, count: int) -> Any:
    def scale(_: Any, args: tuple) -> tuple:
        keys = args[0].clone()
        rows = keys.reshape(count, -1, keys.shape[-1])
        for row, one in chosen.items():
            rows[row][:, list(one.neurons[part, layer])] *= one.factor
        return (rows.reshape(keys.shape), *args[1:])

    return scale
