"""Records of the field's data sets, each told by its fields and read into a case. Fields not named here are left alone.

CounterFact (2202.05262) and EVOKE's additions to it (2410.07819); SADR's merged set; MQuAKE (2305.14795); zsRE as MEND
evaluates it; KnowEdit (2401.01286) and EasyEdit's own JSON; known_1000 (2202.05262); rows of a table.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from analysis.errors import BadRequest
from analysis.tokens import find_text
from editors.case import Case, distracting
from editors.probes import Kind, Probe
from editors.reach_result import ChainCase, Hop
from editors.request import Rewrite

LONGEST = 20_000
"""Characters a prompt may have: longer ones are no prompts, and no model here reads them."""


def _plain(value: Any) -> Any:
    """Answers stand as text or, in CounterFact, as {"str": text, "id": …}; lists of one answer as that answer."""
    if isinstance(value, dict) and "str" in value:
        return value["str"]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Answer = Annotated[str, BeforeValidator(_plain), Field(min_length=1, max_length=LONGEST)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value or ())]


class Record(BaseModel):
    """A record of some data set."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    def case(self, name: str) -> Case:
        """The case it says; raises `BadRequest` where it contradicts itself."""
        raise NotImplementedError


def slotted(prompt: str, subject: str) -> str:
    """A prompt with {} in the subject's place; raises `BadRequest` where the subject is not in it."""
    if prompt.count("{}") == 1:
        return prompt
    if "{}" in prompt:
        raise BadRequest(f"“{prompt}” holds {{}} more than once")
    start, end = find_text(prompt, subject, occurrence=0)
    return f"{prompt[:start]}{{}}{prompt[end:]}"


def _made(
    name: str, relation: str, rewrite: Rewrite, old: str, probes: Iterator[tuple[Kind, str, str]],
    generation: tuple[str, ...] = (),
) -> Case:  # fmt: skip
    """A case of one fact; `probes`: kind, prompt, and the right answer of prompts that should keep theirs."""
    new = rewrite.target
    if new == old:
        raise BadRequest(f"“{rewrite.text}”: the new answer is the old one, “{new}”")
    found = [Probe(0, "rewrite", rewrite.text, new, old)]
    for kind, prompt, right in probes:
        wanted = (right, old) if kind == "portability" else (new, old if kind == "paraphrase" else right)
        if wanted[0] != wanted[1]:
            found.append(Probe(0, kind, prompt, *wanted))
    return Case((rewrite,), (old,), (*found, *distracting([rewrite], found)), generation, name, relation)


class _Asked(Record):
    prompt: Text
    subject: Text
    target_new: Answer
    target_true: Answer
    relation_id: str = ""


class _Ported(Record):
    question: Text = Field(alias="New Question")
    answer: Answer = Field(alias="New Answer")


class CounterFact(Record):
    """`requested_rewrite` with {} in its prompt; paraphrases, neighbours, and EVOKE's portability question."""

    requested_rewrite: _Asked
    paraphrase_prompts: Texts = ()
    neighborhood_prompts: Texts = ()
    generation_prompts: Texts = ()
    portability: Annotated[_Ported | None, BeforeValidator(lambda value: value or None)] = None

    def case(self, name: str) -> Case:
        """Neighbours should keep the true answer."""
        asked = self.requested_rewrite
        rewrite = Rewrite(
            prompt=slotted(asked.prompt, asked.subject), subject=asked.subject, target=asked.target_new
        )  # fmt: skip
        return _made(
            name, asked.relation_id, rewrite, asked.target_true, self._probes(), self.generation_prompts
        )  # fmt: skip

    def _probes(self) -> Iterator[tuple[Kind, str, str]]:
        yield from (("paraphrase", text, "") for text in self.paraphrase_prompts)
        yield from (("neighbour", text, self.requested_rewrite.target_true) for text in self.neighborhood_prompts)
        if self.portability is not None:
            yield "portability", self.portability.question, self.portability.answer


