"""Files of cases: told by their fields, read whole, with every fault at once and the row it stands in.

A record with a fault keeps no other from being read, and every prompt is kept or named as left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from analysis.errors import BadFile, BadRequest, WorkbenchError
from editors.cases.case import Case
from editors.cases.chains import MQuAKE, Ripple
from editors.cases.dataset_formats import (
    CounterFact,
    EasyEdit,
    Known,
    Merged,
    OfRelation,
    Row,
    WikiBigEdit,
    WikiBio,
    ZsRE,
)
from editors.cases.file_reader import CaseFile, Reader
from editors.cases.own_form import PARTS, case_of_fact, facts_in, is_cases, is_facts, read_back
from editors.cases.questions import Asked, ConflictQA, HalluEdit, Raw, Sanitation, Verbatim
from editors.cases.record import SAME_ANSWER, Read, Record, plain
from editors.cases.text import LARGEST, Entry, entries_of, half_in, is_json, json_of, keyed, parts_of, table_of, text_of

OWN = "Palimpsest"
FORMS: dict[str, tuple[type[Record], frozenset[str]]] = {
    "RippleEdits": (Ripple, frozenset({"edit", "Logical_Generalization"})),
    "MQuAKE": (MQuAKE, frozenset({"requested_rewrite", "questions", "new_single_hops"})),
    "SADR": (Merged, frozenset({"requested_rewrite", "rewrite"})),
    "CounterFact": (CounterFact, frozenset({"requested_rewrite"})),
    "zsRE": (ZsRE, frozenset({"src", "answers", "subject"})),
    "WikiBigEdit": (WikiBigEdit, frozenset({"update", "ans", "subject"})),
    "known_1000": (Known, frozenset({"prompt", "attribute", "subject"})),
    "known_1000 (templates)": (Known, frozenset({"template", "attribute", "subject"})),
    "EasyEdit": (EasyEdit, frozenset({"prompt", "subject", "target_new"})),
    "KnowEdit WikiBio": (WikiBio, frozenset({"text", "labels", "concept"})),
    "LRE": (OfRelation, frozenset({"subject", "object", "prompt_templates"})),
    "ConflictQA": (ConflictQA, frozenset({"question", "memory_answer", "counter_answer"})),
    "HalluEditBench": (HalluEdit, frozenset({"question", "subject", "object"})),
    "TOFU, MUSE": (Asked, frozenset({"question", "answer"})),
    "KnowEdit Sanitation": (Sanitation, frozenset({"question", "ground_truth"})),
    "MUSE, word for word": (Verbatim, frozenset({"prompt", "gt"})),
    "MUSE, passages": (Raw, frozenset({"text"})),
}
"""Name, record, and the fields it is told by; the first that fits is taken."""
COLUMNS = tuple(Row.model_fields)
NEEDED = ("prompt", "subject", "target")
RELATIONAL: dict[type[Record], str] = {Known: "attribute", OfRelation: "object"}
"""Records that may say no new answer, and the field whose value in another record of their relation can be one."""


def cases_of(path: Path | str, mapping: Mapping[str, str] | None = None, target: str | None = None) -> tuple[Case, ...]:
    """Cases of a file, records with faults left out; `BadFile` where it has none, with every fault and its row."""
    return usable(read_case_file(path, mapping, target)).cases


def usable(found: CaseFile) -> CaseFile:
    """The same file; `BadFile` where it holds no case, with every fault and its row."""
    if found.cases:
        return found
    if found.questions:
        purposes = ", ".join(sorted({one.purpose for one in found.questions}))
        raise BadFile(
            f"{found.name} ({found.form}) holds questions without a fact to write ({purposes}): {len(found.questions)} "
            "of them. There is no case to edit or evaluate in it.",
            found.problems,
        )
    raise BadFile(f"{found.name} holds no case that can be used.", found.problems)


def read_case_file(
    path: Path | str, mapping: Mapping[str, str] | None = None, target: str | None = None
) -> CaseFile:  # fmt: skip
    """Read a file of this machine; see `case_file`."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise BadFile(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    return case_file(str(path), data, mapping, target)


