"""A question of reach is made of smaller ones: one case, one method. Each is stored by itself, as in an evaluation."""

from collections.abc import Sequence

import numpy as np

from analysis.study import provenance
from editors.chain_reach.result import ReachRequest, ReachResult
from editors.registry.methods import NO_EDIT, MethodName

ROWS = ("hops", "whole", "old", "thoughts")
SAID = ("hops_said", "whole_said", "thoughts_said")


def parts_of(request: ReachRequest) -> list[ReachRequest]:
    """The smallest questions that make up this one, cases first."""
    methods: list[tuple[MethodName, ...]] = [(method,) for method in request.methods] or [()]
    return [request.model_copy(update={"cases": (case,), "methods": one}) for case in request.cases for one in methods]


def joined(request: ReachRequest, parts: Sequence[ReachResult]) -> ReachResult:
    """The whole, from its parts in the order of `parts_of`. No edit is taken from each case's first part."""
    versions, each, n = [NO_EDIT, *request.methods], max(1, len(request.methods)), len(request.cases)
    held = np.full((len(versions), n), np.nan)
    widths = {name: max(getattr(part, name).shape[-1] for part in parts) for name in ROWS}
    rows = {name: np.full((len(versions), n, width), np.nan) for name, width in widths.items()}
    said: dict[str, list[list[list[str]]]] = {name: [[[] for _ in range(n)] for _ in versions] for name in SAID}
    for number, part in enumerate(parts):
        case, place = divmod(number, each)
        for row in range(len(part.versions)):
            if row == 0 and place:
                continue
            version = place + 1 if row else 0
            held[version, case] = part.held[row, 0]
            for name in ROWS:
                own = getattr(part, name)
                if own.size:
                    rows[name][version, case, : own.shape[-1]] = own[row, 0]
            for name in SAID:
                said[name][version][case] = getattr(part, name)[row][0]
    faults = dict.fromkeys(fault for part in parts for fault in part.faults)  # no edit is asked, and refused, in each
    return ReachResult(
        request, parts[0].model, versions, held, rows["hops"], rows["whole"],
        rows["thoughts"] if request.thoughts else np.zeros((0, 0, 0)), rows["old"], said["hops_said"],
        said["whole_said"], said["thoughts_said"], list(faults),
        provenance(sum(part.provenance["seconds"] for part in parts)),
    )  # fmt: skip