class _Targeted(Record):
    prompts: Texts = ()
    targets: tuple[Answer, ...] = ()

    @model_validator(mode="after")
    def _pairs(self) -> "_Targeted":
        if self.targets and len(self.targets) != len(self.prompts):
            raise ValueError(f"{len(self.prompts)} prompts have {len(self.targets)} targets")
        return self

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Prompts with their right answers."""
        return zip(self.prompts, self.targets, strict=True)


class Merged(Record):
    """SADR's merged set: the subject in place already, and prompts with their targets."""

    requested_rewrite: _Asked
    paraphrase: _Targeted = Field(_Targeted(), alias="p-paraphrase")
    neighbour: _Targeted = Field(_Targeted(), alias="l-neighbor")
    relation: _Targeted = Field(_Targeted(), alias="l-relation")
    reasoning: _Targeted = Field(_Targeted(), alias="p-reasoning")
    generation: _Targeted = _Targeted()

    def case(self, name: str) -> Case:
        """Reasoning prompts are tests of portability."""
        asked = self.requested_rewrite
        rewrite = Rewrite(prompt=slotted(asked.prompt, asked.subject), subject=asked.subject, target=asked.target_new)
        return _made(name, asked.relation_id, rewrite, asked.target_true, self._probes(), self.generation.prompts)

    def _probes(self) -> Iterator[tuple[Kind, str, str]]:
        yield from (("paraphrase", text, "") for text in self.paraphrase.prompts)
        yield from (("neighbour", *pair) for pair in self.neighbour.pairs())
        yield from (("other", *pair) for pair in self.relation.pairs())
        yield from (("portability", *pair) for pair in self.reasoning.pairs() if self.reasoning.targets)


class _Written(Record):
    prompt: Text
    subject: Text
    target_new: Answer
    target_true: Answer | None = None


class _Single(Record):
    cloze: Text
    answer: Text
    answer_alias: tuple[Any, ...] = ()


class MQuAKE(Record):
    """Several facts written together, and questions that need a chain of them."""

    requested_rewrite: Annotated[tuple[_Written, ...], Field(min_length=1)]
    new_single_hops: Annotated[tuple[_Single, ...], Field(min_length=1)]
    questions: Annotated[tuple[Text, ...], Field(min_length=1)]
    answer: Text
    new_answer: Text
    answer_alias: tuple[Any, ...] = ()
    new_answer_alias: tuple[Any, ...] = ()

    def rewrites(self) -> tuple[Rewrite, ...]:
        """The facts to write."""
        return tuple(
            Rewrite(prompt=slotted(one.prompt, one.subject), subject=one.subject, target=one.target_new)
            for one in self.requested_rewrite
        )

    def case(self, name: str) -> Case:
        """Questions are tests of portability."""
        rewrites, olds = self.rewrites(), tuple(one.target_true or "" for one in self.requested_rewrite)
        found = [
            Probe(number, "rewrite", one.text, one.target, old)
            for number, (one, old) in enumerate(zip(rewrites, olds, strict=True))
        ]
        if self.new_answer != self.answer:
            found += [Probe(0, "portability", text, self.new_answer, self.answer) for text in self.questions]
        return Case(rewrites, olds, tuple(found), (), name)

    def chain(self, name: str) -> ChainCase:
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


class ZsRE(Record):
    """MEND's evaluation form: a question, its answer, a rephrasing, and a question about something else."""

    subject: Text
    src: Text
    answers: Annotated[tuple[Answer, ...], Field(min_length=1)]
    rephrase: Text | None = None
    loc: Text | None = None
    loc_ans: Answer | None = None

    def case(self, name: str) -> Case:
        """ROME's reading: the first answer is the target; the other question is asked as “nq question: …?”."""
        target = self.answers[0]
        rewrite = Rewrite(prompt=slotted(self.src, self.subject), subject=self.subject, target=target)
        return _made(name, "", rewrite, "", self._probes())

    def _probes(self) -> Iterator[tuple[Kind, str, str]]:
        if self.rephrase is not None:
            yield "paraphrase", self.rephrase, ""
        if self.loc is not None and self.loc_ans is not None:
            text = self.loc if self.loc.startswith("nq question") else f"nq question: {self.loc}?"
            yield "locality", text, self.loc_ans


