"""Our own files: facts with their relations, and cases as `palimpsest data convert` writes them."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from analysis.errors import BadFile, BadRequest
from analysis.facts.facts import Fact, facts_from
from editors.cases.case import Case, case_of
from editors.cases.chain_case import ChainCase
from editors.cases.question import Question
from editors.cases.record import GIVE_ONE, Read

CASE, CHAIN, QUESTION = TypeAdapter(Case), TypeAdapter(ChainCase), TypeAdapter(Question)
PARTS = {"cases": CASE, "chains": CHAIN, "questions": QUESTION}


def written(cases: Iterable[Case], chains: Iterable[ChainCase], questions: Iterable[Question]) -> str:
    """Cases, chains and questions as a file of our own; reading it gives the same."""
    parts = {"cases": cases, "chains": chains, "questions": questions}
    data = {part: [PARTS[part].dump_python(one, mode="json") for one in own] for part, own in parts.items()}  # type: ignore[attr-defined]
    return json.dumps({"schema": 1, **{part: own for part, own in data.items() if own}}, ensure_ascii=False, indent=1)


def is_cases(data: Any) -> bool:
    """Whether an object is a file of `written`."""
    return isinstance(data, dict) and "schema" in data and bool(PARTS.keys() & data.keys())


def read_back(part: str, record: Any) -> Read:
    """One record of such a file."""
    found = PARTS[part].validate_python(record)  # type: ignore[attr-defined]
    if isinstance(found, Case):
        if not found.rewrites or len(found.olds) != len(found.rewrites):
            raise BadRequest(f"it has {len(found.rewrites)} rewrites and {len(found.olds)} olds; one old for each")
        if any(not 0 <= probe.fact < len(found.rewrites) for probe in found.probes):
            raise BadRequest("a prompt is about a fact the case does not have")
        return Read(case=found)
    return Read(chain=found) if isinstance(found, ChainCase) else Read(question=found)


def is_facts(data: Any) -> bool:
    """Whether an object is a file of facts."""
    return isinstance(data, dict) and isinstance(data.get("relations"), dict)


def facts_in(name: str, data: dict[str, Any]) -> Iterator[tuple[str, Any, Fact | Exception]]:
    """Row, record, and the fact or the fault of each; a null is an absent field."""
    for relation, group in data["relations"].items():
        if not isinstance(group, dict) or not isinstance(group.get("facts"), list):
            yield f"relation {relation}", group, BadRequest("it has no list of facts")
            continue
        defaults = {key: value for key, value in group.items() if key != "facts" and value is not None}
        for number, entry in enumerate(group["facts"], start=1):
            row = f"{relation}, fact {number}"
            if not isinstance(entry, dict):
                yield row, entry, BadRequest(f"it is {type(entry).__name__}, not a record")
                continue
            own = {key: value for key, value in entry.items() if value is not None}
            try:
                (fact,) = facts_from({"relations": {relation: {**defaults, "facts": [own]}}}, name)
            except (BadFile, ValidationError) as error:
                yield row, {**defaults, **own}, error
                continue
            yield row, {**defaults, **own}, fact


def case_of_fact(fact: Fact, objects: Iterable[str], target: str | None) -> Case:
    """A case of a fact of a file: another of its relation's objects is written over it, or `target` where none is."""
    others = sorted({*objects} - {fact.object})
    if not others and target is None:
        raise BadRequest(
            f"its relation {fact.relation} has no other object to be written over “{fact.object}”; {GIVE_ONE}"
        )
    return case_of(fact, others[sum(map(ord, fact.id)) % len(others)] if others else target or "")
