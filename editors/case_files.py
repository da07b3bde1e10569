"""Files of cases: told by their fields, read whole, with every fault at once and the row it stands in.

Files come from outside. Sizes are bounded before anything is parsed, nothing is unpacked, run or followed, and a name
is only ever shown.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from analysis.errors import BadFile, BadRequest, WorkbenchError
from analysis.facts import Fact, facts_from
from editors.case import Case, case_of
from editors.case_forms import CounterFact, EasyEdit, Known, Merged, MQuAKE, Record, Row, ZsRE
from editors.reach_result import ChainCase

LARGEST = 256 << 20
"""Bytes of a file; the largest of the public sets has about 50 MB."""
ARCHIVES = {
    b"PK\x03\x04": "a .zip archive",
    b"\x1f\x8b": "a .gz archive",
    b"BZh": "a .bz2 archive",
    b"\xfd7zXZ": "an .xz archive",
}
FORMS: dict[str, tuple[type[Record], frozenset[str]]] = {
    "MQuAKE": (MQuAKE, frozenset({"requested_rewrite", "questions", "new_single_hops"})),
    "SADR": (Merged, frozenset({"requested_rewrite", "rewrite"})),
    "CounterFact": (CounterFact, frozenset({"requested_rewrite"})),
    "zsRE": (ZsRE, frozenset({"src", "answers", "subject"})),
    "EasyEdit": (EasyEdit, frozenset({"prompt", "subject", "target_new"})),
    "known_1000": (Known, frozenset({"template", "attribute", "subject"})),
}
"""Name, record, and the fields it is told by; the first that fits is taken."""
COLUMNS = tuple(Row.model_fields)


@dataclass(frozen=True)
class CaseFile:
    """What a file holds: cases, and everything that is wrong or odd, row by row."""

    name: str
    form: str
    records: int
    cases: tuple[Case, ...]
    problems: tuple[str, ...]
    conflicts: tuple[str, ...]
    """Rows that write two answers over one fact."""
    duplicates: tuple[str, ...]
    chains: tuple[ChainCase, ...] = ()
    """MQuAKE's cases hop by hop."""


def cases_of(path: Path | str, mapping: Mapping[str, str] | None = None) -> tuple[Case, ...]:
    """Cases of a file; `BadFile` lists every fault with its row."""
    found = read_case_file(path, mapping)
    if found.problems:
        raise BadFile(f"{path} has {len(found.problems)} faults.", found.problems)
    return found.cases