class _Point(Record):
    prompt: Text
    ground_truth: Any = None

    def right(self) -> str | None:
        """The first of the right answers, however deep they are listed."""
        value = self.ground_truth
        while isinstance(value, list) and value:
            value = value[0]
        return value if isinstance(value, str) and value.strip() else None


Points = dict[
    str,
    Annotated[tuple[_Point, ...], BeforeValidator(lambda v: _points(v))],
]


def _points(value: Any) -> Any:
    """Prompts as a list of records, as one record, or as one record of lists side by side."""
    if isinstance(value, dict):
        prompt, truth = value.get("prompt"), value.get("ground_truth")
        if isinstance(prompt, list) and isinstance(truth, list):
            return [{"prompt": p, "ground_truth": t} for p, t in zip(prompt, truth, strict=False)]
        return [value]
    return value


class EasyEdit(Record):
    """KnowEdit and EasyEdit's own JSON: portability and locality by name."""

    prompt: Text
    subject: Text
    target_new: Answer
    ground_truth: Any = None
    rephrase: Texts = Field((), alias="rephrase_prompt")
    rephrases: Texts = Field((), alias="rephrase")
    portability: Points = {}
    locality: Points = {}

    def case(self, name: str) -> Case:
        """An aliased subject, reasoning and the like are portability, all that should stay is locality."""
        rewrite = Rewrite(prompt=slotted(self.prompt, self.subject), subject=self.subject, target=self.target_new)
        old = _Point(prompt=self.prompt, ground_truth=self.ground_truth).right() or ""
        return _made(name, "", rewrite, "" if old == self.target_new else old, self._probes())

    def _probes(self) -> Iterator[tuple[Kind, str, str]]:
        yield from (("paraphrase", text, "") for text in (*self.rephrase, *self.rephrases))
        for kind, groups in (("portability", self.portability), ("locality", self.locality)):
            for points in groups.values():
                for point in points:
                    if (right := point.right()) is not None:
                        yield kind, point.prompt, right  # type: ignore[misc]


class Known(Record):
    """known_1000: a prompt and its attribute; what is written is another attribute of the relation."""

    subject: Text
    attribute: Answer
    template: Text
    prompt: Text | None = None
    relation_id: str = ""
    target_new: Answer | None = None

    def case(self, name: str) -> Case:
        """Raises `BadRequest` where the relation has no other attribute."""
        if self.target_new is None:
            raise BadRequest(f"no other record has relation {self.relation_id} and another attribute, to be written")
        rewrite = Rewrite(prompt=slotted(self.template, self.subject), subject=self.subject, target=self.target_new)
        return _made(name, self.relation_id, rewrite, self.attribute.strip(), iter(()))


class Row(Record):
    """A row of a table; several prompts in one cell are parted by |, a neighbour's answer follows =>."""

    prompt: Text
    subject: Text
    target: Answer
    old: str = ""
    relation: str = ""
    paraphrases: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @field_validator("paraphrases", "neighbours", "others", mode="before")
    @classmethod
    def _parted(cls, cell: Any) -> Any:
        return tuple(part.strip() for part in cell.split("|") if part.strip()) if isinstance(cell, str) else cell

    def case(self, name: str) -> Case:
        """A neighbour without an answer should keep the old one."""
        rewrite = Rewrite(prompt=slotted(self.prompt, self.subject), subject=self.subject, target=self.target)
        return _made(name, self.relation, rewrite, self.old.strip(), self._probes())

    def _probes(self) -> Iterator[tuple[Kind, str, str]]:
        yield from (("paraphrase", text, "") for text in self.paraphrases)
        kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (("neighbour", self.neighbours), ("other", self.others))
        for kind, cells in kinds:
            for cell in cells:
                text, _, right = (part.strip() for part in cell.partition("=>"))
                if not right and not (right := self.old.strip()):
                    raise BadRequest(f"“{text}” has no answer: write it as “prompt => answer”, or fill the column old")
                yield kind, text, right
