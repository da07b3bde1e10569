"""An evaluation is made of smaller ones: one case, one method. Each is stored by itself.

So a run that was killed goes on where it was, another method or more cases cost only what is new, and a cluster may
take the parts in any order.
"""

from collections.abc import Sequence

import numpy as np

from analysis.study import provenance
from editors.evaluation.result import PROTOCOLS, EvaluateRequest, EvaluateResult
from editors.registry.methods import NO_EDIT


def parts_of(request: EvaluateRequest) -> list[EvaluateRequest]:
    """The smallest evaluations that make up this one, cases first; cases written in one edit stay together."""
    groups = [request.cases] if request.mode == "batch" else [(case,) for case in request.cases]
    methods: list[tuple[str, ...]] = [(method,) for method in request.methods] or [()]
    return [
        request.model_copy(
            update={"cases": group, "methods": method, "mode": "single" if len(group) == 1 else request.mode}
        )
        for group in groups
        for method in methods
    ]


def joined(request: EvaluateRequest, parts: Sequence[EvaluateResult]) -> EvaluateResult:
    """The whole, from its parts in the order of `parts_of`. No edit is taken from each case's first part."""
    versions, each = [NO_EDIT, *request.methods], max(1, len(request.methods))
    firsts = parts[::each]
    offsets = np.cumsum([0, *(len(part.request.cases) for part in firsts)])
    cases = len(request.cases)
    counts = [len(part.kinds) for part in firsts]
    places = np.cumsum([0, *counts])
    values = np.full((len(versions), len(PROTOCOLS), places[-1]), np.nan)
    texts = [[""] * int(places[-1]) for _ in versions]
    seconds, fluency, consistency = (np.full((len(versions), cases), np.nan) for _ in range(3))
    for number, part in enumerate(parts):
        group, place = divmod(number, each)
        own, at = slice(places[group], places[group + 1]), slice(offsets[group], offsets[group + 1])
        for row in range(len(part.versions)):
            if row == 0 and place:
                continue
            version = place + 1 if row else 0
            values[version, :, own] = part.values[row]
            texts[version][own] = part.texts[row]
            seconds[version, at], fluency[version, at] = part.seconds[row], part.fluency[row]
            consistency[version, at] = part.consistency[row]
    return EvaluateResult(
        request,
        parts[0].model,
        versions,
        np.concatenate([part.case + offset for part, offset in zip(firsts, offsets, strict=False)]),
        [kind for part in firsts for kind in part.kinds],
        [prompt for part in firsts for prompt in part.prompts],
        values,
        texts,
        fluency,
        consistency,
        seconds,
        [fault for part in parts for fault in part.faults],
        [prompt for part in firsts for prompt in part.left_out],
        provenance(sum(part.provenance["seconds"] for part in parts)),
    )
