"""The road of the closed forms: keys, targets, second moments, then a change layer by layer.

A method of this kind is a `Road`: where its targets stand, how the write is spread over the layers, and which closed
form turns keys and residuals into a change.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.internals.key_value_memory import output_matrix
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import Moments, moments
from analysis.study import Report, stretch
from editors.edit.edit import Found, LayerChange
from editors.edit.layer_change import layer_change
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods import closed_forms
from editors.methods.closed_forms import Change, Inverse
from editors.methods.factored_moments import inverse_of
from editors.methods.passes import Passes, reached
from editors.methods.past_keys import PastKeys
from editors.methods.protection.inseparable import inseparable
from editors.methods.protection.protected_keys import ProtectedKeys
from editors.methods.protection.protected_rows import protected_rows
from editors.methods.protection.separability import nearest
from editors.methods.search.last_token import hidden_at_end, keys_at_end, subject_keys
from editors.methods.search.lti import with_teacher
from editors.methods.search.norm_anchor import TOO_LONG, anchor_length, anchored
from editors.methods.search.target_search import Site, Targets, search, unreached
from editors.methods.search.token_rows import Row, contexts, rows_of
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ALIKE = 0.99
"""Cosine of two facts' keys from which they cannot be told apart."""
Written = tuple[list[LayerChange], Found, list[str]]
"""Changes, how they were found, and warnings: what every method gives."""


@dataclass(frozen=True)
class Road:
    """What sets one closed form apart; called as `Method.write` is."""

    sites: tuple[Site, ...]
    """Where its targets stand: value, what the MLP writes; attn, what attention writes; hidden, the stream behind."""
    share: Callable[[int], float]
    """Part of the residual written at a layer, by the number of layers left, itself included."""
    form: Callable[["Writing", int, Tensor, Tensor], Change]
    """The change of a layer, from the write under way, the layer, the facts' keys (d_k, n) and residuals (d, n)."""
    groups: tuple[tuple[int, ...], ...] = ()
    """Layers in the order they are written, shared out in each group anew; those of the request where there is none."""
    halved: bool = True
    """Whether the bare prompt's key counts as much as all others together (MEMIT's code); else each counts alike."""
    whole: bool = False
    """Whether the value found is written as it is (one layer, one site); else what is missing is measured at each."""

    def __call__(
        self, lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
    ) -> Callable[[], Written]:
        return Writing(lm, request, report, past, self).run


