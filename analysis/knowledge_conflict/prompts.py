"""Prompts in which the page says something else than the model remembers.

A conflict is a text with places for the subject {s}, the page's answer {c} and, where both speak, the
remembered answer {m}, beside the clean text that asks without a page. A corrupted prompt is the same
text with others in these places. Sentence conflicts have the form that JuICE (Li et al. 2025) says PH3
used; the other forms, and every wording, are ours.
"""

import dataclasses
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from analysis.assets import ASSETS
from analysis.errors import BadFile, BadRequest
from analysis.facts.facts import Fact
from analysis.text.boundary import behind, between, ended, joined
from analysis.text.finding import replaced, whole_words
from analysis.text.quotes import closing
from analysis.text.scripts import full_stop

Format = Literal["sentence", "reworded", "question", "paragraph", "memory_first", "page_first", "irrelevant"]
FORMATS: tuple[Format, ...] = get_args(Format)
Corruption = Literal["both", "context", "subject", "mean"]
QUESTIONS = ASSETS / "conflict" / "questions.json"


@dataclass(frozen=True)
class Conflict:
    """One prompt with two answers to choose from."""

    id: str
    relation: str
    template: str
    clean_template: str
    subject: str
    memory: str  # the remembered answer
    context: str  # the page's answer
    aliases: tuple[str, ...] = ()  # of the remembered answer

    @property
    def text(self) -> str:
        """The prompt with its page."""
        return self._filled(self.template)

    @property
    def clean(self) -> str:
        """The prompt without a page."""
        return self._filled(self.clean_template)

    def _filled(self, template: str) -> str:
        return _filled(template, {"s": self.subject, "c": self.context, "m": self.memory})

    def corrupted(self, option: Corruption, other: "tuple[str, str]", third: str) -> "Conflict":
        """The prompt about another subject (with its own object for {m}), with a third answer, or both."""
        subject, memory = other if option in ("subject", "both") else (self.subject, self.memory)
        context = third if option in ("context", "both") else self.context
        return dataclasses.replace(self, subject=subject, memory=memory, context=context)


def _sentence(template: str) -> str:
    return template.replace("{}", "{s}")


def _told(wording: str, place: str, parts: dict[str, str], stop: str | None = None) -> str:
    """A wording with a place for its answer behind it, as a sentence; what stands between them is that of `parts`."""
    asked, answer = _filled(wording, parts), _filled(place, parts)
    end = closing(asked)
    mark = full_stop(joined(asked, answer) + end) if stop is None else stop
    return f"{wording}{between(asked, answer)}{place}{end}{mark}"


def _filled(template: str, parts: dict[str, str]) -> str:
    return re.sub(r"\{([scm])\}", lambda place: parts[place[1]], template)


@cache
def questions() -> dict[str, str]:
    """A question for each relation of the assets."""
    return json.loads(QUESTIONS.read_text(encoding="utf-8"))


def conflict_of(fact: Fact, context: str, form: Format = "sentence", other: Fact | None = None) -> Conflict:
    """A stored fact contradicted by a page that says `context`; irrelevant pages are about `other`."""
    said = _sentence(fact.prompt)
    again = _sentence(fact.paraphrases[0]) if fact.paraphrases else said
    third = _sentence(fact.paraphrases[-1]) if fact.paraphrases else said
    asked = _sentence(questions().get(fact.relation, ""))
    clean = said
    if form in ("question", "paragraph") and not asked:
        raise BadRequest(f"There is no question for the relation {fact.relation}. Take the form “sentence”.")

    def told(wording: str, place: str, stop: str | None = None) -> str:
        return _told(wording, place, {"s": fact.subject, "c": context, "m": fact.object}, stop)

    if form == "sentence":
        text = behind(told(said, "{c}"), said)
    elif form == "reworded":
        text = behind(told(again, "{c}"), said)
    elif form == "question":
        clean = f"Question: {asked}\nAnswer: {said}"
        text = f"Context: {told(said, '{c}')}\n{clean}"
    elif form == "paragraph":
        clean = f"Question: {asked}\nAnswer: {said}"
        text = (
            f"{told(again, '{c}')} Every account of {{s}} speaks of {{c}}, and the older books agree. "
            f"{told(third, '{c}', stop=',')} and nobody has doubted it since.\n{clean}"
        )
    elif form == "memory_first":
        text = behind(behind(told(again, "{m}"), told(third, "{c}")), said)
    elif form == "page_first":
        text = behind(behind(told(again, "{c}"), told(third, "{m}")), said)
    else:
        if other is None:
            raise BadRequest("An irrelevant page needs another fact to be about.")
        context = other.object
        text = behind(_told(other.text, "{c}", {"c": context}), said)
    return Conflict(fact.id, fact.relation, text, clean, fact.subject, fact.object, context, fact.aliases)


