"""An edit solved anew for the new value it has found, under other weights of what is protected: no search.

What was sought can be read off the edit: the first layer's factor is the residual that was shared out there. So the
target is what stands there now and that residual, as exact as the stored factors are.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analysis.study import Report
from editors.edit.edit import Edit, LayerChange
from editors.edit.request import EditRequest
from editors.methods.closed_road import Road, Writing
from editors.methods.past_keys import PastKeys
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


SAME = 1e-3
"""Largest difference of an edit from itself solved anew, in units of its largest number: factors are float32."""
OTHERWISE = "Solved anew as its request says it is not the edit that is on, so its new value cannot be read off it."


def why_not(edit: Edit) -> str:
    """Why an edit cannot be solved anew under other weights; empty where it can."""
    method, request = method_of(edit.request.method), edit.request
    if "protect_keys" not in method.uses:
        return f"{method.label} has no place for protected keys, so there is one map only."
    road = method.read("write")
    if not isinstance(road, Road) or road.groups or edit.provenance.get("parts"):
        return f"{method.label} writes in several goes, so its new value cannot be read off the edit: one map only."
    if request.passes > 1 or request.norm_anchor:
        return "It was written in several passes or cut to a length, so its new value cannot be read off it."
    if any(one.rank != len(request.facts) for one in edit.changes) or [one.layer for one in edit.changes] != [
        *(request.layers or ())
    ]:
        return OTHERWISE
    return ""


class Anew:
    """One edit under several weights. Made before the edits below are on; `changes` is called once they are."""

    def __init__(
        self,
        lm: "LanguageModel",
        edit: Edit,
        request: EditRequest,
        weights: Sequence[float],
        below: Sequence[Edit],
        report: Report,
    ):
        self.edit, self.weights = edit, weights
        self.residual = torch.from_numpy(edit.changes[0].left)

        def told(*_: Any, **__: Any) -> None:
            report(0, 1, "keys that are protected")

        road: Road = method_of(request.method).read("write")
        named = request.model_copy(update={"protect_weight": request.protect_weight or 1.0})  # none would read no key
        self.writing = Writing(lm, named, told, PastKeys(lm, named, below), road)

    def read(self, edit: Edit) -> None:
        """Take in the next edit below, which has just been put on."""
        if self.writing.past is not None:
            self.writing.past.read(edit)

    def is_itself(self, weight: float) -> bool:
        """Whether the edit, solved anew under its own weight, is itself: a recipe may say anything."""
        for one, again in zip(self.edit.changes, self.writing.under(weight).again(self.residual), strict=True):
            change = one.left @ one.right
            if not np.abs(change - again.left @ again.right).max() <= SAME * np.abs(change).max():
                return False
        return True

    def changes(self) -> Iterator[tuple[float, list[LayerChange]]]:
        """Of each weight, the changes of the layers; one weight's matrices are there at a time."""
        for weight in self.weights:
            yield weight, self.writing.under(weight).again(self.residual)
