"""`palimpsest data check FILE`: is a file of cases whole, what does it hold, and what is wrong in which row?"""

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import get_args

from analysis.errors import BadRequest
from app.cli.files import add_outputs, check_outputs, printed, write_outputs
from app.cli.terminal import columns
from editors.case_files import COLUMNS, CaseFile, read_case_file
from editors.probes import Kind

SHOWN = 20
"""Lines of each kind that a terminal is given; the JSON has all."""


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    parser.add_argument("what", choices=("check",), help="check")
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON, JSON lines, CSV or TSV")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help=f"a table's column that stands for {', '.join(COLUMNS)}",
    )
    add_outputs(parser, "json", bare=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read and report; 1 when a row is at fault."""
    check_outputs(args)
    found = read_case_file(args.file, mapping_of(args.map))
    write_outputs(args, {"json": lambda: json.dumps(plain(found), ensure_ascii=False, indent=1) + "\n"})
    if not printed(args):
        print(said(found))
    return 1 if found.problems else 0


def mapping_of(words: list[str]) -> dict[str, str]:
    """NAME=COLUMN as a mapping."""
    pairs = [word.partition("=") for word in words]
    if bad := next((name for name, mark, column in pairs if not (name and mark and column)), None):
        raise BadRequest(f"--map is “{bad}”; it is written NAME=COLUMN, such as target=new_answer.")
    return {name.strip(): column.strip() for name, _, column in pairs}


def plain(found: CaseFile) -> dict[str, object]:
    """What was found, as JSON data."""
    return {
        "file": found.name,
        "form": found.form,
        "records": found.records,
        "cases": len(found.cases),
        "edits": sum(len(case.rewrites) for case in found.cases),
        "prompts": counts(found),
        "problems": found.problems,
        "conflicts": found.conflicts,
        "duplicates": found.duplicates,
    }


def counts(found: CaseFile) -> dict[str, int]:
    """Prompts by kind, those there are."""
    counted = Counter(probe.kind for case in found.cases for probe in case.probes)
    return {kind: counted[kind] for kind in get_args(Kind) if counted[kind]}


def said(found: CaseFile) -> str:
    """What was found, for the terminal."""
    parts = [f"{found.name}: {len(found.cases)} cases of {found.records} records in the form of {found.form}."]
    if found.cases:
        parts.append(columns(list(counts(found).items()), ("prompts", "")))
        first = found.cases[0].rewrite
        parts.append(f"The first: {first.text} → {first.target}")
    for title, lines in (
        ("faults", found.problems),
        ("conflicts: one fact, two answers", found.conflicts),
        ("duplicates", found.duplicates),
    ):
        if lines:
            more = [f"… and {len(lines) - SHOWN} more; --json FILE has them all"] if len(lines) > SHOWN else []
            parts.append("\n".join([f"{len(lines)} {title}", *(f"  {line}" for line in (*lines[:SHOWN], *more))]))
    return "\n\n".join(parts)
