"""Cases for a command: from a file, or the facts of the assets, and of these those the model knows."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from analysis import LanguageModel
from analysis.errors import BadRequest, WorkbenchError
from analysis.facts.facts import choose, read_facts
from analysis.text.tokens import answer_token
from app.cli.data import add_reading, read
from app.terminal.case_words import kept_words, read_words
from editors.cases.case import Case, own_cases
from editors.cases.file_reader import CaseFile
from editors.cases.files import usable

FAULTS = 5
"""Faults that a command names before it goes on."""


def add_cases(parser: ArgumentParser) -> None:
    """--data, --map, --new-answer, --relation, --n, --known."""
    asked = parser.add_argument_group("cases")
    asked.add_argument("--data", type=Path, metavar="FILE", help="file of cases (default: the facts of the assets)")
    add_reading(asked)
    asked.add_argument("--relation", action="append", default=[], metavar="NAME", help="facts of the assets: of these")
    asked.add_argument("--n", type=int, default=None, metavar="N", help="at most so many cases")
    asked.add_argument(
        "--known", action="store_true", default=False, help="only cases whose old answer the model says now"
    )


def cases_said(args: Namespace) -> tuple[Case, ...]:
    """The cases the flags name, all of them; own facts with relations in turn."""
    if args.n is not None and args.n < 1:
        raise BadRequest(f"--n is {args.n}; it is a number from 1 on.")
    if args.data is not None:
        return told(read(args, args.data)).cases
    return tuple(own_cases(choose(read_facts(), args.relation)))


def told(found: CaseFile) -> CaseFile:
    """A file that holds cases; see `tell`."""
    tell(usable(found))
    return found


def tell(found: CaseFile) -> None:
    """Say on stderr what was left out of a file, and what was chosen in reading it."""
    if found.faulty or found.out or found.notes:
        parts = [f"{found.name}: {read_words(found)} {kept_words(found)}", *found.problems[:FAULTS]]
        if len(found.problems) > FAULTS:
            parts.append(f"… and {len(found.problems) - FAULTS} more faults")
        parts += [f"Note: {note}." for note in found.notes]
        parts.append(f"palimpsest data check {found.name} has them all.")
        print("\n".join(parts), file=sys.stderr)


def some_of(args: Namespace, cases: tuple[Case, ...], lm: LanguageModel | None) -> tuple[Case, ...]:
    """At most --n of them; with --known those whose first fact the model says, by the first token of its answer."""
    if not args.known:
        return cases[: args.n]
    assert lm is not None
    found: list[Case] = []
    for case in cases:
        if len(found) == args.n:
            break
        try:
            tokens = lm.encode(case.rewrite.text)
            if int(lm.next_word(tokens).argmax()) == answer_token(lm.tokenizer, tokens, case.olds[0]):
                found.append(case)
        except WorkbenchError:
            continue
    if not found:
        raise BadRequest(f"{lm.name} says the old answer of none of the {len(cases)} cases. Leave out --known.")
    return tuple(found)
