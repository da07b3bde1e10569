"""The same write over again, on what it left missing: MEMIT in several passes (2503.11895).

A closed form weighs the text against the new values, and spreads what it writes over layers that see each other's
changes; so the model often falls short of the answer the search had found. Each pass reads what is still missing on the
model as it is written by then, and writes that too.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from editors.edit.edit import LayerChange
from editors.edit.pairs import Pairs
from editors.edit.request import EditRequest
from editors.methods.closed_forms import Change
from editors.methods.search.target_search import Targets, search
from editors.methods.search.token_rows import Row

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel
    from editors.methods.search.target_search import Site

WITHIN = 1.0
"""Perplexity by which an answer may be less likely under the edit than at the end of its search: then no pass follows.
The paper compares the two as well; the number is ours."""


class Passes:
    """What has been written at each layer so far, in the order the layers were first written."""

    def __init__(self) -> None:
        self.written: dict[int, list[Change]] = {}
        self.first: dict[int, LayerChange] = {}

    def add(self, change: LayerChange, exact: Change) -> None:
        """One more write of a layer; `change` says what the matrix was before the first.

        Keys that are as they were give the same right factor: then the residuals are added up, and the rank stays.
        """
        layer = change.layer
        self.first.setdefault(layer, change)
        held = self.written.setdefault(layer, [])
        for place, one in enumerate(held):
            if torch.equal(one.right, exact.right):
                held[place] = Change(one.left + exact.left, one.right, _added(one, exact))
                return
        held.append(exact)

    def changes(self) -> list[LayerChange]:
        """The changes, the float64 sums rounded to float32 once."""
        found = []
        for layer, first in self.first.items():
            held = self.written[layer]
            left, right = torch.cat([one.left for one in held], 1), torch.cat([one.right for one in held])
            found.append(replace(first, left=left.float().numpy(), right=right.float().numpy(), pairs=held[0].pairs))
        return found


def _added(one: Change, more: Change) -> Pairs | None:
    """The pairs of two writes with the same keys."""
    if one.pairs is None:
        return None
    return replace(one.pairs, residuals=one.pairs.residuals + more.left.numpy())


def reached(
    lm: "LanguageModel",
    rows: Sequence[Row],
    layer: int,
    sites: "tuple[Site, ...]",
    request: EditRequest,
    targets: Targets,
) -> bool:
    """Whether every answer is as likely on the model as it is now as at the end of its search, but for `WITHIN`."""
    once = request.model_copy(update={"steps": 1, "sadr": 0.0})
    now = search(lm, rows, layer, sites, once).probability[0]
    ends = (~np.isnan(targets.probability)).sum(0) - 1
    found = targets.probability[ends, np.arange(len(ends))]
    return bool((1 / np.maximum(now, 1e-300) <= 1 / np.maximum(found, 1e-300) + WITHIN).all())
