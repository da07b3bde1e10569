"""Does an MLP's value reach the residual stream as it is? Gemma 2 and 3 and some OPTs normalise it on the way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from analysis.blocks import Frame, first_hidden, record
from analysis.key_value import keys, output_matrix

if TYPE_CHECKING:
    from analysis.model import LanguageModel

TOLERANCE = 1e-2
"""Of the value's length; a norm in between changes it by far more, rounding by far less."""


@torch.no_grad()
def adds_plainly(lm: "LanguageModel", layers: Sequence[int]) -> bool:
    """Whether block output = block input + attention's output + W k + b, measured on a few tokens."""
    ids = torch.arange(2, 8).remainder(lm.config.vocab_size)[None].to(lm.device)
    passage = record(Frame.of(lm, ids), first_hidden(lm, ids), ("attn",))
    for layer, key in keys(lm, ids, layers).items():
        value = output_matrix(lm, layer).value(key).cpu()
        behind = passage.hidden[layer + 1]
        added = (behind - passage.hidden[layer].to(behind) - passage.outputs["attn"][layer]).float().cpu()
        if (added - value).norm() > TOLERANCE * (1 + value.norm()):
            return False
    return True
