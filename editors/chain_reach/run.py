"""How far edits reach: each method writes the facts of a chain, then every hop and the whole are asked.

Metrics of MQuAKE (Zhong et al., 2305.14795): edit-wise, instance-wise, multi-hop with any of the wordings, asked
directly and with chain of thought. Methods stand side by side on the same cases.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import WorkbenchError
from analysis.forward.packed_weights import packed
from analysis.study import Report, provenance, silent, within
from analysis.text.framing import PLAIN, Prompted, framed
from editors.cases.chain_case import ChainCase
from editors.chain_reach.parts import joined, parts_of
from editors.chain_reach.result import ReachRequest, ReachResult
from editors.edit.apply import card_over, written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write_each
from editors.registry.methods import NO_EDIT, MethodName
from editors.scoring.free_answers import right, said_to, thought_to
from editors.scoring.unedited_answers import said_last

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Make = Callable[["LanguageModel", ChainCase, Sequence[Edit]], list[Edit]]


def writer(method: MethodName, put: Prompted = PLAIN) -> Make:
    """Writes the facts of a case with a method's defaults, on top of the edits that are on."""

    def make(lm: "LanguageModel", case: ChainCase, stack: Sequence[Edit]) -> list[Edit]:
        return write_each(lm, EditRequest(facts=case.rewrites, method=method, **put.framing()), stack=stack)

    return make


@framed
def reach(
    lm: "LanguageModel",
    request: ReachRequest,
    report: Report = silent,
    *,
    stack: Sequence[Edit] = (),
    part: Callable[..., ReachResult] | None = None,
) -> ReachResult:
    """Write each case with each method on top of `stack`, one at a time, and ask; the model is left as it was.

    A method that refuses a case leaves NaN there and says why in `faults`. `part` may find one case with one method
    stored.

    Args:
        lm: a loaded model; left as it was.
        request: chains with the facts to write, methods, and whether it may think aloud.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits that are on, lowest first.
        part: how one case with one method is found; computed by default.
    Returns:
        Whether edits, hops and wholes are answered, (versions, cases, …).
    Raises:
        `BadRequest` for cases that cannot be asked.
    Source:
        Zhong et al. 2023 (MQuAKE), 2305.14795, section 3.
    """
    pieces = parts_of(request)
    if part is None or len(pieces) == 1:
        return reached(
            lm, request, {method: writer(method, request) for method in request.methods}, report, stack=stack
        )
    done: list[ReachResult] = []
    for number, piece in enumerate(pieces):
        note = f"chains, {', '.join(piece.methods) or NO_EDIT}"
        inner = within(report, number, len(pieces), note)
        inner(0, 1)
        done.append(part(lm, piece, inner))
    report(len(pieces), len(pieces), "done")
    return joined(request, done)


def reached(
    lm: "LanguageModel",
    request: ReachRequest,
    makers: dict[str, Make],
    report: Report = silent,
    *,
    stack: Sequence[Edit] = (),
) -> ReachResult:
    """`reach` with methods of one's own."""
    started = time.perf_counter()
    versions, n = [NO_EDIT, *makers], len(request.cases)
    most_hops = max(len(case.hops) for case in request.cases)
    wordings = max(len(case.questions) for case in request.cases)
    held = np.full((len(versions), n), np.nan)
    hops = np.full((len(versions), n, most_hops), np.nan)
    whole, old, thoughts = (np.full((len(versions), n, wordings), np.nan) for _ in range(3))
    said: tuple[list, list, list] = tuple([[[] for _ in range(n)] for _ in versions] for _ in range(3))  # type: ignore[assignment]
    faults: list[str] = []
    with packed(lm):
        for number, case in enumerate(request.cases):
            for at, version in enumerate(versions):
                report(number * len(versions) + at, n * len(versions), f"chains, {version}")
                try:
                    edits = makers[version](lm, case, stack) if version in makers else []
                    with written_over(lm, [*stack, *edits]):
                        answers, thought = _asked(lm, case, request) if edits else _unedited(lm, case, request)
                    told = [answers[hop.prompt] for hop in case.hops]
                    texts = [answers[question] for question in case.questions]
                    kept = [right(answers[one.text], [one.target]) for one in case.rewrites]
                except WorkbenchError as error:
                    faults.append(f"{version}, {case.id}: {error}")
                    continue
                held[at, number] = np.mean(kept)
                hops[at, number, : len(told)] = [
                    right(text, hop.answers) for text, hop in zip(told, case.hops, strict=True)
                ]
                whole[at, number, : len(texts)] = [right(text, case.answers) for text in texts]
                old[at, number, : len(texts)] = [right(text, case.old) for text in texts]
                thoughts[at, number, : len(thought)] = [right(answer, case.answers) for _, answer in thought]
                for place, words in enumerate((told, texts, [f"{one} → {answer}" for one, answer in thought])):
                    said[place][at][number] = words
    return ReachResult(
        request, card_over(lm, stack), versions, held, hops, whole,
        thoughts if request.thoughts else np.zeros((0, 0, 0)), old, *said, faults,
        provenance(time.perf_counter() - started),
    )  # fmt: skip


Answers = tuple[dict[str, str], list[tuple[str, str]]]
"""What was said, by the prompt, and thoughts with their answers."""


def _unedited(lm: "LanguageModel", case: ChainCase, request: ReachRequest) -> Answers:
    one = request.model_copy(update={"cases": (case,), "methods": ()})
    return said_last(lm, one, partial(_asked, lm, case, request))


def _asked(lm: "LanguageModel", case: ChainCase, request: ReachRequest) -> Answers:
    """What the model says now to everything asked about a case, by the prompt; its thoughts on the questions."""
    names = [
        *(one.subject for one in case.rewrites), *(one.target for one in case.rewrites),
        case.answers[0], *case.old[:1], *(hop.answers[0] for hop in case.hops),
    ]  # fmt: skip
    prompts = list(dict.fromkeys(
        [*(hop.prompt for hop in case.hops), *case.questions, *(one.text for one in case.rewrites)]
    ))  # fmt: skip
    said = said_to(lm, prompts, request.words, [names] * len(prompts))
    thought = thought_to(lm, case.questions, request.words, [names] * len(case.questions)) if request.thoughts else []
    return dict(zip(prompts, said, strict=True)), thought
