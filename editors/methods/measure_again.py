"""An edit that was brought, measured on this machine: its probes are chosen and asked anew, before it and after.

What it does to the weights is taken as it is. What was seen while it was sought cannot be seen again, and keeps its
mark: curves of the search, what the closed form says of itself, warnings.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.errors import BadRequest
from analysis.forward.packed_weights import packed
from analysis.internals.key_value_memory import output_matrix
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from editors.edit.apply import apply, matrices_of, tensor_hash
from editors.edit.edit import SEARCH, Edit, ids_below
from editors.edit.matrices import refuse_other_matrices
from editors.edit.request import EditRequest
from editors.edit.weight_overlay import Overlay
from editors.methods.run import outcome, write

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def measure_again(lm: "LanguageModel", edit: Edit, report: Report = silent, *, stack: Sequence[Edit] = ()) -> Edit:
    """The same edit with everything said of it that can be measured here, measured here.

    Silenced heads are silenced anew, and nothing of the recipe but its request is left. Of any other edit what its
    search says is as it was brought, and marked so.

    Args:
        lm: the model it was made for, without edits on.
        edit: the edit, as its recipe says it.
        report: called as report(done, total, note); raise `Cancelled` in it to stop.
        stack: the edits it was found on top of, lowest first.
    Raises:
        `BadRequest` for other weights, or where `stack` is not what it was found on top of.
    """
    if list(edit.built_on) != ids_below(stack):
        raise BadRequest(
            f"“{edit.title}” was found on top of {len(edit.built_on)} other edits, and {len(stack)} are given: "
            "it is measured on top of the very same, lowest first."
        )
    if edit.model["weights_hash"] != lm.own_hash:
        raise BadRequest(f"“{edit.title}” was written on other weights than {lm.name}'s. Nothing was measured.")
    if edit.request.silences:
        made = write(lm, edit.request, report, stack=stack)
        if made.id != edit.id:
            raise BadRequest(f"“{edit.title}” does not silence its heads as {lm.name} has them. Nothing was measured.")
        return made
    return _measured(lm, edit.request, edit, report, stack)


@framed
def _measured(lm: "LanguageModel", request: EditRequest, edit: Edit, report: Report, stack: Sequence[Edit]) -> Edit:
    started = time.perf_counter()
    with packed(lm), Overlay(lm) as overlay:
        for one in stack:
            apply(lm, one, overlay)
        refuse_other_matrices(matrices_of(lm), edit)
        changes = []
        for change in edit.changes:
            matrix = output_matrix(lm, change.layer)
            if tensor_hash(matrix.parameter) != change.base_hash:
                raise BadRequest(f"“{edit.title}” was made for another {change.name} than {lm.name} has.")
            changes.append(replace(change, weight_norm=float(matrix.weight.float().norm())))
        probes, before, after, glance = outcome(
            lm, request.facts, changes, overlay, probe=True, glance=True, report=report
        )
    report(3, 3, "done")
    kept = {name: told for name, told in edit.provenance.items() if name in ("author", "base", "package", "parts")}
    return replace(
        edit, model=lm.card(), changes=changes, probes=probes, before=before, after=after, glance=glance,
        provenance=provenance(time.perf_counter() - started) | kept | {"brought": SEARCH},
    )  # fmt: skip
