"""Protected keys: what an edit must not move stands in its normal matrix beside the text it must not move.

A key with no residual of its own is a fact that is written to stay (λC + A + βN + KKᵀ). The published editor
that helps neighbours adds them to its search instead (2503.11895); this form is ours. Keys are those of the model
without edits, at the subject's last token or wherever the method has its own, bare and behind the texts an edit's own
key is read behind.
"""

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.forward.by_length import by_length
from analysis.internals.key_value_memory import keys
from analysis.study import Report
from editors.edit.request import EditRequest, Protected
from editors.methods.protection.like_subjects import class_subjects
from editors.methods.search.last_token import TOKENS_AT_ONCE
from editors.methods.search.token_rows import up_to_key
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Moments = dict[int, Tensor]


class ProtectedKeys:
    """Σ k kᵀ at each layer, (d_k, d_k) float64: of what is named, and of all stored subjects; empty where none is."""

    def __init__(
        self, lm: "LanguageModel", request: EditRequest, layers: Sequence[int], before: Sequence[str], report: Report
    ):
        self.request = request
        self.named: Moments = {}
        self.subjects: Moments = {}
        if "protect_keys" not in method_of(request.method).uses:
            return
        if request.protected and request.protect_weight:
            pieces = [piece for one in request.protected for piece in _pieces(lm, one, before, request.method)]
            self.named = _summed(lm, pieces, layers, report, "keys that are protected")
        if request.subjects_weight:
            pieces = [piece for one in class_subjects(request) for piece in _pieces(lm, one, (), request.method)]
            known = ("subjects' keys", tuple(layers), hash(tuple(pieces)))
            if known not in lm.memo:
                lm.memo[known] = _summed(lm, pieces, layers, report, "keys of subjects")
            self.subjects = lm.memo[known]

    def __bool__(self) -> bool:
        return bool(self.named or self.subjects)

    def under(self, request: EditRequest) -> "ProtectedKeys":
        """The same keys, weighed as another request says."""
        other = copy(self)
        other.request = request
        return other

    def with_subjects(self, moment: Tensor, layer: int) -> Tensor:
        """C + γ G, G scaled to the trace of C; C itself, to the bit, where γ is 0."""
        return _beside(moment, self.subjects.get(layer), self.request.subjects_weight)

    def beside(self, moment: Tensor, layer: int) -> Tensor:
        """C + β N + γ G, each scaled to the trace of C."""
        moment = moment.double()
        weight = self.request.protect_weight or 0.0
        named = _beside(moment, self.named.get(layer), weight)
        return named + (self.with_subjects(moment, layer) - moment)

    def counted(self, layer: int) -> Tensor | None:
        """β N, each key counted as one fact written before: for a form that weighs no text."""
        named = self.named.get(layer)
        return None if named is None else (self.request.protect_weight or 0.0) * named


def _beside(moment: Tensor, other: Tensor | None, weight: float) -> Tensor:
    if other is None or not weight:
        return moment
    moment = moment.double()
    return moment + weight * moment.trace() / other.trace() * other


def _pieces(lm: "LanguageModel", one: Protected, before: Sequence[str], method: str) -> list[tuple[int, ...]]:
    """Token sequences at whose ends its keys stand: of a subject where the method has its own, also behind texts, of a
    prompt at its every token.

    But its first one, which all texts have: what layers keep there is out of all proportion, and drowns the others.
    """
    if one.subject:
        return [up_to_key(lm, prefix, one, method) for prefix in ("", *(f"{text}. " for text in before))]
    ids = lm.encode(one.text).ids
    return [ids[: end + 1] for end in range(min(1, len(ids) - 1), len(ids))]


def _summed(
    lm: "LanguageModel", pieces: Sequence[tuple[int, ...]], layers: Sequence[int], report: Report, note: str
) -> Moments:
    """Σ k kᵀ of the keys at the end of each piece; one that occurs twice counts once."""
    pieces = list(dict.fromkeys(pieces))
    sums: Moments = {}
    done = 0
    for part in by_length(pieces, tokens=TOKENS_AT_ONCE):
        report(done, len(pieces), note)
        read = keys(lm, torch.tensor([pieces[index] for index in part]), list(layers))
        for layer in layers:
            last = read[layer][:, -1].cpu().double()
            sums[layer] = last.T @ last + sums[layer] if layer in sums else last.T @ last
        done += len(part)
    return sums
