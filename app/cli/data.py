"""`palimpsest data check`, `data convert`: is a file of cases whole, what does it hold, and what is left out?"""

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from analysis.errors import BadFile, BadRequest
from app.terminal.case_words import held_words, kept_words, left_words, read_words
from app.terminal.files import add_outputs, check_outputs, printed, write, write_outputs
from app.terminal.text import columns
from editors.cases.file_reader import CaseFile
from editors.cases.files import COLUMNS, read_case_file
from editors.cases.own_form import written
from editors.edit.probes import Kind

SHOWN = 20
"""Lines of each kind that a terminal is given; the JSON has all."""


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    parser.add_argument("what", choices=("check", "convert"), help="check; or convert into a file of our own form")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="JSON, JSON lines, CSV or TSV")
    add_reading(parser)
    parser.add_argument("--out", type=Path, default=None, metavar="FILE", help="convert: where to write")
    parser.add_argument("--counts", action="store_true", default=False, help="the JSON without its lines of faults")
    add_outputs(parser, "json", bare=True)
    parser.set_defaults(run=run)


def add_reading(parser: Any) -> None:
    """--map and --new-answer."""
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help=f"a table's column that stands for {', '.join(COLUMNS)}",
    )
    parser.add_argument(
        "--new-answer",
        default=None,
        metavar="TEXT",
        help="for records that say no new answer and have no other of their relation",
    )


def read(args: Namespace, path: Path) -> CaseFile:
    """A file as the flags say."""
    return read_case_file(path, mapping_of(args.map), args.new_answer)


def run(args: Namespace) -> int:
    """Read and report; 1 when a record is at fault."""
    check_outputs(args)
    if (args.what == "convert") != (args.out is not None) or (args.what == "convert" and len(args.files) > 1):
        raise BadRequest("data convert takes one FILE and --out FILE; data check takes no --out.")
    found = [read(args, path) for path in args.files]
    if args.what == "convert":
        _convert(args.out, found[0])
    told = [counts(one) if args.counts else plain(one) for one in found]
    write_outputs(
        args,
        {"json": lambda: json.dumps(told if len(told) > 1 else told[0], ensure_ascii=False, indent=1) + "\n"},
    )
    if not printed(args):
        print("\n\n".join([*map(said, found), *([f"Written to {args.out}."] if args.out else [])]))
    return 1 if any(one.problems for one in found) else 0


def _convert(path: Path, found: CaseFile) -> None:
    if not (found.cases or found.chains or found.questions):
        raise BadFile(f"{found.name} holds nothing that could be written in another form.", found.problems)
    write(path, written(found.cases, found.chains, found.questions) + "\n")


def mapping_of(words: list[str]) -> dict[str, str]:
    """NAME=COLUMN as a mapping."""
    pairs = [word.partition("=") for word in words]
    if bad := next((name for name, mark, column in pairs if not (name and mark and column)), None):
        raise BadRequest(f"--map is “{bad}”; it is written NAME=COLUMN, such as target=new_answer.")
    return {name.strip(): column.strip() for name, _, column in pairs}


def counts(found: CaseFile) -> dict[str, Any]:
    """How much of everything was found, as JSON data."""
    return {
        "file": found.name,
        "form": found.form,
        "records": found.records,
        "faulty": found.faulty,
        "cases": len(found.cases),
        "edits": sum(len(case.rewrites) for case in found.cases),
        "chains": len(found.chains),
        "questions": dict(Counter(one.purpose for one in found.questions)),
        "prompts": prompts(found),
        "kept": found.kept,
        "left_out": found.out,
    }


def plain(found: CaseFile) -> dict[str, Any]:
    """What was found, as JSON data; `left_out_of`: field, reason, number of prompts, first records."""
    return counts(found) | {
        "left_out_of": [asdict(one) for one in found.left_out],
        "problems": found.problems,
        "conflicts": found.conflicts,
        "duplicates": found.duplicates,
        "notes": found.notes,
    }


def prompts(found: CaseFile) -> dict[str, int]:
    """Prompts by kind, those there are."""
    counted = Counter(probe.kind for case in found.cases for probe in case.probes)
    return {kind: counted[kind] for kind in get_args(Kind) if counted[kind]}


def said(found: CaseFile) -> str:
    """What was found, for the terminal."""
    parts = [f"{found.name}: {read_words(found)} It holds {held_words(found)}. {kept_words(found)}"]
    if found.cases:
        parts.append(columns(list(prompts(found).items()), ("prompts", "")))
        first = found.cases[0].rewrite
        parts.append(f"The first: {first.text} → {first.target}")
    for title, lines in (
        ("faults", found.problems),
        ("prompts left out", tuple(map(left_words, found.left_out))),
        ("conflicts: one fact, two answers", found.conflicts),
        ("duplicates", found.duplicates),
        ("notes", found.notes),
    ):
        if lines:
            more = [f"… and {len(lines) - SHOWN} more; --json FILE has them all"] if len(lines) > SHOWN else []
            number = found.out if title == "prompts left out" else len(lines)
            heading = title if title == "notes" else f"{number} {_of(title, number)}"
            parts.append("\n".join([heading, *(f"  {line}" for line in (*lines[:SHOWN], *more))]))
    return "\n\n".join(parts)


def _of(title: str, number: int) -> str:
    """A title for one or more: 1 fault, 2 faults."""
    first, *rest = title.split(" ", 1)
    word = first.rstrip(":")
    return " ".join([(word.removesuffix("s") if number == 1 else word) + first[len(word) :], *rest])
