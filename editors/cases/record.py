"""What every form of record shares: how text and answers may stand, and how a case is made of them.

A record's null, and an empty text, are an absent field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analysis.errors import BadRequest, SubjectNotFound
from analysis.text.tokens import find_text
from editors.cases.case import Case, distracting
from editors.cases.chain_case import ChainCase
from editors.cases.prompts import bare
from editors.cases.question import Question
from editors.edit.probes import WANT_NEW, Kind, Probe
from editors.edit.request import Rewrite

LONGEST = 20_000
"""Characters a prompt may have: longer ones are no prompts, and no model here reads them."""
NO_ANSWER = "no right answer is given"
GIVE_ONE = "give it a new answer"
SAME_ANSWER = "its right answer is the answer the edit writes: nothing tells them apart"


def plain(value: Any) -> Any:
    """An answer as text: of {"str": text}, {"value": text}, a number, or the first of a list however deep."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("str", value.get("value", value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _one(value: Any) -> Any:
    return value if isinstance(value, list) and len(value) != 1 else plain(value)


def listed(value: Any) -> Any:
    """A text alone as a list of one; null and an empty text as an empty list."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    return value or ()


Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Answer = Annotated[str, BeforeValidator(_one), Field(min_length=1, max_length=LONGEST)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(listed)]
Right = Annotated[Any, BeforeValidator(plain)]
"""The first of the right answers; None where there is none."""


@dataclass(frozen=True)
class Read:
    """What a record says."""

    case: Case | None = None
    chain: ChainCase | None = None
    question: Question | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    """Reason by prompt (bare) or by field, for what is not asked."""
    within: tuple[str, ...] = ()
    """Texts that are asked inside another prompt."""

    def texts(self) -> list[str]:
        """Every prompt that is kept."""
        found: list[str] = list(self.within)
        if self.case is not None:
            found += [text for one in self.case.rewrites for text in (one.text, one.two_hop) if text]
            found += [probe.prompt for probe in self.case.probes] + list(self.case.generation)
        if self.chain is not None:
            found += [one.text for one in self.chain.rewrites]
            found += [hop.prompt for hop in self.chain.hops] + list(self.chain.questions)
        return found + list(self.question.prompts if self.question is not None else ())


class Record(BaseModel):
    """A record of some data set."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    left: ClassVar[Mapping[str, str]] = {}
    """Fields whose prompts are not asked, and why."""

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None and not _blank(value)}

    def read(self, name: str) -> Read:
        """What it says; raises `BadRequest` where it contradicts itself."""
        raise NotImplementedError


def _blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def placed(prompt: str, subject: str, target: str) -> Rewrite:
    """The fact to write, {} in the subject's first place, whatever its letters' case.

    Raises `BadRequest` where the subject is not in the prompt.
    """
    if "{}" in prompt:
        if prompt.count("{}") > 1:
            raise BadRequest(f"“{prompt}” holds {{}} more than once")
        return Rewrite(prompt=prompt, subject=subject, target=target)
    try:
        start, end = find_text(prompt, subject, occurrence=0)
    except SubjectNotFound:
        folded = prompt.lower()
        if len(folded) != len(prompt) or subject.strip().lower() not in folded:
            raise
        start, end = find_text(folded, subject.strip().lower(), occurrence=0)
    return Rewrite(prompt=f"{prompt[:start]}{{}}{prompt[end:]}", subject=prompt[start:end], target=target)


class Draft:
    """A case of one fact, prompt by prompt; what cannot be asked is kept with its reason."""

    def __init__(self, rewrite: Rewrite, old: str = "", why: Mapping[str, str] | None = None):
        if rewrite.target == old.strip():
            raise BadRequest(f"“{rewrite.text}”: the new answer is the old one, “{rewrite.target}”")
        self.rewrite, self.old = rewrite, old.strip()
        self.probes = [Probe(0, "rewrite", rewrite.text, rewrite.target, self.old)]
        self.why: dict[str, str] = dict(why or {})

    def ask(self, kind: Kind, prompt: str, right: Any, other: str | None = None) -> None:
        """A prompt with its right answer; `other`: the answer that would be wrong there, "" where none is known.

        Left out, `other` is the edit's own answer for what should stay, and unknown for what should follow. Where
        what follows is what stood there before, no other answer is known either.
        """
        if not isinstance(right, str) or not right.strip():
            self.why.setdefault(bare(prompt), NO_ANSWER)
            return
        follows = kind in WANT_NEW
        other = ("" if follows else self.rewrite.target) if other is None else other
        if follows and right.strip() == other.strip():
            other = ""
        if right.strip() == other.strip():
            self.why.setdefault(bare(prompt), SAME_ANSWER)
            return
        new, old = (right, other) if follows else (other, right)
        self.probes.append(Probe(0, kind, prompt, new.strip(), old.strip()))

    def reword(self, *prompts: str) -> None:
        """Other wordings of the fact."""
        for prompt in prompts:
            self.ask("paraphrase", prompt, self.rewrite.target, self.old)

    def read(self, name: str, relation: str = "", generation: tuple[str, ...] = ()) -> Read:
        """The case, neighbours also behind the edit's sentence where the record does not say so itself."""
        said = {probe.prompt for probe in self.probes}
        behind = [one for one in distracting([self.rewrite], self.probes) if one.prompt not in said]
        case = Case((self.rewrite,), (self.old,), (*self.probes, *behind), generation, name, relation)
        return Read(case, why=self.why)
