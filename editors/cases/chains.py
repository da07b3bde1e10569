"""Records of chains and ripples: MQuAKE (2305.14795) and RippleEdits (2307.12976)."""

from dataclasses import replace
from difflib import SequenceMatcher
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from analysis.errors import BadRequest
from editors.cases.case import Case
from editors.cases.chain_case import ChainCase, Hop
from editors.cases.record import Answer, Draft, Read, Record, Right, Text, listed, placed, plain
from editors.edit.probes import Kind, Probe
from editors.edit.request import Rewrite


class _Written(Record):
    prompt: Text
    subject: Text
    target_new: Answer
    target_true: Answer | None = None
    question: Text | None = None


class _Single(Record):
    cloze: Text
    answer: Answer
    answer_alias: Annotated[tuple[Any, ...], BeforeValidator(listed)] = ()


Aliases = Annotated[tuple[Any, ...], BeforeValidator(listed)]


class MQuAKE(Record):
    """Several facts written together, and questions that need a chain of them."""

    left: ClassVar = {
        "question": "a hop is asked by its cloze",
        "cloze": "a hop as it was before the edits; the chain asks those after them",
    }
    requested_rewrite: Annotated[tuple[_Written, ...], Field(min_length=1)]
    new_single_hops: Annotated[tuple[_Single, ...], Field(min_length=1)]
    questions: Annotated[tuple[Text, ...], Field(min_length=1)]
    answer: Answer
    new_answer: Answer
    answer_alias: Aliases = ()
    new_answer_alias: Aliases = ()

    def rewrites(self) -> tuple[Rewrite, ...]:
        """The facts to write."""
        return tuple(placed(one.prompt, one.subject, one.target_new) for one in self.requested_rewrite)

    def read(self, name: str) -> Read:
        """Questions of the whole are tests of portability, a fact's own question is a paraphrase."""
        rewrites, olds = self.rewrites(), tuple(one.target_true or "" for one in self.requested_rewrite)
        found = [
            Probe(number, "rewrite", one.text, one.target, old)
            for number, (one, old) in enumerate(zip(rewrites, olds, strict=True))
        ]
        found += [
            Probe(number, "paraphrase", one.question, one.target_new, old)
            for number, (one, old) in enumerate(zip(self.requested_rewrite, olds, strict=True))
            if one.question is not None
        ]
        before = "" if self.new_answer == self.answer else self.answer
        found += [Probe(0, "portability", text, self.new_answer, before) for text in self.questions]
        return Read(Case(rewrites, olds, tuple(found), (), name), self._chain(name), why=self.left)

    def _chain(self, name: str) -> ChainCase:
        """The same, hop by hop."""
        rewrites = self.rewrites()
        hops = tuple(
            Hop(prompt=one.cloze, answers=_named(one.answer, one.answer_alias)) for one in self.new_single_hops
        )
        asked = {rewrite.text for rewrite in rewrites}
        edited = [str(place) for place, hop in enumerate(hops, start=1) if hop.prompt.rstrip() in asked]
        return ChainCase(
            id=name,
            rewrites=rewrites,
            hops=hops,
            questions=self.questions,
            answers=_named(self.new_answer, self.new_answer_alias),
            old=_named(self.answer, self.answer_alias),
            kind=f"hop {' and '.join(edited)} of {len(hops)}" if edited else f"{len(rewrites)} of {len(hops)}",
        )


def _named(answer: str, aliases: tuple[Any, ...]) -> tuple[str, ...]:
    return (answer, *(value for value in aliases if isinstance(value, str) and value.strip()))


class _Query(Record):
    prompt: Text | None = None
    answers: Annotated[tuple[Right, ...], BeforeValidator(listed)] = ()
    subject_id: str = ""
    relation: str = ""
    target_ids: Annotated[tuple[Any, ...], BeforeValidator(listed)] = ()


class _Test(Record):
    test_queries: Annotated[tuple[_Query, ...], BeforeValidator(listed)] = ()
    condition_queries: Annotated[tuple[_Query, ...], BeforeValidator(listed)] = ()


class _Fact(Record):
    prompt: Text
    subject: Text | None = None
    target: Right = None
    subject_id: str = ""
    target_id: str = ""
    relation: str = ""


class _Edit(_Fact):
    original_fact: _Fact | None = None


Tests = Annotated[tuple[_Test, ...], BeforeValidator(listed)]
FRAME = frozenset(
    [
        "the",
        "name",
        "names",
        "of",
        "which",
        "who",
        "is",
        "are",
        "was",
        "has",
        "have",
        "in",
        "by",
        "a",
        "part",
        "member",
        "associated",
        "with",
        "plays",
        "won",
        "follows",
        "followed",
        "still",
        "alive",
        "most",
        "likely",
        "to",
        "be",
        "performed",
        "number",
        "children",
        "that",
    ]
)
"""Words of RippleEdits' sentences around their subject."""


