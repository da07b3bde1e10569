"""Do heads found in one place work in another? Relations against relations, forms against forms."""

import time
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import BadRequest
from analysis.internals.head_names import head_name
from analysis.knowledge_conflict.head_scores import Treatment, find, outcomes
from analysis.knowledge_conflict.prompts import Format
from analysis.knowledge_conflict.result import SIDES, TransferRequest, TransferResult
from analysis.knowledge_conflict.tokenised import Item, Source
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@framed
def transfer(lm: "LanguageModel", request: TransferRequest, report: Report = silent) -> TransferResult:
    """Find heads on each relation and in each form, silence the k strongest of a side on all others.

    A place is a relation in the sentence form, or a form over all the relations. What is tested on shares no subject
    with what heads were found on in the same place.

    Args:
        lm: a loaded model; left as it was.
        request: which relations and forms, how many conflicts of each, and how many heads are silenced.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        How often the other answer wins, (places found on, places tested on), for either side.
    Raises:
        `BadRequest` where too few of the facts are known.
    Source:
        Jin et al. 2024, 2402.18154 (PH3), in our reading.
    Example:
        >>> from analysis import TransferRequest
        >>> asked = TransferRequest(relations=("capital", "language"), forms=("sentence",), find=2, test=1, k=1)
        >>> sorted(transfer(lm, asked).heads)  # places heads are found in
        ['capital', 'language', 'sentence']
    """
    started = time.perf_counter()
    wanted: list[tuple[str, tuple[str, ...], Format]] = [
        (name, (name,), request.forms[0]) for name in request.relations
    ]
    wanted += [(form, request.relations, form) for form in request.forms]
    total, skipped = 2 * len(wanted), []
    parts: dict[str, tuple[list[Item], list[Item]]] = {}
    for done, (name, relations, form) in enumerate(wanted):
        report(done, total, "asking what is known")
        source = Source(lm, relations, form, request.at_least, request.seed, request.wording)
        used: set[tuple[str, str]] = set()
        items = source.take(request.find, used), source.take(request.test, used)
        if len(items[0]) < 2 or not items[1]:
            skipped.append(f"{name}: too few of its facts are known")
            continue
        parts[name] = items
    if len(parts) < 2:
        raise BadRequest("Fewer than two of these relations and forms have enough known facts. " + "; ".join(skipped))
    names = list(parts)
    heads: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for done, (name, (own, _)) in enumerate(parts.items()):
        report(len(wanted) + done, total, "finding heads")
        scores = find(lm, own, request.corruption, request.seed).scores
        heads[name] = {side: scores.ranked(side, request.rank_by)[: request.k] for side in SIDES}
    base = np.empty((len(names), 2))
    silenced: dict[str, np.ndarray] = {side: np.empty((len(names), len(names), 2)) for side in SIDES}
    for column, name in enumerate(names):
        treatments = [Treatment("none", "", 0, [()])]
        treatments += [Treatment(one, side, request.k, [tuple(heads[one][side])]) for one in names for side in SIDES]
        found = outcomes(lm, parts[name][1], treatments, clean=False)
        base[column] = found[0].memory[0], found[0].context[0]
        for one in found[1:]:
            silenced[one.side][names.index(one.treatment), column] = one.memory[0], one.context[0]
    report(total, total, "done")
    return TransferResult(
        request=request,
        model=lm.card(),
        sources=names,
        targets=names,
        heads={name: {side: [head_name(head) for head in own[side]] for side in SIDES} for name, own in heads.items()},
        base=base,
        silenced=silenced,
        count=np.array([len(parts[name][1]) for name in names]),
        skipped=skipped,
        provenance=provenance(time.perf_counter() - started),
    )