def case_file(
    name: str, data: bytes, mapping: Mapping[str, str] | None = None, target: str | None = None
) -> CaseFile:  # fmt: skip
    """The cases of JSON, JSON lines, a file of our own, or a table with a header.

    `mapping`: for a table, which of its columns stands for each of `COLUMNS`; those of the same name need none.
    `target`: the new answer of records that say none and have no other of their relation.
    Raises `BadFile` where the file as a whole is none of these.
    """
    shown = PurePath(name).name or name
    text = text_of(shown, data)
    if not is_json(text):
        return _of_table(shown, text, mapping or {}, target)
    found = json_of(shown, text)
    if (is_cases(found) or is_facts(found)) and (said := half_in(found)) is not None:
        raise BadFile(f"{shown} cannot be read: {said}. Write it whole, or take it out.")
    if is_cases(found):
        return _of_own(shown, found)
    if is_facts(found):
        return _of_facts(shown, found, target)
    entries = _entries(shown, found)
    form, kind = _form(shown, entries)
    return _of_records(shown, form, kind, entries, target)


def columns_of(name: str, data: bytes) -> tuple[str, ...]:
    """The header of a table that is in no form known here, for a person to say what its columns are; or nothing."""
    text = text_of(name, data)
    if is_json(text):
        return ()
    header = table_of(name, text)[0]
    return () if _named(header) is not None else header


def _named(fields: Iterable[str]) -> tuple[str, type[Record]] | None:
    """The form whose fields are all there."""
    there = set(fields)
    return next(((form, kind) for form, (kind, needed) in FORMS.items() if needed <= there), None)


def _entries(name: str, data: Any) -> list[Entry]:
    """The records of whatever shape the data has: a list, one record, objects under keys, lists under names."""
    if isinstance(data, list):
        return entries_of(data)
    if {"samples", "prompt_templates"} <= data.keys() and isinstance(data["samples"], list):
        shared = {
            "relation_id": data.get("name"),
            **{k: v for k, v in data.items() if k.startswith("prompt_templates")},
        }
        return entries_of([{**shared, **one} if isinstance(one, dict) else one for one in data["samples"]])
    if _named(data) is not None:
        return entries_of([data])
    if data and all(isinstance(one, dict) for one in data.values()):
        return keyed(data)
    if parts := parts_of(data):
        return parts
    raise BadFile(f"{name} is one object with {_fields(data)}, in no form that is known here. {_known()}")


def _form(name: str, entries: Sequence[Entry]) -> tuple[str, type[Record]]:
    """The form most records of a file are in."""
    records = [entry.record for entry in entries if isinstance(entry.record, dict)]
    if not records:
        if any(isinstance(entry.record, str) for entry in entries):
            return "MUSE, passages", Raw
        faults = [f"{entry.row}: {entry.record}" for entry in entries if isinstance(entry.record, Exception)]
        raise BadFile(f"{name} is a list without records{' that can be read' * bool(faults)}.", tuple(faults[:20]))
    votes: dict[str, int] = {}
    for record in records:
        if (found := _named(record)) is not None:
            votes[found[0]] = votes.get(found[0], 0) + 1
    if not votes:
        raise BadFile(
            f"{name} is in no form that is known here. Its first record has {_fields(records[0])}. {_known()}"
        )
    form = max(votes, key=lambda one: votes[one])
    return form, FORMS[form][0]


def _fields(record: Mapping[str, Any]) -> str:
    names = list(record)
    return ", ".join(map(str, names[:12])) + (" …" if len(names) > 12 else "") if names else "no fields"


def _known() -> str:
    return "Forms and fields: " + "; ".join(f"{form}: {', '.join(sorted(own))}" for form, (_, own) in FORMS.items())


def _of_table(name: str, text: str, mapping: Mapping[str, str], target: str | None) -> CaseFile:
    """A table of our columns, or of the fields of a form."""
    header, rows = table_of(name, text)
    if unknown := [column for column in mapping if column not in COLUMNS]:
        raise BadFile(f"A table has no use for “{unknown[0]}”; its columns are {', '.join(COLUMNS)}.")
    if absent := [column for column in mapping.values() if column not in header]:
        raise BadFile(f"{name} has no column “{absent[0]}”; it has {', '.join(header)}.")
    folded = {column.casefold(): column for column in reversed(header)}
    named = {column: mapping.get(column) or folded.get(column) for column in COLUMNS}
    missing = [column for column in NEEDED if named[column] is None]
    if missing and not mapping and (known := _named(header)) is not None:
        return _of_records(name, *known, rows, target)
    if missing:
        raise BadFile(
            f"{name} says no {', '.join(missing)}: its columns are {', '.join(header)}. Say which stands for each, "
            f"such as --map {missing[0]}={header[0] if header else 'COLUMN'}."
        )
    used = {own: column for column, own in named.items() if own is not None}
    entries = [replace(one, record=_renamed(one.record, used)) for one in rows]
    found = _of_records(name, "table", Row, entries, target)
    unread = [column for column in header if column and column not in used]
    note = (f"columns that are not read: {', '.join(unread)}",) if unread else ()
    return replace(found, notes=(*found.notes, *note))