class Ripple(Record):
    """An edit said as a sentence with its answer, and six groups of questions about what it should and should not move.

    The file names subject and target by Wikidata ids alone: the subject is the words that the sentence shares with a
    question about the same id, the target what follows it.
    """

    left: ClassVar = {"prompt": "a condition on what the model says before any edit"}
    edit: _Edit
    specificity: Tests = Field((), alias="Relation_Specificity")
    specifity: Tests = Field((), alias="Relation_Specifity")
    logic: Tests = Field((), alias="Logical_Generalization")
    aliasing: Tests = Field((), alias="Subject_Aliasing")
    hops: Tests = Field((), alias="Compositionality_I")
    hops_before: Tests = Field((), alias="Compositionality_II")
    forgetfulness: Tests = Field((), alias="Forgetfulness")
    example_type: str = ""

    def read(self, name: str) -> Read:
        """The subject's other relations and what else held should stay, all else should follow."""
        cloze, subject, target = self._parts()
        original = self.edit.original_fact
        old = "" if original is None else (original.target or _ending(original.prompt, cloze))
        draft = Draft(placed(cloze, subject, target), old, self.left)
        groups: tuple[tuple[Kind, Tests, str | None], ...] = (
            ("other", (*self.specificity, *self.specifity), None),
            ("locality", self.forgetfulness, None),
            ("portability", (*self.logic, *self.hops, *self.hops_before), ""),
        )
        for kind, tests, other in groups:
            for query in _asked(tests):
                draft.ask(kind, query.prompt or "", _first(query), other)
        for query in _asked(self.aliasing):
            same = self.edit.target_id in query.target_ids or _first(query) == target
            draft.ask("portability", query.prompt or "", _first(query), draft.old if same else "")
        within = (self.edit.prompt, *((original.prompt,) if original is not None else ()))
        return replace(draft.read(name, self.edit.relation), within=within)

    def _parts(self) -> tuple[str, str, str]:
        """The edit's sentence up to its answer, its subject, and the answer."""
        said, sentence = self.edit, self.edit.prompt.strip().removesuffix(".").rstrip()
        subject = said.subject or self._subject(sentence)
        target = said.target or next((value for value in self._targets() if sentence.endswith(value)), None)
        if target is not None and sentence.endswith(target):
            return sentence[: -len(target)].rstrip(), subject, target
        words = sentence[max(sentence.find(subject), 0) + len(subject) :].split(" ")
        frame = next((place for place, word in enumerate(words) if word and word not in FRAME), len(words))
        if frame == len(words):
            raise BadRequest(f"“{said.prompt}”: no answer is found in it")
        answer = " ".join(words[frame:])
        return sentence[: -len(answer)].rstrip(), subject, answer

    def _subject(self, sentence: str) -> str:
        shared = [
            run
            for query in self._queries()
            if query.prompt and query.subject_id == self.edit.subject_id and query.relation != self.edit.relation
            if (run := _shared(sentence, query.prompt))
        ]
        if shared:
            return max(shared, key=lambda run: (shared.count(run), len(run)))
        said = self.edit.relation.lower().replace("_", " ") or sentence
        before, there, after = sentence.partition(said)
        if there and (found := _within(before) or _within(after.removeprefix("s"))):
            return found
        raise BadRequest(f"“{self.edit.prompt}”: its subject is only named by the id {self.edit.subject_id or '–'}")

    def _queries(self) -> list[_Query]:
        groups = (self.specificity, self.specifity, self.logic, self.aliasing, self.hops, self.hops_before)
        tests = [test for group in (*groups, self.forgetfulness) for test in group]
        return [query for test in tests for query in (*test.test_queries, *test.condition_queries)]

    def _targets(self) -> list[str]:
        """What the file calls the edit's target, where a question has it for its answer."""
        return [
            value
            for query in self._queries()
            for one, value in zip(query.target_ids, map(plain, query.answers), strict=False)
            if one == self.edit.target_id and isinstance(value, str)
        ]


def _asked(tests: Tests) -> list[_Query]:
    return [query for test in tests for query in test.test_queries if query.prompt is not None]


def _first(query: _Query) -> str | None:
    """The first answer that is any."""
    return next((value for value in query.answers if isinstance(value, str) and value.strip()), None)


def _ending(sentence: str, cloze: str) -> str:
    """What a sentence says after `cloze`."""
    return sentence.removeprefix(cloze).strip().removesuffix(".") if sentence.startswith(cloze) else ""


def _shared(one: str, other: str) -> str:
    """The longest run of words two sentences share, without the frame around the subject."""
    mine, theirs = one.split(), other.removesuffix("?").split()
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    runs = [_within(" ".join(mine[block.a : block.a + block.size])) for block in blocks]
    return max(runs, key=lambda run: (any(sign.isupper() or sign.isdigit() for sign in run), len(run)))


def _within(text: str) -> str:
    """A run of words without the frame's own at its ends; the sentence's own “The” is one of them."""
    words = text.split()
    while words and (words[0] in FRAME or (words[0] == "The" and (len(words) == 1 or words[1] in FRAME))):
        words.pop(0)
    while words and words[-1] in FRAME:
        words.pop()
    return " ".join(words)