def read_case_file(path: Path | str, mapping: Mapping[str, str] | None = None) -> CaseFile:
    """Read a file of this machine; see `case_file`."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise BadFile(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    return case_file(str(path), data, mapping)


def case_file(name: str, data: bytes, mapping: Mapping[str, str] | None = None) -> CaseFile:
    """The cases of a JSON list, JSON lines, a facts file of our own, or a table with a header (CSV, TSV).

    `mapping`: for a table, which of its columns stands for each of `COLUMNS`; those of the same name need none.
    Raises `BadFile` where the file as a whole is none of these.
    """
    shown = PurePath(name).name or name
    text = _text(shown, data)
    if text.lstrip()[:1] in ("[", "{"):
        records = _json(shown, text)
        if isinstance(records, dict):
            return _own(shown, records)
        form, kind = _form(shown, records)
        records = _with_targets(records) if form == "known_1000" else records
        return _read(shown, form, kind, records, "record")
    return _read(shown, "table", Row, _rows(shown, text, mapping or {}), "row")


def columns_of(name: str, data: bytes) -> tuple[str, ...]:
    """The header of a table, for a person to say what its columns are; empty where the file is none."""
    text = _text(name, data)
    if text.lstrip()[:1] in ("[", "{"):
        return ()
    return tuple(_table(name, text).fieldnames or ())


def _text(name: str, data: bytes) -> str:
    if len(data) > LARGEST:
        raise BadFile(f"{name} has more than {LARGEST >> 20} MB, the most that is read. Give it in parts.")
    if kind := next((kind for magic, kind in ARCHIVES.items() if data.startswith(magic)), None):
        raise BadFile(f"{name} is {kind}. Unpack it and give the file inside.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{name} is not text in UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    if "\0" in text:
        raise BadFile(f"{name} is not text: it holds a zero byte.")
    if not text.strip():
        raise BadFile(f"{name} is empty.")
    return text


def _json(name: str, text: str) -> list[Any] | dict[str, Any]:
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise BadFile(f"{name} is nested too deep to be a list of records.") from error
    except ValueError as whole:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        try:
            first = json.loads(lines[0][1])
        except (ValueError, RecursionError):
            first = None
        if len(lines) < 2 or not isinstance(first, dict):
            raise BadFile(f"{name} is not JSON ({whole}).") from whole
        return [_line(line) for _, line in lines]


def _line(line: str) -> Any:
    """A line of JSON lines; one that cannot be read stands as its fault."""
    try:
        return json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return BadRequest(f"not JSON ({type(error).__name__}: {error})")


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no value of JSON")


def _own(name: str, data: dict[str, Any]) -> CaseFile:
    """Facts in our own form; the answer written over each is another of its relation in the file."""
    try:
        facts = facts_from(data, name)
    except BadFile as error:
        return CaseFile(name, "Palimpsest", 0, (), error.problems or (str(error),), (), ())
    cases: list[Case] = []
    problems: list[str] = []
    for fact in facts:
        try:
            cases.append(case_of(fact, _another(fact, facts)))
        except WorkbenchError as error:
            problems.append(f"{fact.id}: {error}")
    return _looked_over(name, "Palimpsest", len(facts), cases, problems, [fact.id for fact in facts])


def _another(fact: Fact, facts: Iterable[Fact]) -> str:
    others = sorted({one.object for one in facts if one.relation == fact.relation} - {fact.object})
    if not others:
        raise BadRequest(f"its relation {fact.relation} has no other object to be written over “{fact.object}”")
    return others[sum(map(ord, fact.id)) % len(others)]


def _form(name: str, records: list[Any]) -> tuple[str, type[Record]]:
    first = next((one for one in records if isinstance(one, dict)), None)
    if first is None:
        raise BadFile(f"{name} is a list without records.")
    for form, (kind, fields) in FORMS.items():
        if fields <= first.keys() and (form != "CounterFact" or isinstance(first["requested_rewrite"], dict)):
            return form, kind
    known = "; ".join(f"{form}: {', '.join(sorted(fields))}" for form, (_, fields) in FORMS.items())
    there = ", ".join(map(str, list(first)[:12]))
    raise BadFile(f"{name} is in no form that is known here. Its first record has {there}. Forms and fields: {known}.")


def _with_targets(records: list[Any]) -> list[Any]:
    """known_1000 says no new answer: another attribute of the same relation is one."""
    attributes: dict[str, set[str]] = {}
    for one in records:
        if isinstance(one, dict) and isinstance(one.get("attribute"), str):
            attributes.setdefault(str(one.get("relation_id", "")), set()).add(one["attribute"].strip())
    made = []
    for one in records:
        if isinstance(one, dict) and isinstance(own := one.get("attribute"), str):
            others = sorted(attributes[str(one.get("relation_id", ""))] - {own.strip()})
            pick = others[sum(map(ord, str(one.get("subject", "")))) % len(others)] if others else None
            one = {"target_new": pick, **one}
        made.append(one)
    return made


def _table(name: str, text: str) -> csv.DictReader:
    delimiter = "\t" if text.partition("\n")[0].count("\t") else ","
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="")


def _rows(name: str, text: str, mapping: Mapping[str, str]) -> list[Any]:
    table = _table(name, text)
    try:
        header = list(table.fieldnames or ())
        if unknown := [column for column in mapping if column not in COLUMNS]:
            raise BadFile(f"A table has no use for “{unknown[0]}”; its columns are {', '.join(COLUMNS)}.")
        if absent := [column for column in mapping.values() if column not in header]:
            raise BadFile(f"{name} has no column “{absent[0]}”; it has {', '.join(header)}.")
        named = {column: mapping.get(column, column) for column in COLUMNS}
        if missing := [column for column in ("prompt", "subject", "target") if named[column] not in header]:
            raise BadFile(
                f"{name} says no {', '.join(missing)}: its columns are {', '.join(header)}. Say which stands for each, "
                f"such as --map {missing[0]}={header[0] if header else 'COLUMN'}."
            )
        return [
            BadRequest("it has more cells than the header")
            if row.get("")
            else {column: row.get(own) or "" for column, own in named.items()}
            for row in table
        ]
    except csv.Error as error:
        raise BadFile(f"{name} is not a table that can be read (line {table.line_num}: {error}).") from error


def _read(name: str, form: str, kind: type[Record], records: list[Any], what: str) -> CaseFile:
    cases: list[Case] = []
    problems: list[str] = []
    rows: list[str] = []
    chains: list[ChainCase] = []
    for number, record in enumerate(records, start=1):
        row = f"{what} {number}"
        try:
            if isinstance(record, WorkbenchError):
                raise record
            if not isinstance(record, dict):
                raise BadRequest(f"it is {type(record).__name__}, not a record")
            read, own = kind.model_validate(record), str(record.get("case_id", row))
            cases.append(read.case(own))
            rows.append(row)
            if isinstance(read, MQuAKE):
                chains.append(read.chain(own))
        except ValidationError as error:
            problems += [
                f"{row}: {'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in error.errors(include_url=False, include_input=False)
            ]
        except WorkbenchError as error:
            problems.append(f"{row}: {error}")
    return replace(_looked_over(name, form, len(records), cases, problems, rows), chains=tuple(chains))


def _looked_over(
    name: str, form: str, records: int, cases: list[Case], problems: list[str], rows: list[str]
) -> CaseFile:
    """With conflicts and duplicates: rows that write over a fact another row writes over."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    conflicts: list[str] = []
    duplicates: list[str] = []
    for row, case in zip(rows, cases, strict=True):
        for one in case.rewrites:
            fact = (one.subject.casefold(), (case.relation or one.prompt).casefold())
            before, target = seen.setdefault(fact, (row, one.target))
            if before == row:
                continue
            if target == one.target:
                duplicates.append(f"{row}: “{one.text}” is written in {before} already")
            else:
                conflicts.append(f"{row}: “{one.text}” becomes “{one.target}”, in {before} “{target}”")
    return CaseFile(name, form, records, tuple(cases), tuple(problems), tuple(conflicts), tuple(duplicates))
