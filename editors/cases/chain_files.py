"""Chains with a fact to write: of our own chains, and of files in the form of MQuAKE.

Of an own chain one hop is written over: the first, so that it leads to another bridge whose second hop is known, or
the second, so that the bridge has another answer.
"""

from pathlib import Path
from typing import Literal

from analysis.errors import BadFile, BadRequest
from analysis.facts.chains import Chain, read_chains
from analysis.facts.facts import Fact, another_object, read_facts
from editors.cases.chain_case import ChainCase, Hop
from editors.cases.file_reader import CaseFile
from editors.cases.files import read_case_file
from editors.edit.request import Rewrite

Which = Literal["first", "second"]


def case_of_chain(one: Chain, which: Which, target: str | None = None) -> ChainCase:
    """A stored chain with one hop written over; `target`, its new object, is chosen when left out.

    Raises `BadRequest` where no other bridge with a known second hop is stored, or `target` is none.
    """
    return _first(one, target) if which == "first" else _second(one, target)


def _first(one: Chain, target: str | None) -> ChainCase:
    facts = {(fact.relation, fact.subject): fact for fact in read_facts()}
    bridges = {fact.object for fact in facts.values() if fact.relation == one.first}
    reached = [
        fact for (relation, subject), fact in facts.items()
        if relation == one.second and subject != one.bridge and fact.object != one.answer and subject in bridges
    ]  # fmt: skip
    if target is not None:
        reached = [fact for fact in reached if fact.subject == target]
    if not reached:
        raise BadRequest(f"No {one.second} of {target or 'another bridge'} is stored, other than {one.answer}.")
    new = reached[sum(map(ord, one.id)) % len(reached)]
    rewrite = Rewrite.of(facts[one.first, one.subject], new.subject)
    return _case(one, "first", rewrite, Hop(prompt=one.hop_one, answers=(new.subject,)), _behind(one, new), new)


def _behind(one: Chain, new: Fact) -> Hop:
    """The second hop asked of the new bridge."""
    said = next((c.bridge_said for c in read_chains() if c.bridge == new.subject), new.subject)
    return Hop(prompt=one.model_copy(update={"bridge_said": said}).hop_two(), answers=(new.object, *new.aliases))


def _second(one: Chain, target: str | None) -> ChainCase:
    fact = next(f for f in read_facts() if (f.relation, f.subject) == (one.second, one.bridge))
    new = fact.model_copy(update={"object": target or another_object(fact), "aliases": ()})
    question = next(
        (c.whole() for c in read_chains() if (c.second, c.bridge) == (one.second, one.bridge) and c.id != one.id), None
    )
    rewrite = Rewrite.of(fact, new.object).model_copy(update={"two_hop": question})
    first = Hop(prompt=one.hop_one, answers=(one.bridge,))
    return _case(one, "second", rewrite, first, Hop(prompt=one.hop_two(), answers=(new.object,)), new)


def _case(one: Chain, which: Which, rewrite: Rewrite, first: Hop, second: Hop, new: Fact) -> ChainCase:
    return ChainCase(
        id=f"{one.id}/{which}",
        rewrites=(rewrite,),
        hops=(first, second),
        questions=tuple(one.whole(wording) for wording in range(len(one.questions))),
        answers=(new.object, *new.aliases),
        old=(one.answer,),
        kind=which,
    )


def read_chain_cases(path: Path | str) -> tuple[ChainCase, ...]:
    """Chains of a file; see `chains_of`."""
    return chains_of(read_case_file(path))


def chains_of(found: CaseFile) -> tuple[ChainCase, ...]:
    """Chains of a file in MQuAKE's form or our own, records with faults left out.

    `BadFile` where there are none, with every fault and its record. Two records that write different answers over one
    fact are no fault here: cases are written one at a time.
    """
    if not found.chains:
        wrong = "" if found.form == "MQuAKE" else " Chains are read from files in the form of MQuAKE."
        raise BadFile(f"{found.name} ({found.form}) holds no chain that can be used.{wrong}", found.problems)
    return found.chains
