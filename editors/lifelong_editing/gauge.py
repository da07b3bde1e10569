"""Measures where the damage of a stream comes from: linear algebra on factors, and keys of the model without edits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.internals.key_value_memory import output_matrix
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from editors.cases.case import Case
from editors.edit.edit import Edit, LayerChange
from editors.edit.probes import Probe
from editors.edit.solved import shares
from editors.methods.search.last_token import keys_at_end
from editors.methods.search.token_rows import placed
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


class Gauge:
    """What the edits of a stream add, asked at its milestones; the model must have none on meanwhile.

    A neighbour counts where it is its fact's own wording with another subject in it: keys are read at a subject's last
    token, and other wordings do not say where theirs ends.
    """

    def __init__(self, lm: "LanguageModel", cases: Sequence[Case]):
        self.lm = lm
        spots = [(number, spot) for number, case in enumerate(cases) for _, spot in worded_alike(lm, case)]
        self.owners = np.array([number for number, _ in spots], dtype=int)
        self.pieces = [spot for _, spot in spots]
        self.keys: dict[int, Tensor] = {}  # of each layer, (d_k, neighbours)
        self.written: dict[int, float] = {}  # of each layer, tr(W C Wᵀ)

    def moved(self, cases: Sequence[Sequence[Edit]], on: Sequence[Edit]) -> tuple[float, float, float, float]:
        """Of text; of the written cases' neighbours by their own edit, by all others, by all: shares, as in `Moved`.

        `cases`: the edits of each case, none where it was not written. `on`: what is on of them.
        """
        own = shares([edit for edits in cases for edit in edits], on)
        changes = [change for parts in own.values() for change in parts]
        if not changes:
            return 0.0, 0.0, 0.0, 0.0
        layers = sorted({change.layer for change in changes})
        near = np.array([bool(cases[owner]) for owner in self.owners], dtype=bool)
        parts = np.zeros((4, int(near.sum())))  # squares of: own, others, both, written without edits
        for layer in layers:
            keys = self._keys(layer)[:, near]
            both = _added(changes, layer, keys)
            mine = torch.zeros_like(both)
            for number, edits in enumerate(cases):
                here = np.flatnonzero(self.owners[near] == number)
                its = [change for edit in edits for change in own[edit.id]]
                if any(change.layer == layer for change in its):
                    mine[:, here] = _added(its, layer, keys[:, here])
            written = output_matrix(self.lm, layer).weight.cpu().double() @ keys
            parts += np.stack([one.square().sum(0).numpy() for one in (mine, both - mine, both, written)])
        mine_, others, all_ = np.sqrt(parts[:3] / parts[3]).mean(1) if near.any() else np.full(3, np.nan)
        return self._text(changes, layers, cases), float(mine_), float(others), float(all_)

    def _keys(self, layer: int) -> Tensor:
        if layer not in self.keys:
            width = output_matrix(self.lm, layer).weight.shape[1]
            none = torch.zeros(width, 0, dtype=torch.float64)
            self.keys[layer] = keys_at_end(self.lm, self.pieces, layer).T if self.pieces else none
        return self.keys[layer]

    def _text(self, changes: Sequence[LayerChange], layers: Sequence[int], cases: Sequence[Sequence[Edit]]) -> float:
        """√(Σ tr S C Sᵀ / Σ tr W C Wᵀ); NaN where the method reads no second moments."""
        first = next(edit.request for edits in cases for edit in edits)
        if "source" not in method_of(first.method).uses:
            return float("nan")
        asked = MomentsRequest(layers=tuple(layers), source=first.source, tokens=first.tokens, seed=first.seed)
        added = 0.0
        for layer, one in moments(self.lm, asked).items():
            left, right = _factors(changes, layer)
            added += float(((left.T @ left) * (right @ one.matrix @ right.T)).sum())
            if layer not in self.written:
                weight = output_matrix(self.lm, layer).weight.cpu().double()
                self.written[layer] = float(((weight @ one.matrix) * weight).sum())
        return float(np.sqrt(max(0.0, added) / sum(self.written[layer] for layer in layers)))


def worded_alike(lm: "LanguageModel", case: Case) -> list[tuple[Probe, tuple[int, ...]]]:
    """The neighbours that are worded as their fact is, with the tokens up to the subject's last."""
    found = []
    for probe in case.probes:
        before, after = case.rewrites[probe.fact].prompt.split("{}")
        inner = probe.prompt[len(before) : len(probe.prompt) - len(after)]
        if probe.kind == "neighbour" and inner.strip() and probe.prompt == f"{before}{inner}{after}":
            tokens, place = placed(lm, "", case.rewrites[probe.fact].model_copy(update={"subject": inner.strip()}))
            found.append((probe, tuple(tokens.ids[: place + 1])))
    return found


def _factors(changes: Sequence[LayerChange], layer: int) -> tuple[Tensor, Tensor]:
    """All changes of a layer as one: (d, n), (n, d_k)."""
    here = [change for change in changes if change.layer == layer]
    left, right = np.concatenate([one.left for one in here], 1), np.concatenate([one.right for one in here])
    return torch.from_numpy(left).double(), torch.from_numpy(right).double()


def _added(changes: Sequence[LayerChange], layer: int, keys: Tensor) -> Tensor:
    """What changes of a layer add at keys, (d, keys)."""
    left, right = _factors(changes, layer)
    return left @ (right @ keys)