def _renamed(row: Any, used: Mapping[str, str]) -> Any:
    return {used.get(own, own): cell for own, cell in row.items()} if isinstance(row, dict) else row


def _with_targets(kind: type[Record], entries: Sequence[Entry], target: str | None) -> tuple[list[Entry], int, str]:
    """Records that say no new answer with another of their relation; how many, and the first of the choices."""
    own = RELATIONAL[kind]
    values: dict[str, set[str]] = {}
    for entry in entries:
        if isinstance(entry.record, dict) and (relation := entry.record.get("relation_id")):
            value = plain(entry.record.get(own))
            if isinstance(value, str) and value.strip():
                values.setdefault(str(relation), set()).add(value.strip())
    made: list[Entry] = []
    chosen, first = 0, ""
    for entry in entries:
        record = entry.record
        if isinstance(record, dict) and record.get("target_new") is None and isinstance(record.get(own), str):
            value = record[own].strip()
            others = sorted(values.get(str(record.get("relation_id") or ""), set()) - {value})
            pick = others[sum(map(ord, str(record.get("subject", "")))) % len(others)] if others else target
            if pick is not None:
                chosen, first = chosen + bool(others), first or f"{entry.row}: “{value}” becomes “{pick}”"
                entry = replace(entry, record={**record, "target_new": pick})
        made.append(entry)
    return made, chosen, first


def _of_records(name: str, form: str, kind: type[Record], entries: Sequence[Entry], target: str | None) -> CaseFile:
    notes: tuple[str, ...] = ()
    if kind in RELATIONAL:
        entries, chosen, first = _with_targets(kind, entries, target)
        if chosen:
            notes = (f"no new answer is said in {chosen} records: each takes another of its relation ({first})",)
    reader = Reader(name, form)
    for entry in entries:
        record = {"text": entry.record} if kind is Raw and isinstance(entry.record, str) else entry.record
        with reader.record(entry.row, record):
            if isinstance(record, WorkbenchError):
                raise record
            if not isinstance(record, dict):
                raise BadRequest(f"it is {type(record).__name__}, not a record")
            filled = {**record, "where": f"{name} {entry.part}"} if issubclass(kind, Asked | Verbatim | Raw) else record
            read = kind.model_validate(filled).read(reader.named(entry, record.get("case_id")))
            reader.take(entry.row, _shown(kind, record), read)
    return reader.found(notes)


def _shown(kind: type[Record], record: dict[str, Any]) -> Any:
    """A record as its prompts are counted: a table's cells are parted as they are read."""
    if kind is not Row:
        return record
    cells = {column: str(record.get(column) or "").split("|") for column in ("paraphrases", "neighbours", "others")}
    return {**record, **{column: [one.partition("=>")[0] for one in own] for column, own in cells.items()}}


def _of_facts(name: str, data: dict[str, Any], target: str | None) -> CaseFile:
    """Facts in our own form; the answer written over each is another of its relation in the file."""
    rows = list(facts_in(name, data))
    objects: dict[str, list[str]] = {}
    for _, _, fact in rows:
        if not isinstance(fact, Exception):
            objects.setdefault(fact.relation, []).append(fact.object)
    reader = Reader(name, OWN)
    for row, record, fact in rows:
        with reader.record(row, record):
            if isinstance(fact, Exception):
                raise fact
            own = fact.model_copy(update={"id": reader.named(Entry(row, record), fact.id)})
            case = case_of_fact(own, objects[fact.relation], target)
            reader.take(row, record, Read(case, why={"prompt": SAME_ANSWER}))
    taken = len(reader.cases)
    note = f"facts say no new answer: each of {taken} takes another object of its relation"
    return reader.found((note,) if taken else ())


def _of_own(name: str, data: dict[str, Any]) -> CaseFile:
    """Cases, chains and questions as `data convert` writes them."""
    reader = Reader(name, OWN)
    for entry in parts_of({part: data.get(part) or [] for part in PARTS}):
        with reader.record(entry.row, entry.record):
            read = read_back(entry.part, entry.record)
            if read.case is not None:
                read = replace(read, case=replace(read.case, id=reader.named(entry, read.case.id or None)))
            reader.take(entry.row, entry.record, read)
    return reader.found(())
