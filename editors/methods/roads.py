"""ROME, MEMIT, RLS, EMMET, AlphaEdit, BetaEdit, PMET and ACE: a row each of what `editors.methods.closed_road` asks."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from analysis.errors import BadRequest
from analysis.study import Report
from editors.edit.request import EditRequest
from editors.methods import closed_forms
from editors.methods.closed_forms import Change, Freedom
from editors.methods.closed_road import Road, Writing, Written
from editors.methods.factored_moments import freedom_of, refreshed_freedom
from editors.methods.past_keys import PastKeys

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

RHO_WARN, RHO_REFUSE = (0.3, 3.0), 0.05
"""Where ρ of ROME's two keys is worth a warning, and where a write would explode."""


def _rome(writing: Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    inverse, bare, mode = writing.inverses[layer], writing.bare[:, 0], writing.request.key_mode
    ratio = closed_forms.key_ratio(inverse, bare, mean[:, 0])
    writing.ratios.append(ratio)
    if mode == "rome" and abs(ratio) < RHO_REFUSE:
        raise BadRequest(
            f"The prompt's own key hardly agrees with its mean over contexts (ρ = {ratio:.2f}): the published ROME "
            "would explode here. Take key_mode r_rome."
        )
    if not RHO_WARN[0] <= ratio <= RHO_WARN[1]:
        writing.warnings.append(
            f"The prompt's own key and its mean over contexts disagree (ρ = {ratio:.2f}); the edit may not hold at the "
            "bare prompt, or move more than it should."
        )
    direction = bare if mode == "p_rome" else mean[:, 0]
    key = mean[:, 0] if mode == "r_rome" else bare
    return closed_forms.rome(inverse, direction, key, residual[:, 0])


def _memit(writing: Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    weight = writing.request.moments_weight * len(mean)
    return closed_forms.memit(writing.inverses[layer], mean, residual, weight)


def _emmet(writing: Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    return closed_forms.emmet(writing.inverses[layer], mean, residual, writing.request.slack or 0.0)


def _alphaedit(writing: Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    return _within(_free(writing, layer), writing, layer, mean, residual)


def _betaedit(writing: Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    """AlphaEdit's form with the text's energy in the free directions in it, these found anew every so many facts.

    Past keys are read once an edit is on as a whole. The published code adds them inside its loop over layers, while
    later layers are not written yet, so that its A holds keys of a half-edited model.
    """
    request = writing.request
    weight = request.leak_weight * len(mean)
    if not weight:
        return _alphaedit(writing, layer, mean, residual)
    text = writing.protected.with_subjects(writing.moments[layer].matrix, layer).double()
    written = writing.past.up_to_refresh(layer, request.refresh) if writing.past else None
    if written is None:
        free = _free(writing, layer)
    else:
        keys, state = written
        blend = partial(closed_forms.refreshed, text, keys @ keys.T, keys.shape[1], weight)
        own = (weight, request.subjects_weight, request.held_out, state)
        free = refreshed_freedom(writing.lm, writing.moments[layer], request.protect, own, blend)
    return _within(free, writing, layer, mean, residual, weight * text)


def _free(writing: Writing, layer: int) -> Freedom:
    moments, protect, protected = writing.moments[layer], writing.request.protect, writing.protected
    if protected.subjects:
        return closed_forms.freedom(protected.with_subjects(moments.matrix, layer), protect)
    return freedom_of(writing.lm, moments, protect)


def _within(
    free: Freedom, writing: Writing, layer: int, mean: Tensor, residual: Tensor, text: Tensor | None = None
) -> Change:
    projected = free.project(mean).square().sum(0)
    ridge = writing.request.ridge * float(projected.median())
    spared = [writing.past.moment(layer) if writing.past else None, writing.protected.counted(layer), text]
    return closed_forms.alphaedit(free, mean, residual, [one for one in spared if one is not None], ridge)


def _rls(writing: Writing, layer: int, mean: Tensor, residual: Tensor) -> Change:
    request, below = writing.request, writing.past.pairs(layer) if writing.past else ()
    weight = request.moments_weight * len(mean)
    return closed_forms.rls(writing.inverses[layer], mean, residual, weight, request.anchor, below)


ROME = Road(("value",), lambda left: 1.0, _rome, halved=False, whole=True)
MEMIT = Road(("hidden",), lambda left: 1 / left, _memit)
EMMET = Road(("hidden",), lambda left: 1 / left, _emmet)
ALPHAEDIT = Road(("hidden",), lambda left: 1 / left, _alphaedit)
RLS = Road(("hidden",), lambda left: 1 / left, _rls)
BETAEDIT = Road(("hidden",), lambda left: 1 / left, _betaedit)
PMET = Road(("attn", "value"), lambda left: 1 / math.sqrt(left), _memit)


def ace(
    lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
) -> Callable[[], Written]:
    """ACE, as `Method.write`."""
    return ace_road(request)(lm, request, report, past)


def ace_road(request: EditRequest) -> Road:
    """ACE (2510.07896): query layers and value layers, both written for the deepest value layer's state.

    What is left of it is shared out in each group anew. The published code aims at the sub-blocks' outputs (`aim` mlp)
    and shares by 1/sqrt(n); it writes the query layers first, the paper says value layers first.
    """
    share = (MEMIT if request.spreading == "linear" else PMET).share
    groups = tuple(group for group in (request.shallow or (), request.layers or ()) if group)
    ordered = groups if request.order == "query_first" else groups[::-1]
    return replace(MEMIT if request.aim == "block" else PMET, share=share, groups=ordered)
