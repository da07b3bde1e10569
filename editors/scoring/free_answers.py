"""Asking a question freely: as it is, behind worked examples, or with its thoughts; and whether an answer is right.

The model goes on by itself, greedily, to its own end, a line's end, or so many tokens: nothing of the answer is given
away, neither its beginning nor its length (2502.11177).
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter

from analysis.assets import ASSETS
from analysis.forward.generation import texts_after
from analysis.text.boundary import plain
from analysis.text.finding import begins_with
from analysis.text.thinking import answer_in

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

OWN = ASSETS / "chains" / "demonstrations.json"
SHOWN, SHOWN_THINKING = 4, 5
"""Worked examples before a question; MQuAKE puts five before one with thoughts."""
THINKING = 48
"""Tokens that thoughts and answer may take beyond the answer's own."""


class Demonstration(BaseModel):
    """A two-hop question worked out, as a question and as a sentence to end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cloze: str
    question: str
    thoughts: str
    answer: str
    about: tuple[str, ...]


@lru_cache(maxsize=1)
def demonstrations() -> tuple[Demonstration, ...]:
    """The worked examples of the assets."""
    return tuple(TypeAdapter(list[Demonstration]).validate_python(json.loads(OWN.read_text(encoding="utf-8"))))


def said_to(lm: "LanguageModel", questions: Sequence[str], tokens: int, names: Sequence[Iterable[str]]) -> list[str]:
    """What the model says to each question; a sentence to end is gone on with as it stands.

    `names`: what each is about, kept out of its examples.
    """
    prompts = [_shown(question, about) for question, about in zip(questions, names, strict=True)]
    return [first_line(text) for text in texts_after(lm, prompts, tokens, over=line_over)]


def thought_to(
    lm: "LanguageModel", questions: Sequence[str], tokens: int, names: Sequence[Iterable[str]]
) -> list[tuple[str, str]]:
    """What the model thinks and then answers to each, behind five worked examples; one it never comes to is empty."""
    prompts = [_thinking(question, about) for question, about in zip(questions, names, strict=True)]
    found = []
    for text in texts_after(lm, prompts, tokens + THINKING, over=_thought_over):
        thoughts, _, answer = text.partition("Question:")[0].partition("Answer:")
        found.append((thoughts.strip(), answer.strip().partition("\n")[0]))
    return found


def line_over(text: str) -> bool:
    """Whether a line was said and ended, thoughts left out."""
    return "\n" in answer_in(text).lstrip()


def first_line(text: str) -> str:
    """The first line that says anything, thoughts left out; none where they never ended."""
    return answer_in(text).strip().partition("\n")[0]


def _shown(question: str, about: Iterable[str]) -> str:
    if not question.rstrip().endswith("?"):
        return question
    shown = [f"Question: {one.question}\nAnswer: {one.answer}" for one in _beside(about)[:SHOWN]]
    return "\n\n".join([*shown, f"Question: {question.strip()}\nAnswer:"])


def _thinking(question: str, about: Iterable[str]) -> str:
    cloze = not question.rstrip().endswith("?")
    shown = [
        f"{_put(one.cloze if cloze else one.question)}\nThoughts: {one.thoughts}\nAnswer: {one.answer}"
        for one in _beside(about)[:SHOWN_THINKING]
    ]
    return "\n\n".join([*shown, f"{_put(question)}\nThoughts:"])


def _thought_over(text: str) -> bool:
    return "\n" in text.partition("Answer:")[2].lstrip() or "\n\n" in text or "Question:" in text


def right(said: str, answers: Sequence[str]) -> bool:
    """Whether what is said begins with one of the answers, whole words, whatever the case of letters."""
    text = _bare(said)
    return any(begins_with(text, _bare(plain(answer))) for answer in answers)


def _bare(text: str) -> str:
    return text.strip().casefold().lstrip("“\"'").removeprefix("the ")


def _put(question: str) -> str:
    question = question.strip()
    return f"Question: {question}" if question.endswith("?") else f"Question: {question} …?"


def _beside(names: Iterable[str]) -> list[Demonstration]:
    """Examples that name nothing a question is about."""
    wanted = [name.casefold() for name in names]
    return [
        one
        for one in demonstrations()
        if not any(own.casefold() in name or name in own.casefold() for own in one.about for name in wanted)
    ]
