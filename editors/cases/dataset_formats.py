"""Records that ask one fact, each told by its fields and read into a case.

CounterFact (2202.05262) with EVOKE's additions and its set of subjects (2410.07819); SADR's merged set (2502.14838);
zsRE as MEND evaluates it; KnowEdit (2401.01286) and EasyEdit's own JSON; WikiBigEdit (2503.05683); known_1000
(2202.05262); relations of LRE (2308.09124); rows of a table.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from analysis.errors import BadRequest
from editors.cases.prompts import bare
from editors.cases.record import GIVE_ONE, Answer, Draft, Read, Record, Right, Text, Texts, listed, placed, plain

SAME_FACT = "the fact to write once more, as the template or condition it was made from"
AUGMENTING = "a prompt to train by, not to test by (LTI)"
ALREADY = "its right answer is the new answer before the edit too"


class _Asked(Record):
    prompt: Text
    subject: Text
    target_new: Answer
    target_true: Answer | None = None
    relation_id: str = ""

    def draft(self, why: Any = None) -> Draft:
        """The fact to write over its true answer."""
        return Draft(placed(self.prompt, self.subject, self.target_new), self.target_true or "", why)


class _Ported(Record):
    """EVOKE's and EasyEdit's question whose answer follows from the edit."""

    question: Text = Field(alias="New Question")
    answer: Answer = Field(alias="New Answer")
    original: Answer | None = Field(None, alias="Original Answer")


def _absent(value: Any) -> Any:
    """An empty block, or one whose every field is null, is no block."""
    filled = isinstance(value, dict) and any(one not in (None, "") for one in value.values())
    return value if filled or not isinstance(value, dict) else None


Ported = Annotated[_Ported | None, BeforeValidator(_absent)]


class _Specific(Record):
    prompt: Text
    answer: Right = None


class CounterFact(Record):
    """`requested_rewrite` with {} in its prompt; paraphrases, neighbours, and what EVOKE adds."""

    left: ClassVar = {
        "attribute_prompts": ALREADY,
        "data_augmentation_prompt_para": AUGMENTING,
        "data_augmentation_prompt_rel": AUGMENTING,
    }
    requested_rewrite: _Asked
    paraphrase_prompts: Texts = ()
    neighborhood_prompts: Texts = ()
    generation_prompts: Texts = ()
    portability: Ported = None
    prefix_distraction: Texts = ()
    relation_specificity: Annotated[_Specific | None, BeforeValidator(_absent)] = None

    def read(self, name: str) -> Read:
        """Neighbours should keep the true answer, the subject's other relation its own."""
        asked = self.requested_rewrite
        draft = asked.draft(self.left)
        draft.reword(*self.paraphrase_prompts)
        for text in self.neighborhood_prompts:
            draft.ask("neighbour", text, asked.target_true)
        for text in self.prefix_distraction:
            draft.ask("distracting", text, asked.target_true)
        if self.relation_specificity is not None:
            draft.ask("other", self.relation_specificity.prompt, self.relation_specificity.answer)
        if (moved := self.portability) is not None:
            draft.ask("portability", moved.question, moved.answer, moved.original or "")
        return draft.read(name, asked.relation_id, self.generation_prompts)


class _Targeted(Record):
    prompts: Texts = ()
    targets: Annotated[tuple[Answer, ...], BeforeValidator(listed)] = ()

    @model_validator(mode="after")
    def _pairs(self) -> "_Targeted":
        if self.targets and len(self.targets) != len(self.prompts):
            raise ValueError(f"{len(self.prompts)} prompts have {len(self.targets)} targets")
        return self

    def pairs(self) -> Iterator[tuple[str, str | None]]:
        """Prompts with their right answers."""
        return zip(self.prompts, self.targets or (None,) * len(self.prompts), strict=True)


class _Sensible(Record):
    prompts: Texts = ()
    right: Right = None
    wrong: Right = None


class Merged(Record):
    """SADR's merged set: the subject in place already, and prompts with their targets."""

    requested_rewrite: _Asked
    paraphrase: _Targeted = Field(_Targeted(), alias="p-paraphrase")
    alias: _Targeted = Field(_Targeted(), alias="p-subject_alias")
    reasoning: _Targeted = Field(_Targeted(), alias="p-reasoning")
    neighbour: _Targeted = Field(_Targeted(), alias="l-neighbor")
    relation: _Targeted = Field(_Targeted(), alias="l-relation")
    sense: _Sensible = Field(_Sensible(), alias="o-commonsense")
    generation: _Targeted = _Targeted()

    def read(self, name: str) -> Read:
        """Reasoning and the subject by another name are tests of portability, common sense of locality."""
        asked = self.requested_rewrite
        draft = asked.draft()
        draft.reword(*self.paraphrase.prompts)
        for text, right in self.neighbour.pairs():
            draft.ask("neighbour", text, right)
        for text, right in self.relation.pairs():
            draft.ask("other", text, right)
        for text, right in self.reasoning.pairs():
            draft.ask("portability", text, right)
        for text, right in self.alias.pairs():
            draft.ask("portability", text, right, draft.old if right == asked.target_new else "")
        for text in self.sense.prompts:
            draft.ask("locality", text, self.sense.right, self.sense.wrong)
        return draft.read(name, asked.relation_id, self.generation.prompts)


