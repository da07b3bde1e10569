"""From the bytes of a file to its records, each with the place it stands in.

Files come from outside. Sizes are bounded before anything is parsed, and nothing is unpacked, run or followed.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.errors import BadFile, BadRequest
from analysis.text.cells import meant
from analysis.text.characters import half

LARGEST = 256 << 20
"""Bytes of a file; the largest of the public sets has about 50 MB."""
ARCHIVES = {
    b"PK\x03\x04": "a .zip archive",
    b"\x1f\x8b": "a .gz archive",
    b"BZh": "a .bz2 archive",
    b"\xfd7zXZ": "an .xz archive",
    b"PAR1": "a Parquet table",
}
MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""First bytes of text that is not UTF-8."""


@dataclass(frozen=True)
class Entry:
    """One record: where it stands, what it is, the part of the file it is in, and the key it has there."""

    row: str
    record: Any
    part: str = ""
    key: str = ""


def text_of(name: str, data: bytes) -> str:
    """The text of a file; raises `BadFile` where it is too large, packed, or no text."""
    if len(data) > LARGEST:
        raise BadFile(f"{name} has more than {LARGEST >> 20} MB, the most that is read. Give it in parts.")
    if kind := next((kind for magic, kind in ARCHIVES.items() if data.startswith(magic)), None):
        raise BadFile(f"{name} is {kind}. Unpack it and give the file inside, as JSON or CSV.")
    coding = next((coding for mark, coding in MARKS.items() if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(coding)
    except UnicodeDecodeError as error:
        said = coding.removesuffix("-sig").upper()
        raise BadFile(f"{name} is not text in {said} (byte {error.start}). Save it as UTF-8.") from error
    if "\0" in text:
        raise BadFile(f"{name} is not text: it holds a zero byte.")
    if not text.strip():
        raise BadFile(f"{name} is empty.")
    return text


def is_json(text: str) -> bool:
    """Whether a file is JSON or JSON lines, by its first sign."""
    return text.lstrip()[:1] in ("[", "{")


def json_of(name: str, text: str) -> Any:
    """The data of a JSON file; of JSON lines a list, in which a line that cannot be read is its own fault."""
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError as error:
        raise BadFile(f"{name} is nested too deep to be a list of records.") from error
    except ValueError as whole:
        lines = [_line(line) for line in text.split("\n") if line.strip()]
        if 2 * sum(isinstance(one, dict) for one in lines) < max(len(lines), 2):
            raise BadFile(f"{name} is not JSON ({whole}).") from whole
        return lines


def _line(line: str) -> Any:
    try:
        return json.loads(line, parse_constant=_no_number, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return BadRequest(f"not JSON ({type(error).__name__}: {error})")


def _no_number(constant: str) -> None:
    """NaN is what pandas writes where a value is missing; the other constants are no JSON."""
    if constant == "NaN":
        return
    raise ValueError(f"{constant} is no value of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f"the key “{twice}” stands twice in one object")
    return made


def half_in(data: Any) -> str | None:
    """What is said of half a character somewhere in the data; None where all are whole."""
    left = [data]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if char := half(one):
                return f"it holds half a character, {char}"
        elif isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
    return None


def _whole(record: Any) -> Any:
    """A record, or what is wrong with its characters."""
    said = half_in(record)
    return record if said is None else BadRequest(said)


def entries_of(data: list[Any]) -> list[Entry]:
    """The records of a list."""
    return [Entry(f"record {number}", _whole(one)) for number, one in enumerate(data, start=1)]


def keyed(data: dict[str, Any]) -> list[Entry]:
    """The records of an object of objects, each under its key."""
    return [Entry(f"record “{key}”", _whole(one), key=key) for key, one in data.items()]


def parts_of(data: dict[str, Any]) -> list[Entry]:
    """The records of an object of lists, part by part."""
    return [
        Entry(f"{part} {number}", _whole(one), part)
        for part, values in data.items()
        if isinstance(values, list)
        for number, one in enumerate(values, start=1)
    ]


def table_of(name: str, text: str) -> tuple[tuple[str, ...], list[Entry]]:
    """Header and rows of a table whose cells are parted by tabs, semicolons or commas."""
    table = _reader(text)
    try:
        table.fieldnames = [meant(column).strip() for column in table.fieldnames or ()]
        header = tuple(table.fieldnames)
        if twice := next((one for place, one in enumerate(header) if one and one in header[:place]), None):
            raise BadFile(f"{name} has two columns “{twice}”. Name each column once.")
        rows = [
            Entry(f"row {number}", _row(header, row))
            for number, row in enumerate(table, start=1)
            if row.get(_MORE) or any(cell and cell.strip() for cell in row.values() if isinstance(cell, str))
        ]
    except csv.Error as error:
        raise BadFile(f"{name} is not a table that can be read (line {table.line_num}: {error}).") from error
    return header, rows


_MORE = "\0more"


def _row(header: Sequence[str], row: dict[str, Any]) -> Any:
    if row.get(_MORE):
        return BadRequest(f"it has {len(header) + len(row[_MORE])} cells, the header has {len(header)}")
    return {column: meant(row.get(column) or "") for column in header if column}


def _reader(text: str) -> "csv.DictReader[str]":
    first, _, rest = text.partition("\n")
    said = first.strip("\r").strip('"')
    if said.casefold().startswith("sep=") and len(said) == 5:
        delimiter, text = said[4], rest
    else:
        delimiter = "\t" if "\t" in first else ";" if first.count(";") > first.count(",") else ","
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey=_MORE)
