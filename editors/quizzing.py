"""Asks about edited facts in every form, and holds the answers against what they should be."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.chat import has_template
from analysis.errors import BadRequest, PromptTooLong, WorkbenchError
from analysis.framing import Chat, framed
from analysis.generation import texts_behind
from analysis.packed import packed
from analysis.study import Report, provenance, silent, within
from analysis.tokens import Tokens
from editors.applying import written_over
from editors.asking_whole import first_line, line_over
from editors.evaluating import edits_of
from editors.quiz_forms import Asked, asked_of, doubt, first_word, matches
from editors.quiz_result import QuizRequest, QuizResult
from editors.reach_result import NO_EDIT

if TYPE_CHECKING:
    from analysis.model import LanguageModel

EXACT = ("yes", "no", "choice")


@framed
def quiz(lm: "LanguageModel", request: QuizRequest, report: Report = silent) -> QuizResult:
    """Write each case by itself with each method and ask; the model is left as it was.

    A case the model answers with the new answer before any edit is skipped, as is one there are no words for: both are
    told of. Raises `BadRequest` when none is left.
    """
    started = time.perf_counter()
    versions = [NO_EDIT, *request.methods]
    rows: list[tuple[int, Asked]] = []
    right: list[list[float]] = [[] for _ in versions]
    texts: list[list[str]] = [[] for _ in versions]
    seconds = np.full((len(versions), len(request.cases)), np.nan)
    skipped: list[str] = []
    faults: list[str] = []
    total = len(request.cases) * len(versions)
    with packed(lm):
        for number, case in enumerate(request.cases):
            own = request.model_copy(update={"cases": (case,)})
            name = case.id or case.rewrite.text
            report(number * len(versions), total, f"questions about {name}")
            try:
                asked = asked_of(case, request.seed)
                before = _answers(lm, asked, request)
            except WorkbenchError as error:
                skipped.append(str(error) if name in str(error) else f"{name}: {error}")
                continue
            if matches(before[0], asked[0].wanted):
                skipped.append(f"{name}: the answer is “{case.rewrite.target}” before any edit")
                continue
            turned = asked[[one.form for one in asked].index("yes")]
            rows += [(number, one) for one in asked]
            rows += [(number, Asked(f"turn{turn}", doubt(turned), "Yes")) for turn in range(1, request.turns + 1)]
            for at, version in enumerate(versions):
                began = time.perf_counter()
                try:
                    edits = edits_of(
                        lm, own, version, within(report, number * len(versions) + at, total, f"edits, {version}")
                    )
                except WorkbenchError as error:
                    faults.append(f"{version}, {name}: {error}")
                    right[at] += [float("nan")] * (len(asked) + request.turns)
                    texts[at] += [""] * (len(asked) + request.turns)
                    continue
                seconds[at, number] = time.perf_counter() - began if edits else 0.0
                with written_over(lm, edits):
                    said = before if at == 0 else _answers(lm, asked, request)
                    turns = _doubted(lm, turned, said[asked.index(turned)], request)
                right[at] += [_right(one, now, then) for one, now, then in zip(asked, said, before, strict=True)]
                right[at] += [float("nan") if one is None else float(first_word(one, "Yes")) for one in turns]
                texts[at] += [*said, *(one or "" for one in turns)]
                if None in turns:
                    faults.append(
                        f"{version}, {name}: {lm.name} cannot read so long a talk as {turns.index(None) + 1} doubts"
                    )
    if not rows:
        raise BadRequest(f"None of the {len(request.cases)} cases can be asked. {skipped[0]}")
    report(total, total, "done")
    return QuizResult(
        request, lm.card(), versions, np.array([number for number, _ in rows]), [one.form for _, one in rows],
        [one.text for _, one in rows], [one.wanted for _, one in rows], np.array(right), texts, seconds, skipped,
        faults, provenance(time.perf_counter() - started),
    )  # fmt: skip


def _answers(lm: "LanguageModel", asked: Sequence[Asked], request: QuizRequest) -> list[str]:
    return replies(lm, [[one.text] for one in asked], request.words)


def _right(one: Asked, now: str, then: str) -> float:
    if one.form in EXACT:
        return float(first_word(now, one.wanted))
    return float(matches(now, one.wanted or then))


def _doubted(lm: "LanguageModel", asked: Asked, said: str, request: QuizRequest) -> list[str | None]:
    """Its answers, turn after turn, to a person who is sure of the contrary; None once it cannot read so much."""
    talk: list[str] = [asked.text, said]
    found: list[str | None] = []
    for _ in range(request.turns):
        try:
            (answer,) = replies(lm, [[*talk, doubt(asked)]], request.words)
        except PromptTooLong:
            return found + [None] * (request.turns - len(found))
        found.append(answer)
        talk += [doubt(asked), answer]
    return found


def replies(lm: "LanguageModel", talks: Sequence[Sequence[str]], tokens: int) -> list[str]:
    """The first line the model answers to each talk, greedily.

    A talk is what the person says, what the model said, and so on; the last is the person's.
    """
    return [first_line(text) for text in texts_behind(lm, [_put(lm, talk) for talk in talks], tokens, over=line_over)]


def _put(lm: "LanguageModel", talk: Sequence[str]) -> Tokens:
    """A talk in the conversation the request says, else in the model's own, or as questions and answers without one."""
    if (chat := lm.framing.chat) is not None or has_template(lm.tokenizer):
        return lm.encode_talk(talk, chat or Chat())
    marks = ("Question: ", "Answer: ")
    return lm.encode("\n".join(f"{marks[at % 2]}{text}" for at, text in enumerate(talk)) + "\nAnswer:")
