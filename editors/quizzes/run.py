"""Asks about edited facts in every form, and holds the answers against what they should be."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import BadRequest, PromptTooLong, WorkbenchError
from analysis.forward.generation import texts_behind
from analysis.forward.packed_weights import packed
from analysis.study import Report, provenance, silent, within
from analysis.text.chat import has_template
from analysis.text.framing import Chat, framed
from analysis.text.tokens import Tokens
from editors.edit.apply import written_over
from editors.evaluation.run import edits_of
from editors.quizzes.forms import Asked, asked_of, doubt, first_word, matches
from editors.quizzes.result import QuizRequest, QuizResult
from editors.registry.methods import NO_EDIT
from editors.scoring.free_answers import first_line, line_over

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

EXACT = ("yes", "no", "choice")


@framed
def quiz(
    lm: "LanguageModel", request: QuizRequest, report: Report = silent, *, resume_from: QuizResult | None = None
) -> QuizResult:
    """Write each case by itself with each method and ask; the model is left as it was.

    A case the model answers with the new answer before any edit is skipped, as is one there are no words for: both are
    told of. A step is one case with one method, its edit and its answers, which are not taken apart; `resume_from`, a
    stopped result of the same request, has some. Raises `BadRequest` when no case is left.

    Args:
        lm: a loaded model; left as it was.
        request: cases, methods, and how many turns of doubt.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        resume_from: a stopped result of the same request.
    Returns:
        For each version and form of question the share answered with the new answer.
    Source:
        Huang et al. 2025 (HalluEditBench), in a generated form.
    Example:
        >>> from editors import QuizRequest
        >>> from analysis import read_facts
        >>> from analysis.facts.facts import another_object
        >>> from editors.cases.case import case_of
        >>> fact = read_facts()[0]
        >>> case = case_of(fact, another_object(fact))
        >>> quiz(lm, QuizRequest(cases=(case,), methods=("ft",), turns=1)).versions
        ['none', 'ft']
    """
    started = time.perf_counter()
    sheet = _Sheet(request, resume_from)
    versions, before_seconds = sheet.versions, resume_from.provenance["seconds"] if resume_from else 0.0
    total = len(request.cases) * len(versions)

    def result() -> QuizResult:
        return sheet.result(lm, provenance(before_seconds + time.perf_counter() - started))

    with packed(lm):
        for number, case in enumerate(request.cases):
            if sheet.done >= (number + 1) * len(versions):
                continue
            own = request.model_copy(update={"cases": (case,)})
            name = case.id or case.rewrite.text
            report(sheet.done, total, f"questions about {name}")
            try:
                asked = asked_of(case, request.seed)
                before = sheet.unedited(number, len(asked)) or _answers(lm, asked, request)
            except WorkbenchError as error:
                sheet.skip(number, str(error) if name in str(error) else f"{name}: {error}")
                continue
            if matches(before[0], asked[0].wanted):
                sheet.skip(number, f"{name}: the answer is “{case.rewrite.target}” before any edit")
                continue
            turned = asked[[one.form for one in asked].index("yes")]
            doubts = [Asked(f"turn{turn}", doubt(turned), "Yes") for turn in range(1, request.turns + 1)]
            sheet.come_to(number, [*asked, *doubts])
            for at in range(sheet.done - number * len(versions), len(versions)):
                version, began = versions[at], time.perf_counter()
                try:
                    edits = edits_of(lm, own, version, within(report, sheet.done, total, f"edits, {version}"))
                except WorkbenchError as error:
                    sheet.refused(at, f"{version}, {name}: {error}")
                    continue
                seconds = time.perf_counter() - began if edits else 0.0
                with written_over(lm, edits):
                    said = before if at == 0 else _answers(lm, asked, request)
                    turns = _doubted(lm, turned, said[asked.index(turned)], request)
                right = [_right(one, now, then) for one, now, then in zip(asked, said, before, strict=True)]
                right += [float("nan") if one is None else float(first_word(one, "Yes")) for one in turns]
                if None in turns:
                    sheet.faults.append(
                        f"{version}, {name}: {lm.name} cannot read so long a talk as {turns.index(None) + 1} doubts"
                    )
                sheet.answered(at, right, [*said, *(one or "" for one in turns)], seconds)
                report(sheet.done, total, f"edits, {version}", result())
    if not sheet.rows:
        raise BadRequest(f"None of the {len(request.cases)} cases can be asked. {sheet.skipped[0]}")
    report(total, total, "done")
    return result()


class _Sheet:
    """What was asked and answered so far, version by version."""

    def __init__(self, request: QuizRequest, begun: QuizResult | None):
        self.request, self.versions = request, [NO_EDIT, *request.methods]
        shape = (len(self.versions), len(request.cases))
        self.done = begun.steps[0] if begun else 0
        self.seconds = begun.seconds.copy() if begun else np.full(shape, np.nan)
        self.skipped = list(begun.skipped) if begun else []
        self.faults = list(begun.faults) if begun else []
        case = begun.case.tolist() if begun else []
        self.rows = [
            (number, Asked(form, text, wanted))
            for number, form, text, wanted in zip(case, begun.forms, begun.prompts, begun.wanted, strict=True)
        ] if begun else []  # fmt: skip
        under_way, reached = divmod(self.done, len(self.versions))
        finished = sum(number < under_way for number in case)
        filled = [len(case) if at < reached else finished for at in range(len(self.versions))]
        self.right = [begun.right[at, :count].tolist() if begun else [] for at, count in enumerate(filled)]
        self.texts = [begun.texts[at][:count] if begun else [] for at, count in enumerate(filled)]

    def unedited(self, number: int, count: int) -> list[str]:
        """What was said to a case's questions without edits, where it was asked already."""
        own = [at for at, (case, _) in enumerate(self.rows) if case == number]
        return [self.texts[0][at] for at in own[:count]]

    def come_to(self, number: int, asked: Sequence[Asked]) -> None:
        """Write a case's questions down, if it is not under way."""
        if self.done == number * len(self.versions):
            self.rows += [(number, one) for one in asked]

    def skip(self, number: int, reason: str) -> None:
        """Leave a case out."""
        self.skipped.append(reason)
        self.done = (number + 1) * len(self.versions)

    def answered(self, at: int, right: list[float], texts: list[str], seconds: float) -> None:
        """Write a version's answers down."""
        self.seconds[at, self.rows[-1][0]] = seconds
        self.right[at] += right
        self.texts[at] += texts
        self.done += 1

    def refused(self, at: int, fault: str) -> None:
        """Write down why a version has no answers."""
        missing = len(self.rows) - len(self.right[at])
        self.faults.append(fault)
        self.answered(at, [float("nan")] * missing, [""] * missing, float("nan"))

    def result(self, lm: "LanguageModel", made: dict[str, Any]) -> QuizResult:
        """All of it; NaN and nothing where a version's turn has not come."""
        count = len(self.rows)
        return QuizResult(
            self.request, lm.card(), self.versions, np.array([number for number, _ in self.rows]),
            [one.form for _, one in self.rows], [one.text for _, one in self.rows],
            [one.wanted for _, one in self.rows],
            np.array([[*own, *[np.nan] * (count - len(own))] for own in self.right]),
            [[*own, *[""] * (count - len(own))] for own in self.texts], self.seconds.copy(), list(self.skipped),
            list(self.faults), made, steps=(self.done, len(self.request.cases) * len(self.versions)),
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