class ZsRE(Record):
    """MEND's evaluation form: a question, its answer, a rephrasing, and a question about something else."""

    left: ClassVar = {"cond": SAME_FACT}
    subject: Text
    src: Text
    answers: Annotated[tuple[Answer, ...], Field(min_length=1)]
    alt: Answer | None = None
    rephrase: Texts = ()
    loc: Text | None = None
    loc_ans: Right = None
    portability: Ported = None

    def read(self, name: str) -> Read:
        """ROME's reading: the first answer is the target; the other question is asked as “nq question: …?”.

        With EasyEdit's question of portability, which follows from `alt`, that is the target.
        """
        moved = self.portability
        target, old = (self.alt, self.answers[0]) if moved is not None and self.alt else (self.answers[0], "")
        draft = Draft(placed(self.src, self.subject, target), old, self.left)
        draft.reword(*self.rephrase)
        if self.loc is not None:
            draft.ask("locality", f"nq question: {bare(self.loc)}?", self.loc_ans)
        if moved is not None:
            draft.ask("portability", moved.question, moved.answer, moved.original or "")
        return draft.read(name)


class _Point(Record):
    prompt: Text | None = None
    ground_truth: Right = None


def _points(value: Any) -> Any:
    """Prompts as a list of records, as one record, or as one record of lists side by side."""
    if not isinstance(value, dict):
        return value or ()
    prompt, truth = value.get("prompt"), value.get("ground_truth")
    if not isinstance(prompt, list):
        return [value]
    answers = truth if isinstance(truth, list) else [truth] * len(prompt)
    if len(prompt) != len(answers):
        raise ValueError(f"{len(prompt)} prompts have {len(answers)} answers")
    return [{"prompt": p, "ground_truth": t} for p, t in zip(prompt, answers, strict=True)]


Points = dict[str, Annotated[tuple[_Point, ...], BeforeValidator(_points)]]


def _blocks(value: Any) -> Any:
    """By name; EasyEdit's portability in EVOKE's words is one question."""
    if isinstance(value, dict) and "New Question" in value:
        return {"portability": [{"prompt": value["New Question"], "ground_truth": value.get("New Answer")}]}
    return value


class EasyEdit(Record):
    """KnowEdit and EasyEdit's own JSON: portability and locality by name, or one of each beside the prompt."""

    left: ClassVar = {"cond": SAME_FACT}
    prompt: Text = Field(alias="prompt")
    subject: Text
    target_new: Answer
    ground_truth: Right = None
    rephrase: Texts = Field((), alias="rephrase_prompt")
    rephrases: Texts = Field((), alias="rephrase")
    portability: Annotated[Points, BeforeValidator(_blocks)] = Field(default_factory=dict)
    locality: Points = Field(default_factory=dict)
    portability_prompt: Texts = ()
    portability_ground_truth: Any = None
    locality_prompt: Texts = ()
    locality_ground_truth: Any = None

    def read(self, name: str) -> Read:
        """An aliased subject, reasoning and the like are portability, all that should stay is locality."""
        old = self.ground_truth if isinstance(self.ground_truth, str) else ""
        draft = Draft(
            placed(self.prompt, self.subject, self.target_new), "" if old.strip() == self.target_new else old, self.left
        )
        draft.reword(*self.rephrase, *self.rephrases)
        for group, points in self.portability.items():
            for point in points:
                aliased = "alias" in group.casefold() and point.ground_truth == self.target_new
                self._ask(draft, "portability", point, draft.old if aliased else "")
        for points in self.locality.values():
            for point in points:
                self._ask(draft, "locality", point, None)
        for text, right in _beside(self.portability_prompt, self.portability_ground_truth):
            draft.ask("portability", text, right)
        for text, right in _beside(self.locality_prompt, self.locality_ground_truth):
            draft.ask("locality", text, right)
        return draft.read(name)

    @staticmethod
    def _ask(draft: Draft, kind: Any, point: _Point, other: str | None) -> None:
        if point.prompt is not None:
            draft.ask(kind, point.prompt, point.ground_truth, other)


