"""Where to write: a few facts written at one layer after another, beside their causal traces.

A trace tells where a fact is read from, not where it is best written (Hase et al., 2301.04213): the
layer alone explains an edit's success, the trace adds next to nothing. So the layers are tried.
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import Moments, moments
from analysis.study import Report, provenance, silent, within
from analysis.text.framing import framed
from analysis.tracing.result import TraceRequest
from analysis.tracing.run import trace
from editors.edit.edit import Edit
from editors.edit.probes import score
from editors.edit.request import EditRequest
from editors.layer_sweep.result import OUTCOMES, LayersRequest, LayersResult
from editors.methods.protection.like_subjects import of_relation
from editors.methods.protection.separability import nearest
from editors.methods.run import write
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@framed
def sweep_layers(lm: "LanguageModel", request: LayersRequest, report: Report = silent) -> LayersResult:
    """Write every fact at every layer, one edit at a time, and trace every fact once; the model is left as it was.

    Raises what `write` and `trace` raise for facts that do not fit.

    Args:
        lm: a loaded model; left as it was.
        request: facts, method, and which layers.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        Shares of probes that hold at each layer, beside the trace.
    Source:
        Hase et al. 2023, 2301.04213.
    """
    started = time.perf_counter()
    tried = list(request.layers or range(0, lm.n_layers, 3))
    if outside := [layer for layer in tried if not 0 <= layer < lm.n_layers]:
        raise BadRequest(f"{lm.name} has layers 0 to {lm.n_layers - 1}; there is no layer {outside[0]}.")
    shape = (len(request.facts), len(tried))
    blank = np.full(shape, np.nan)
    result = LayersResult(
        request=request,
        model=lm.card(),
        layers=tried,
        score=blank.copy(),
        likelier={kind: blank.copy() for kind in OUTCOMES},
        greedy={kind: blank.copy() for kind in OUTCOMES},
        effect=np.full((shape[0], lm.n_layers), np.nan),
    )
    if "source" in method_of(request.method).uses:
        measuring = within(report, 0, shape[0] * (1 + shape[1]), "what the layers are used to reading")
        measured = moments(lm, MomentsRequest(layers=tuple(tried), seed=request.seed), measuring)
        _put_nearest(lm, request, result, measured)
    total = shape[0] * (1 + shape[1])
    done = 0

    for row, fact in enumerate(request.facts):
        traced = TraceRequest(
            prompt=fact.text, subject=fact.subject, kinds=("state",), samples=request.samples, seed=request.seed,
            occurrence=0, **request.framing(),
        )  # fmt: skip
        found = trace(lm, traced, within(report, done, total, "edits and traces"))
        result.effect[row] = found.indirect_effects("state")[:, found.subject[1] - 1]
        done += 1
        report(done, total, "edits and traces", result)
    for column, layer in enumerate(tried):
        for row, fact in enumerate(request.facts):
            asked = EditRequest(
                facts=(fact,), method=request.method, layers=(layer,), seed=request.seed, **request.framing()
            )
            made = write(lm, asked, within(report, done, total, "edits and traces"), glance=False)
            _put(result, row, column, made)
            done += 1
            report(done, total, "edits and traces", result)
    result.provenance = provenance(time.perf_counter() - started)
    return result


def _put_nearest(
    lm: "LanguageModel", request: LayersRequest, result: LayersResult, measured: dict[int, Moments]
) -> None:
    """How near each fact's key is to those of stored subjects of its relation."""
    result.nearest, result.nearest_names = np.full(result.score.shape, np.nan), []
    for row, fact in enumerate(request.facts):
        found = None
        with suppress(BadRequest):  # of no stored relation
            like = list(of_relation(fact))
            found = nearest(lm, fact, like, {layer: measured[layer] for layer in result.layers}, request.method)
        result.nearest_names.append(found.names if found else [""] * len(result.layers))
        if found:
            result.nearest[row] = found.cosines


def _put(result: LayersResult, row: int, column: int, edit: Edit) -> None:
    """What became of one fact at one layer."""
    before, after = float(edit.before.new[0]), float(edit.after.new[0])
    for kind in OUTCOMES:
        found = score(edit.probes, edit.after, kind)  # type: ignore[arg-type]
        if found is not None:
            result.likelier[kind][row, column] = found.likelier
            result.greedy[kind][row, column] = found.greedy
    result.score[row, column] = (after - before) / max(1 - before, 1e-12)
