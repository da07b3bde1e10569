"""Chains with a fact to write: of our own chains, and of files in the form of MQuAKE.

Of an own chain one hop is written over: the first, so that it leads to another bridge whose second hop is known, or
the second, so that the bridge has another answer.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from analysis.chains import Chain, read_chains
from analysis.errors import BadFile, BadRequest, WorkbenchError
from analysis.facts import Fact, another_object, read_facts
from editors.reach_result import ChainCase, Hop
from editors.request import Rewrite

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
    """Cases of a JSON file in MQuAKE's form; `BadFile` lists every fault with its record.

    Read of each record: `requested_rewrite` (prompt with {}, subject, target_new), `new_single_hops` (cloze, answer,
    answer_alias), `questions`, `new_answer`, `new_answer_alias`, `answer`, `answer_alias`. Two records that write
    different targets for one subject and prompt are no fault here: cases are written one at a time.
    """
    try:
        records = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{path} is not a JSON list of records ({error}).") from error
    if not isinstance(records, list) or not records:
        raise BadFile(f"{path} is not a JSON list of records.")
    cases: list[ChainCase] = []
    problems: list[str] = []
    for row, record in enumerate(records):
        try:
            cases.append(_mquake(row, record))
        except KeyError as error:
            problems.append(f"record {row}: {error} is missing")
        except (WorkbenchError, TypeError, ValueError, AttributeError) as error:
            problems.append(f"record {row}: {' '.join(str(error).split())}")
    if problems:
        raise BadFile(f"{path} has {len(problems)} faults.", tuple(problems))
    return tuple(cases)


def _mquake(row: int, record: dict[str, Any]) -> ChainCase:
    written = [
        Rewrite(prompt=one["prompt"], subject=one["subject"], target=one["target_new"]["str"])
        for one in record["requested_rewrite"]
    ]
    hops = tuple(Hop(prompt=one["cloze"], answers=_named(one, "answer")) for one in record["new_single_hops"])
    asked = {rewrite.text for rewrite in written}
    edited = [str(place) for place, hop in enumerate(hops, start=1) if hop.prompt.rstrip() in asked]
    return ChainCase(
        id=str(record.get("case_id", row)),
        rewrites=tuple(written),
        hops=hops,
        questions=tuple(record["questions"]),
        answers=_named(record, "new_answer"),
        old=_named(record, "answer"),
        kind=f"hop {' and '.join(edited)} of {len(hops)}" if edited else f"{len(written)} of {len(hops)}",
    )


def _named(record: dict[str, Any], what: str) -> tuple[str, ...]:
    return (record[what], *_strings(record.get(f"{what}_alias") or ()))


def _strings(values: Sequence[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value.strip()]
