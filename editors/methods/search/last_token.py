"""What stands at the last token of many short sequences: keys, values, hidden states."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analysis.forward.by_length import by_length
from analysis.internals.key_value_memory import keys
from editors.methods.search.token_rows import Row

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

TOKENS_AT_ONCE = 4096


def keys_at_end(lm: "LanguageModel", pieces: Sequence[tuple[int, ...]], layer: int) -> Tensor:
    """Keys of a layer at the last token of each piece, (pieces, d_k) float64 on the CPU."""
    found: list[Tensor] = [torch.empty(0)] * len(pieces)
    for part in by_length(pieces, tokens=TOKENS_AT_ONCE):
        read = keys(lm, torch.tensor([pieces[index] for index in part]), [layer])[layer][:, -1]
        for index, key in zip(part, read.cpu().double(), strict=True):
            found[index] = key
    return torch.stack(found)


def subject_keys(lm: "LanguageModel", rows: Sequence[Row], layer: int, *, halved: bool) -> tuple[Tensor, Tensor]:
    """Mean and bare key of every fact at its subject's last token, each (d_k, n).

    `halved`: the bare prompt counts as much as all others together (MEMIT's code); else all count alike (ROME).
    """
    asked = [row for row in rows if row.targets]
    found = keys_at_end(lm, [row.to_subject for row in asked], layer)
    count = 1 + max(row.fact for row in asked)
    mean, bare = [], []
    for fact in range(count):
        own = found[[index for index, row in enumerate(asked) if row.fact == fact and row.bare]][0]
        others = found[[index for index, row in enumerate(asked) if row.fact == fact and not row.bare]]
        if not len(others):
            mean.append(own)
        elif halved:
            mean.append(0.5 * own + 0.5 * others.mean(0))
        else:
            mean.append((own + others.sum(0)) / (1 + len(others)))
        bare.append(own)
    return torch.stack(mean, 1), torch.stack(bare, 1)


class _Enough(Exception):
    """Ends a forward once the block's output is known."""


@torch.no_grad()
def hidden_at_end(lm: "LanguageModel", pieces: Sequence[tuple[int, ...]], layer: int) -> Tensor:
    """Block `layer`'s output at the last token of each piece, (pieces, d_model) float64 on the CPU."""
    found: list[Tensor] = [torch.empty(0)] * len(pieces)

    def take(part: list[int]) -> Any:
        def hook(_: Any, __: Any, output: Any) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            for index, state in zip(part, hidden[:, -1].cpu().double(), strict=True):
                found[index] = state
            raise _Enough

        return hook

    for part in by_length(pieces, tokens=TOKENS_AT_ONCE):
        handle = lm.blocks[layer].register_forward_hook(take(part))
        try:
            lm.model(input_ids=torch.tensor([pieces[index] for index in part], device=lm.device), use_cache=False)
        except _Enough:
            pass
        finally:
            handle.remove()
    return torch.stack(found)