class Writing:
    """One write under way: what a closed form may read. Made before the edits below are on, run on top of them."""

    def __init__(self, lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None, road: Road):
        self.lm, self.request, self.report, self.past, self.road = lm, request, report, past, road
        self.groups = road.groups or (request.layers or (),)
        self.layers = tuple(sorted(layer for group in self.groups for layer in group))
        self.warnings: list[str] = []
        self.ratios: list[float] = []
        self.kept: dict[int, Tensor] = {}
        if "hidden" in self.road.sites:
            lm.require(("stream",))
        self.moments: dict[int, Moments] = moments(
            lm,
            MomentsRequest(layers=self.layers, source=request.source, tokens=request.tokens, seed=request.seed),
            self._phase(0.0, 0.4, "what the layers are used to reading"),
        )
        self.warnings += _unsteady(self.moments.values())
        self.contexts = contexts(lm, request)
        told = self._phase(0.4, 0.4, "the length new values have")
        self.anchor = (
            anchor_length(lm, request, self.layers[-1], road.sites, self.contexts, told) if request.norm_anchor else 0
        )
        told = self._phase(0.4, 0.45, "what must not move")
        self.protected = ProtectedKeys(lm, request, self.layers, self.contexts, told)
        if request.protected and self.protected:
            self.warnings += [said for fact in request.facts if (said := self._inseparable(fact)) is not None]
        self.inverses = self._inverses()

    def _inverses(self) -> dict[int, Inverse]:
        return {
            layer: Inverse(self.protected.beside(one.matrix, layer)) if self.protected else inverse_of(self.lm, one)
            for layer, one in self.moments.items()
        }

    def under(self, weight: float) -> "Writing":
        """The same write with another weight of what is protected by name."""
        other = copy(self)
        other.request = self.request.model_copy(update={"protect_weight": weight})
        other.protected = self.protected.under(other.request)
        other.warnings, other.ratios, other.kept = [], [], {}
        other.inverses = other._inverses()
        return other

    def run(self) -> Written:
        """Measure, search, write layer by layer; the model's weights are as before at the end."""
        lm, request, road, last = self.lm, self.request, self.road, self.layers[-1]
        rows = rows_of(lm, request.facts, self.contexts)
        asked = [*with_teacher(lm, request, rows, self.contexts), *protected_rows(lm, request)]
        self.targets = search(lm, asked, last, road.sites, request, self._phase(0.45, 0.9, "the new value"))
        self._anchor(rows)
        made, passes, condition, left = self._written(rows)
        self.report(1, 1, "asking what became of it", None, 0.95)
        self.warnings += unreached(request, self.targets.probability)
        whole = self.targets.change[road.sites[-1]].norm(dim=1).double()
        if road.sites == ("hidden",):
            whole = whole / lm.factors["mlp"]
        found = Found(
            loss=self.targets.loss,
            probability=self.targets.probability,
            former=self.targets.former,
            key_ratio=self.ratios or [math.nan] * len(request.facts),
            written=[
                1 - float(part / size) if size else math.nan for part, size in zip(left.norm(dim=0), whole, strict=True)
            ],
            condition=condition,
            statistics=[one.said() for one in self.moments.values()],
            passes=passes if request.passes > 1 else None,
            values=[float(one) for one in self.targets.target(road.sites[-1]).norm(dim=1)],
        )
        return made.changes(), found, self.warnings

    def again(self, residual: Tensor) -> list[LayerChange]:
        """The changes for values that were found before: `residual` (d, n) is the part of them the first layer had."""
        lm, site, last = self.lm, self.road.sites[-1], self.layers[-1]
        rows = rows_of(lm, self.request.facts, self.contexts)
        bare = [row.to_subject for row in rows if row.bare]
        missing = residual.double().T / self.road.share(len(self.layers))
        if site == "hidden":
            present, missing = hidden_at_end(lm, bare, last), missing * lm.factors["mlp"]
        else:
            present = output_matrix(lm, last).value(keys_at_end(lm, bare, last).float()).cpu().double()
        self.targets = Targets({site: present}, {site: missing}, *(np.empty((0, len(bare))) for _ in range(3)))
        return self._written(rows)[0].changes()

    def _written(self, rows: Sequence[Row]) -> tuple[Passes, int, float, Tensor]:
        """The targets, layer by layer: what was made, passes, condition of the first keys, and what is left (d, n)."""
        lm, request, road, last = self.lm, self.request, self.road, self.layers[-1]
        made, passes, condition = Passes(), 0, math.nan
        with Overlay(lm) as overlay:
            while passes < request.passes and not (
                passes and reached(lm, rows, last, road.sites, request, self.targets)
            ):
                passes += 1
                for layer, remaining in _steps(self.groups):
                    mean = self._keys(rows, layer)
                    if not made.first:
                        self._warn_of_likes(mean)
                        condition = closed_forms.condition(self.inverses[layer], mean)
                    residual = self._residual(rows, layer) * road.share(remaining)
                    exact = road.form(self, layer, mean, residual)
                    change = layer_change(lm, layer, exact.left, exact.right)
                    made.add(change, exact)
                    overlay.add(layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
            return made, passes, condition, self._residual(rows, last, after=True)

    def _keys(self, rows: Sequence[Row], layer: int) -> Tensor:
        """Mean key of every fact, (d_k, n); of edits that can be solved together as it was in the first pass."""
        if layer not in self.kept:
            mean, self.bare = subject_keys(self.lm, rows, layer, halved=self.road.halved)
            if not method_of(self.request.method).solvable:
                return mean
            self.kept[layer] = mean
        return self.kept[layer]

    def _anchor(self, rows: Sequence[Row]) -> None:
        """Give the targets the length new values have on the model without edits, where that is asked."""
        if not self.anchor:
            return
        self.targets, left_out = anchored(self.lm, self.targets, self.road.sites, rows, self.layers[-1], self.anchor)
        for index in left_out:
            self.warnings.append(
                f"“{self.request.facts[index].text}” is not written: its new value came out more than {TOO_LONG:.0f} "
                "times as long as new values are on the model without edits (norm_anchor). Take edits off, or write it "
                "without norm_anchor."
            )

    def _phase(self, begin: float, end: float, title: str) -> Report:
        return stretch(self.report, begin, end, title)

    def _residual(self, rows: Sequence[Row], layer: int, *, after: bool = False) -> Tensor:
        """Wanted minus present value of every fact, (d, n), at the site the method aims at, in units of the matrix."""
        bare = [row.to_subject for row in rows if row.bare]
        last = self.layers[-1]
        if self.road.sites == ("hidden",):
            missing = self.targets.target("hidden").double() - hidden_at_end(self.lm, bare, last)
            return missing.T / self.lm.factors["mlp"]
        if self.road.whole and not after and self.request.key_mode != "rome":
            return self.targets.change["value"].double().T
        matrix = output_matrix(self.lm, last)
        present = matrix.value(keys_at_end(self.lm, bare, last).float()).cpu().double()
        return (self.targets.target("value").double() - present).T

    def _inseparable(self, fact: Rewrite) -> str | None:
        found = nearest(self.lm, fact, self.request.protected, self.moments, self.request.method)
        return None if found is None else inseparable(fact.subject, found.names, found.cosines, list(self.moments))

    def _warn_of_likes(self, keys: Tensor) -> None:
        unit = keys / keys.norm(dim=0)
        close = ((unit.T @ unit) > ALIKE).triu(1).nonzero().tolist()
        for a, b in close[:3]:
            one, other = self.request.facts[a], self.request.facts[b]
            self.warnings.append(
                f"“{one.text}” and “{other.text}” ask for the same key; what is written is between the two."
            )


def _unsteady(moments: Iterable[Moments]) -> list[str]:
    few = [one for one in moments if one.grown and not one.grown["steady"]]
    return [
        f"The second moments of layer {one.layer} are of {one.tokens:,} tokens, all there are of that text, and not "
        "steady yet: other text may move more than it must. Take a longer file as source."
        for one in few[:1]
    ]


def _steps(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The layers in the order they are written, each with the number left in its group, itself included."""
    return [(layer, len(group) - number) for group in groups for number, layer in enumerate(group)]
