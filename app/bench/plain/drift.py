"""One cell of a drift grid the plain way: two whole forwards, nothing resumed, nothing batched.

What `editors.attention_drift.run` must agree with, written to be read.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analysis.forward.blocks import Frame, at_sites, first_hidden, record
from analysis.internals.attention_patterns import at_patterns
from analysis.internals.layer_windows import window_layers
from analysis.patching.attention_patching import Reading, read
from analysis.text.tokens import answer_token
from editors.attention_drift.result import DriftRequest, DriftResult
from editors.edit.apply import written_over
from editors.edit.edit import Edit

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def plain_cell(
    lm: "LanguageModel",
    request: DriftRequest,
    stack: Sequence[Edit],
    kind: str,
    place: tuple[int, ...],
    of: DriftResult,
) -> np.ndarray:
    """Probability (2,) of answer and edited in one cell of grid `kind` of the result `of`."""
    tokens = lm.encode(request.prompt)
    ids = tokens.tensor(lm.device)
    frame, hidden = Frame.of(lm, ids), first_hidden(lm, ids)
    answers = [answer_token(lm.tokenizer, tokens, word) for word in (of.answer, of.edited)]

    def said() -> np.ndarray:
        with torch.no_grad():
            return lm.readout(record(frame, hidden).last)[0].softmax(-1)[answers].cpu().numpy()

    if kind in ("heads", "layers"):
        base = read(frame, hidden)
        with written_over(lm, stack), at_patterns(lm, _set_back(base, kind, place, of.window[kind])):
            return said()
    with written_over(lm, stack):
        edited = read(frame, hidden)
    centre, token = place
    span = window_layers(centre, of.window[kind], lm.n_layers)

    def put(_: Any, layer: int, output: Tensor) -> Tensor | None:
        if layer not in span:
            return None
        output = output.clone()
        output[:, token] = edited.passage.outputs[kind][layer][:, token]  # type: ignore[index]
        return output

    with at_sites(lm, (kind,), put):  # type: ignore[arg-type]
        return said()


def _set_back(base: Reading, kind: str, place: tuple[int, ...], window: int) -> Any:
    def act(layer: int, pattern: Tensor) -> Tensor | None:
        if kind == "layers":
            return base.patterns[layer] if layer in window_layers(place[0], window, len(base.patterns)) else None
        if layer != place[0]:
            return None
        pattern = pattern.clone()
        pattern[:, place[1]] = base.patterns[layer][:, place[1]]
        return pattern

    return act
