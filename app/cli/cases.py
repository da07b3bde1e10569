"""Cases for a command: from a file, or the facts of the assets, and of these those the model knows."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from analysis import LanguageModel
from analysis.errors import BadRequest, WorkbenchError
from analysis.facts import choose, read_facts
from analysis.tokens import answer_token
from app.cli.data import mapping_of
from editors.case import Case, own_cases
from editors.case_files import COLUMNS, cases_of


def add_cases(parser: ArgumentParser) -> None:
    """--data, --map, --relation, --n, --known."""
    asked = parser.add_argument_group("cases")
    asked.add_argument("--data", type=Path, metavar="FILE", help="file of cases (default: the facts of the assets)")
    asked.add_argument(
        "--map", action="append", default=[], metavar="NAME=COLUMN", help=f"a table's column for {', '.join(COLUMNS)}"
    )
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
        return cases_of(args.data, mapping_of(args.map))
    return tuple(own_cases(choose(read_facts(), args.relation)))


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
