"""Records that ask without a fact to write, and tables of questions: TOFU, MUSE, ConflictQA, HalluEditBench."""

import re
from ast import literal_eval
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from editors.cases.question import Purpose, Question
from editors.cases.record import Answer, Draft, Read, Record, Right, Text, Texts, listed, placed

Answers = Annotated[tuple[Answer, ...], BeforeValidator(listed)]
Passage = Annotated[str, Field(min_length=1)]
STAYS = re.compile(r"retain|keep|locality|real_?author|world_?fact", re.IGNORECASE)
UNSEEN = re.compile(r"hold_?out", re.IGNORECASE)


def purpose_of(where: str) -> Purpose:
    """What a file or a part of it is for, by its name: TOFU and MUSE say it nowhere else."""
    return "holdout" if UNSEEN.search(where) else "retain" if STAYS.search(where) else "forget"


class Asked(Record):
    """A question with its answer: TOFU, MUSE's knowledge, KnowEdit's Sanitation."""

    question: Text
    answer: Answer = Field(alias="answer")
    where: str = ""
    paraphrased_question: Texts = ()
    paraphrased_answer: Answers = ()
    perturbed_answer: Answers = ()
    target_new: Answer | None = None

    def read(self, name: str) -> Read:
        """A new answer, such as “I don't know.”, is one it should be told from."""
        wrong = (*self.perturbed_answer, *((self.target_new,) if self.target_new else ()))
        return Read(
            question=Question(
                purpose_of(self.where), self.question, self.answer, self.paraphrased_question, self.paraphrased_answer,
                wrong, id=name,
            )
        )  # fmt: skip


class Sanitation(Asked):
    """KnowEdit's Sanitation: the answer to forget stands as `ground_truth`."""

    answer: Answer = Field(alias="ground_truth")


class Verbatim(Record):
    """MUSE: a piece of text and how it goes on."""

    prompt: Passage
    gt: Passage
    where: str = ""

    def read(self, name: str) -> Read:
        """Both as they stand."""
        return Read(question=Question(purpose_of(self.where), self.prompt, self.gt, id=name))


class Raw(Record):
    """A passage to forget or keep as it stands."""

    text: Passage
    where: str = ""

    def read(self, name: str) -> Read:
        """A passage has no answer."""
        return Read(question=Question(purpose_of(self.where), self.text, id=name))


POPQA = tuple(
    re.compile(f"^{frame.replace('~', '(.+?)')}$")
    for frame in (
        r"What is ~'s occupation\?", r"In what city was ~ born\?", r"What genre is ~\?", r"In what country is ~\?",
        r"Who is the (?:father|mother|author) of ~\?", r"Who was the (?:producer|director|composer) of ~\?",
        r"Who was the screenwriter for ~\?", r"What is ~ the capital of\?", r"What color is ~\?",
        r"What is the (?:religion|capital) of ~\?", r"What sport does ~ play\?",
    )
)  # fmt: skip
"""The sixteen ways in which PopQA (2212.10511) asks, ~ for the subject."""


class ConflictQA(Record):
    """What a model remembers, what pages say against it. PopQA's questions are also facts to write over."""

    question: Text
    memory_answer: Answer
    counter_answer: Answer
    ground_truth: Answers = ()
    parametric_memory: Right = None
    counter_memory: Right = None
    parametric_memory_aligned_evidence: Right = None
    counter_memory_aligned_evidence: Right = None

    def read(self, name: str) -> Read:
        """StrategyQA's yes-or-no questions have no one subject: they stay questions."""
        pages = (
            self.parametric_memory, self.counter_memory,
            self.parametric_memory_aligned_evidence, self.counter_memory_aligned_evidence,
        )  # fmt: skip
        asked = Question(
            "conflict", self.question, self.memory_answer, right=self.ground_truth, wrong=(self.counter_answer,),
            pages=tuple(page for page in pages if isinstance(page, str)), id=name,
        )  # fmt: skip
        subject = next((found[1] for frame in POPQA if (found := frame.match(self.question))), None)
        if subject is None or self.memory_answer.strip() == self.counter_answer.strip():
            return Read(question=asked)
        draft = Draft(placed(self.question, subject, self.counter_answer), self.memory_answer)
        return Read(draft.read(name).case, question=asked)


class HalluEdit(Record):
    """A row of HalluEditBench's tables (2410.16251): a fact a model got wrong, asked in many forms and hops on."""

    model_config = Record.model_config | {"extra": "allow"}
    left: ClassVar = {
        "locality_question": "no right answer is given: it is meant to be compared with what the model says before",
    }
    subject: Text
    object: Answer
    question: Text
    relation: str = ""
    paraphrased_question: Texts = ()
    multiple_choice_with_letters: Text | None = None
    multiple_choice_labels: Right = None
    multiple_choices: str = ""
    yes_question: Text | None = None
    no_question: Text | None = None
    locality_question: Text | None = None
    reversed_relation_question: Text | None = None

    def read(self, name: str) -> Read:
        """The wrong answer that stood there is what the table's model said."""
        more = {key: value for key, value in (self.model_extra or {}).items() if isinstance(value, str)}
        said = next((value for key, value in more.items() if key.startswith("output_")), "")
        draft = Draft(
            placed(self.question, self.subject, self.object),
            "" if said.strip().casefold() == self.object.strip().casefold() else said,
            self.left,
        )
        draft.reword(*self.paraphrased_question)
        forms: tuple[tuple[str | None, Any, str], ...] = (
            (self.yes_question, "Yes", "No"),
            (self.no_question, "No", "Yes"),
            (self._choice(), self.multiple_choice_labels, self._letter(said)),
            (self.reversed_relation_question, self.subject, ""),
            *((value, more.get(f"answer_{key.removeprefix('question_')}"), "")
              for key, value in more.items() if key.startswith("question_")),
        )  # fmt: skip
        for text, right, other in forms:
            if text is not None and text.strip():
                draft.ask("portability", text, right, other)
        within = (self.multiple_choice_with_letters or "",) if self._choice() is not None else ()
        return replace(draft.read(name, self.relation), within=within)

    def _choice(self) -> str | None:
        """The choices stand without their question."""
        choices = self.multiple_choice_with_letters
        return None if choices is None or self.multiple_choice_labels is None else f"{self.question} {choices}"

    def _letter(self, said: str) -> str:
        """The letter of the wrong answer among the choices."""
        try:
            choices = literal_eval(self.multiple_choices)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return ""
        if said not in choices or self.multiple_choice_with_letters is None:
            return ""
        found = re.search(rf"\b([A-Z])\. {re.escape(said)}(?=\s\s|\s*$)", self.multiple_choice_with_letters)
        return found[1] if found else ""
