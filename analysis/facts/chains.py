"""Chains of two facts: a landmark's country, that country's capital. The middle is never said.

Every chain is composed of two stored facts and of wordings of our own, so each hop can be asked alone.
"""

import json
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from analysis.assets import ASSETS
from analysis.errors import BadFile, BadRequest
from analysis.facts.facts import Fact, read_facts

OWN_CHAINS = ASSETS / "chains" / "chains.json"


class Chain(BaseModel):
    """subject → bridge → answer; prompts end before their answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    first: str  # relation of the first hop
    second: str
    subject: str  # e1
    bridge: str  # e2, never said in the whole question
    answer: str  # e3
    first_prompt: str  # with {} for e1
    description: str  # what stands for e2: words with {} for e1
    kind: str  # the same without e1
    questions: tuple[str, ...]  # of the second hop, with {} for e2 or what stands for it
    subject_said: str  # e1 as it stands in a sentence, perhaps with an article
    bridge_said: str

    @property
    def hop_one(self) -> str:
        """The first hop alone."""
        return self.first_prompt.replace("{}", self.subject)

    @property
    def described(self) -> str:
        """What stands for the bridge."""
        return self.description.replace("{}", self.subject_said)

    def hop_two(self, wording: int = 0) -> str:
        """The second hop alone, its subject named."""
        return self._ask(self.bridge_said, wording)

    def whole(self, wording: int = 0) -> str:
        """Both hops in one question."""
        return self._ask(self.described, wording)

    def without_subject(self, wording: int = 0) -> str:
        """The whole without e1: answered right, the relation alone was enough (Biran et al., 2406.12775)."""
        return self._ask(self.kind, wording)

    def without_first_hop(self, wording: int = 0) -> str:
        """The second hop asked of e1: answered right, the bridge was not needed."""
        return self._ask(self.subject_said, wording)

    def _ask(self, what: str, wording: int) -> str:
        prompt = self.questions[wording]
        what = what[0].upper() + what[1:] if prompt.startswith("{}") else what
        return prompt.replace("{}", what)


@lru_cache(maxsize=2)
def read_chains(path: Path | str = OWN_CHAINS) -> tuple[Chain, ...]:
    """All chains of the stored facts that a file has wordings for; `BadFile` where it has another form."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        chains = _composed(data, read_facts())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFile(f"{path} is not a file of chains: {type(error).__name__}: {error}") from error
    return chains


def _composed(data: dict, facts: tuple[Fact, ...]) -> tuple[Chain, ...]:
    article = set(data["article"])

    def said(name: str) -> str:
        return f"the {name}" if name in article else name

    found = []
    for fact in facts:
        if fact.relation not in data["descriptions"]:
            continue
        words = data["descriptions"][fact.relation]
        for second in facts:
            if second.relation not in data["questions"] or second.subject != fact.object:
                continue
            found.append(
                Chain(
                    id=f"{fact.id}/{second.relation}",
                    first=fact.relation,
                    second=second.relation,
                    subject=fact.subject,
                    bridge=fact.object,
                    answer=second.object,
                    first_prompt=fact.prompt,
                    description=words["text"],
                    kind=words["kind"],
                    questions=tuple(data["questions"][second.relation]),
                    subject_said=said(fact.subject),
                    bridge_said=said(fact.object),
                )
            )
    return tuple(found)


def chain(name: str) -> Chain:
    """The chain with this id."""
    for one in read_chains():
        if one.id == name:
            return one
    raise BadRequest(f"There is no chain “{name}”. `palimpsest hops --csv FILE` lists them all.")
