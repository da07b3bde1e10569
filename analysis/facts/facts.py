"""Facts to trace, edit and be wrong about, with the wordings that test them.

The project ships facts of its own writing; any file of the same form can take their place.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from analysis.assets import ASSETS
from analysis.errors import BadFile, BadRequest
from analysis.text.framing import Prompted

OWN_FACTS = ASSETS / "facts" / "facts.json"


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Neighbour(_Plain):
    """A prompt about another subject of the same relation, to see whether an edit spills over."""

    prompt: str
    subject: str
    object: str
    same_object: bool = False

    @property
    def text(self) -> str:
        """The prompt with its subject in place."""
        return self.prompt.replace("{}", self.subject)


class Other(_Plain):
    """Another relation of the same subject."""

    prompt: str
    object: str


class Fact(_Plain):
    """Subject, prompt with one `{}`, object, and the prompts that test an edit of it."""

    id: str
    relation: str
    subject: str
    object: str
    prompt: str
    aliases: tuple[str, ...] = ()
    paraphrases: tuple[str, ...] = ()
    generation: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    others: tuple[Other, ...] = ()

    @field_validator("prompt", "paraphrases", "generation")
    @classmethod
    def _one_slot(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for template in [value] if isinstance(value, str) else value:
            if template.count("{}") != 1:
                raise ValueError(f"“{template}” must hold {{}} exactly once, in place of the subject")
        return value

    @cached_property
    def text(self) -> str:
        """The prompt with its subject in place."""
        return self.prompt.replace("{}", self.subject)


@lru_cache(maxsize=4)
def read_facts(path: Path | str = OWN_FACTS) -> tuple[Fact, ...]:
    """Facts of a file, relation defaults filled in; `BadFile` lists every fault with its place."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{path} is not a facts file: {type(error).__name__}: {error}") from error
    return facts_from(data, str(path))


def facts_from(data: Any, name: str) -> tuple[Fact, ...]:
    """Facts of the data of a file of this name; `BadFile` lists every fault with its place."""
    try:
        relations = [(name, group, list(group.get("facts", []))) for name, group in data["relations"].items()]
    except (KeyError, TypeError, AttributeError) as error:
        raise BadFile(f"{name} is not a facts file: {type(error).__name__}: {error}") from error
    facts, problems = [], []
    seen: set[str] = set()
    for relation, group, entries in relations:
        defaults = {name: group[name] for name in ("prompt", "paraphrases", "generation") if name in group}
        for row, entry in enumerate(entries):
            try:
                fact = Fact(**{**defaults, **entry, "relation": relation})
            except (ValidationError, TypeError) as error:
                faults = error.errors() if isinstance(error, ValidationError) else [{"msg": str(error), "loc": ()}]
                problems += [f"{relation}, fact {row}: {'.'.join(map(str, f['loc']))} {f['msg']}" for f in faults]
                continue
            if fact.id in seen:
                problems.append(f"{relation}, fact {row}: the id {fact.id} occurs twice")
            seen.add(fact.id)
            facts.append(fact)
    if problems:
        raise BadFile(f"{name} has {len(problems)} faults.", tuple(problems))
    return tuple(facts)


def choose(facts: Iterable[Fact], relations: Iterable[str] = ()) -> tuple[Fact, ...]:
    """Facts of the named relations, all when none is named."""
    facts, wanted = tuple(facts), set(relations)
    known = {fact.relation for fact in facts}
    if wanted - known:
        raise BadRequest(
            f"There is no relation {', '.join(sorted(wanted - known))}. There are: {', '.join(sorted(known))}."
        )
    return tuple(fact for fact in facts if not wanted or fact.relation in wanted)


def another_object(fact: Fact) -> str:
    """Another object of the fact's relation, the same each time: an answer to write over it; its own if it is alone."""
    others = sorted({other.object for other in read_facts() if other.relation == fact.relation} - {fact.object})
    return others[sum(map(ord, fact.id)) % len(others)] if others else fact.object


class OfRelation(Protocol):
    """A fact, or a case made of one."""

    @property
    def relation(self) -> str:
        """What is said of the subject."""
        ...


Sorted = TypeVar("Sorted", bound=OfRelation)


def in_turn(items: Iterable[Sorted]) -> list[Sorted]:
    """Reordered so that relations alternate: any first part of the list is a mixture."""
    by_relation: dict[str, list[Sorted]] = {}
    for item in items:
        by_relation.setdefault(item.relation, []).append(item)
    longest = max(map(len, by_relation.values()), default=0)
    return [group[i] for i in range(longest) for group in by_relation.values() if i < len(group)]


class KnownRequest(Prompted):
    """Which facts does the model know?"""

    relations: tuple[str, ...] = Field((), description="relations to ask; all when empty")


@dataclass(frozen=True)
class KnownResult:
    """One row a fact: how probable its object is and what the model says first.

    Objects of several tokens are judged by their first token.
    """

    units: ClassVar[dict[str, str]] = {"probability": "probability", "correct": "yes or no"}
    request: KnownRequest
    model: dict[str, Any]
    ids: list[str]
    prompts: list[str]
    objects: list[str]
    probability: np.ndarray  # (facts,) of the object's first token
    said: list[str]  # what the model says first
    correct: np.ndarray  # (facts,) bool: argmax is the object's first token
    skipped: list[str]  # facts this tokenizer cannot place, with the reason

    def known(self, at_least: float = 0.0) -> list[str]:
        """Ids of the facts whose object is the argmax with at least this probability."""
        return [
            i for i, right, p in zip(self.ids, self.correct, self.probability, strict=True) if right and p >= at_least
        ]