def _beside(prompts: tuple[str, ...], answers: Any) -> Iterator[tuple[str, Any]]:
    """Prompts with answers that stand beside them: a list of as many, or one for all."""
    each = answers if isinstance(answers, list) and len(answers) == len(prompts) > 1 else [answers] * len(prompts)
    return zip(prompts, (plain(one) for one in each), strict=True)


class WikiBio(Record):
    """KnowEdit's passages: the next sentence about a person is the target, however long."""

    text: Text
    labels: Answer
    concept: Text
    locality: Points = Field(default_factory=dict)

    def read(self, name: str) -> Read:
        """The concept stands in small letters; the passage's own are taken."""
        draft = Draft(placed(self.text, self.concept, self.labels))
        for points in self.locality.values():
            for point in points:
                EasyEdit._ask(draft, "locality", point, None)
        return draft.read(name)


class WikiBigEdit(Record):
    """A question and its new answer; the same in other words and voices, a hop on, and about something else."""

    model_config = Record.model_config | {"extra": "allow"}
    update: Text
    subject: Text
    ans: Answer
    rephrase: Texts = ()
    mhop: Text | None = None
    mhop_ans: Right = None
    loc: Text | None = None
    loc_ans: Right = None

    def read(self, name: str) -> Read:
        """Voices (`personas`, `personas_…`) are other words."""
        draft = Draft(placed(self.update, self.subject, self.ans))
        draft.reword(*self.rephrase)
        for key, value in (self.model_extra or {}).items():
            voices = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            if key.startswith("personas"):
                draft.reword(*(text for text in voices if isinstance(text, str) and text.strip()))
        if self.mhop is not None:
            draft.ask("portability", self.mhop, self.mhop_ans)
        if self.loc is not None:
            draft.ask("locality", self.loc, self.loc_ans)
        return draft.read(name)


class Known(Record):
    """known_1000: the prompt as the model went on with the template, and the attribute it then said.

    What is written over it is another attribute of the relation, put in as `target_new`.
    """

    left: ClassVar = {"template": SAME_FACT}
    subject: Text
    attribute: Answer
    template: Text | None = None
    prompt: Text | None = None
    relation_id: str = ""
    target_new: Answer | None = None

    def read(self, name: str) -> Read:
        """Raises `BadRequest` where there is no other attribute."""
        if (text := self.prompt or self.template) is None:
            raise BadRequest("it has neither prompt nor template")
        if self.target_new is None:
            raise BadRequest(no_answer(self.relation_id, "attribute"))
        draft = Draft(placed(text, self.subject, self.target_new), self.attribute, self.left)
        return draft.read(name, self.relation_id)


class OfRelation(Record):
    """A sample of a relation as the data of Linear Relational Embeddings have it: an object for each subject."""

    subject: Text
    object: Answer
    relation_id: str = ""
    prompt_templates: Annotated[Texts, Field(min_length=1)]
    prompt_templates_zs: Texts = ()
    target_new: Answer | None = None

    def read(self, name: str) -> Read:
        """The first template is the prompt, the others are paraphrases."""
        if self.target_new is None:
            raise BadRequest(no_answer(self.relation_id, "object"))
        first, *others = self.prompt_templates
        draft = Draft(placed(first, self.subject, self.target_new), self.object)
        draft.reword(*(text.replace("{}", self.subject) for text in (*others, *self.prompt_templates_zs)))
        return draft.read(name, self.relation_id)


def no_answer(relation: str, what: str) -> str:
    """Why a record without a new answer cannot be written."""
    if not relation:
        return f"it says neither a new answer nor a relation whose other {what} could be one; {GIVE_ONE}"
    return f"no other record has relation {relation} and another {what}, to be written; {GIVE_ONE}"


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

    def read(self, name: str) -> Read:
        """A neighbour without an answer should keep the old one."""
        draft = Draft(placed(self.prompt, self.subject, self.target), self.old)
        draft.reword(*self.paraphrases)
        for text, right in _answered(self.neighbours, self.old):
            draft.ask("neighbour", text, right)
        for text, right in _answered(self.others, self.old):
            draft.ask("other", text, right)
        return draft.read(name, self.relation)


def _answered(cells: tuple[str, ...], old: str) -> Iterator[tuple[str, str]]:
    for cell in cells:
        text, _, right = (part.strip() for part in cell.partition("=>"))
        if not right and not (right := old.strip()):
            raise BadRequest(f"“{text}” has no answer: write it as “prompt => answer”, or fill the column old")
        yield text, right