def conflict_in(
    text: str, subject: str, memory: str, context: str, clean: str | None = None, name: str = ""
) -> Conflict:
    """A conflict in a text of one's own; without `clean`, what follows its last full sentence asks without the page."""
    text = ended(text)
    if clean is None:
        ends = [match.end() for match in re.finditer(r"[.!?:؟।]\s+|[。！？：]\s*", text)]
        if not ends:
            raise BadRequest(
                "The prompt has no page in front of it. Write the sentence that contradicts, a full stop, and then the "
                "beginning to be completed."
            )
        clean = text[ends[-1] :]
    for what, part in (("page’s answer", context), ("subject", subject)):
        if not part.strip():
            raise BadRequest(f"The {what} is empty. Name the words of the prompt that say it.")
        if not whole_words(text, part.strip()):
            raise BadRequest(f"The {what} “{part}” is not in the prompt. Write it as it stands there.")
    return Conflict(
        name or text,
        "",
        _marked(text, {"s": subject, "c": context}),
        _marked(clean, {"s": subject}),
        subject.strip(),
        memory.strip(),
        context.strip(),
    )


def _marked(text: str, parts: dict[str, str]) -> str:
    """The text with {s} and {c} where whole words say subject and context."""
    return replaced(text, {value.strip(): f"{{{name}}}" for name, value in parts.items()})


def generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers of an item's own, whatever is drawn for others."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def conflicts_of(facts: Sequence[Fact], pool: Iterable[Fact], form: Format, seed: int) -> list[Conflict]:
    """Each fact contradicted by another object of its relation, drawn by `seed`; never an alias of its own.

    For pages beside the point the other fact's own object is the page's answer.
    """
    by_relation: dict[str, list[Fact]] = {}
    for fact in pool:
        by_relation.setdefault(fact.relation, []).append(fact)
    found = []
    for fact in facts:
        own = {fact.object, *fact.aliases}
        others = [other for other in by_relation.get(fact.relation, []) if other.object not in own]
        objects = sorted({other.object for other in others})
        if not objects:
            continue
        random = generator(seed, fact.id)
        context = objects[random.integers(len(objects))]
        other = next(other for other in others if other.object == context)
        found.append(conflict_of(fact, context, form, other))
    return found


JUICE = ("Category", "Subject", "Answer", "Distracted Token", "Clean Prompt")
CONFLICT_QA = ("question", "memory_answer", "counter_answer", "counter_memory")


def read_conflicts(
    path: Path | str, form: Format = "sentence", skipped: list[str] | None = None
) -> tuple[Conflict, ...]:  # fmt: skip
    """Conflicts of a file in JuICE's form or ConflictQA's (JSON list, or one object a line).

    Rows with faults are left out, and told in `skipped`; `BadFile` lists them where no other is left.

    JuICE's file holds the sentence and the paragraph form; ConflictQA's evidence becomes a context before the question,
    and the words with which both answers begin are moved into the prompt.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        rows = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(x) for x in text.split("\n") if x.strip()]
        )
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{path} is not a file of conflicts ({error}).") from error
    found, problems = [], []
    for number, row in enumerate(rows):
        try:
            found.append(_read_row(row, number, form))
        except (KeyError, TypeError, ValueError, BadRequest) as error:
            problems.append(f"row {number}: {_fault(error)}")
    if not found:
        raise BadFile(f"{path} has {len(problems)} faults in {len(rows)} rows.", tuple(problems[:50]))
    if skipped is not None:
        skipped += [f"{path}, {problem}" for problem in problems]
    return tuple(found)


def _fault(error: Exception) -> str:
    return f"the field {error} is missing" if isinstance(error, KeyError) else str(error)


def _read_row(row: Any, number: int, form: Format) -> Conflict:
    if not isinstance(row, dict):
        raise ValueError("it is not an object")
    if "Distracted Token" in row:
        answers = row["Answer"] if isinstance(row["Answer"], list) else [row["Answer"]]
        text = row["Coherent Conflict" if form == "paragraph" else "Substitution Conflict"]
        named = f"{row['Category']}/{row['Subject']}"
        made = conflict_in(text, row["Subject"], answers[0], row["Distracted Token"], row["Clean Prompt"], named)
        return dataclasses.replace(made, relation=row["Category"], aliases=tuple(answers[1:]))
    for name in CONFLICT_QA:
        if not isinstance(row[name], str):
            raise ValueError(f"the field {name} is not a text")
    memory, counter = row["memory_answer"].rstrip(". ").split(), row["counter_answer"].rstrip(". ").split()
    same = next(
        (i for i, (a, b) in enumerate(zip(memory, counter, strict=False)) if a != b), min(len(memory), len(counter))
    )
    if same >= min(len(memory), len(counter)):
        raise ValueError("both answers are the same, or one begins with the other")
    clean = " ".join([f"Question: {row['question']}\nAnswer:", *memory[:same]])
    context = " ".join(counter[same:])
    text = f"Context: {row['counter_memory']}\n{clean}"
    name = f"row {number}: {row['question']}"
    return Conflict(
        name, "", _marked(text, {"c": context}), clean, "", " ".join(memory[same:]), context
    )  # without a subject: only the page's answer can be corrupted
