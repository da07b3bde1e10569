"""Keys of the facts written before, which AlphaEdit spares (2410.02355, section 3.3), and others may.

Each fact's keys are read once its own edit is on and those after it are not, as the published code gathers them. So
a stream of edits reads each fact once: the keys stay with the model.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.study import edited_hash
from editors.edit.edit import Edit, LayerChange
from editors.edit.pairs import Pairs
from editors.edit.request import EditRequest
from editors.methods.search.last_token import subject_keys
from editors.methods.search.token_rows import contexts, rows_of
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


class PastKeys:
    """Keys for one request, gathered while its stack is put on, edit by edit; none where it spares nothing.

    To be made before the first edit is on: contexts are texts of the model without edits.
    """

    def __init__(self, lm: "LanguageModel", request: EditRequest, stack: Sequence[Edit]):
        self.lm = lm
        own = method_of(request.method)
        self.layers = (request.layers or ()) if own.spares and not own.solvable and request.spare else ()
        self.contexts = [contexts(lm, edit.request) for edit in stack] if self.layers else []
        self.on: list[str] = []
        self.found: dict[int, list[Tensor]] = {layer: [] for layer in self.layers}
        self.edits: list[Edit] = []

    def read(self, edit: Edit) -> None:
        """Take in the keys of the next edit of the stack, which has just been put on."""
        self.edits.append(edit)
        if not self.layers:
            return
        before = self.contexts[len(self.on)]
        self.on.append(edit.id)
        state = edited_hash(self.lm.weights_hash, self.on)
        for layer in self.layers:
            known = ("past keys", state, layer)
            if known not in self.lm.memo:
                with self.lm.framed(edit.request):  # as they were put when they were written
                    rows = rows_of(self.lm, edit.request.facts, before)
                self.lm.memo[known] = subject_keys(self.lm, rows, layer, halved=True)[0]
            self.found[layer].append(self.lm.memo[known])

    def up_to_refresh(self, layer: int, every: int) -> tuple[Tensor, str] | None:
        """Keys of a layer up to the last edit with which `every` facts or more had come since the one before, (d_k, t),
        and the state of the model then; None before the first, and where `every` is 0."""
        last, since = 0, 0
        for number, keys in enumerate(self.found.get(layer, ()) if every else (), start=1):
            since += keys.shape[1]
            if since >= every:
                last, since = number, 0
        if not last:
            return None
        return torch.cat(self.found[layer][:last], 1), edited_hash(self.lm.weights_hash, self.on[:last])

    def pairs(self, layer: int) -> list[tuple[Pairs, Callable[[Tensor], Tensor]]]:
        """Of each edit that keeps its pairs, those of a layer, and what its change there adds at keys, (d, n)."""
        held = [one for edit in self.edits for one in edit.changes if one.layer == layer and one.pairs is not None]
        return [(one.pairs, partial(_added, one)) for one in held if one.pairs is not None]

    def moment(self, layer: int) -> Tensor | None:
        """K Kᵀ of all keys read, (d_k, d_k); None before the first."""
        read = self.found.get(layer)
        if not read:
            return None
        keys = torch.cat(read, 1)
        return keys @ keys.T


def _added(change: LayerChange, keys: Tensor) -> Tensor:
    """What a change adds at keys, (d, n)."""
    left, right = torch.from_numpy(change.left).double(), torch.from_numpy(change.right).double()
    return left @ (right @ keys)
