"""`palimpsest evaluate`: methods side by side on the same cases, every number with its protocol, n and interval."""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from analysis import LanguageModel
from analysis.errors import BadRequest, WorkbenchError
from analysis.facts import another_object, choose, read_facts
from analysis.tokens import answer_token
from app.cli.data import mapping_of
from app.cli.files import add_outputs, check_outputs, write_outputs
from app.cli.flags import add_fields, add_model_flags, fields_of, loaded
from app.cli.summary import summary
from app.cli.terminal import Bar
from app.compute import stored
from app.exports import to_csv, to_json
from app.store import ResultStore
from app.studies import STUDIES
from editors.case import Case, case_of
from editors.case_files import COLUMNS, cases_of
from editors.evaluate_result import EvaluateRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
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
    add_fields(parser, EvaluateRequest, leave_out={"cases"})
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, "json", "csv")
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Write, score, show."""
    check_outputs(args)
    if args.n is not None and args.n < 1:
        raise BadRequest(f"--n is {args.n}; it is a number from 1 on.")
    cases, study = _cases(args), STUDIES["evaluate"]
    with Bar() as bar:
        lm, store = loaded(args, bar), ResultStore()
        if args.known:
            cases = _known(lm, cases, args.n)
        request = fields_of(args, EvaluateRequest, cases=cases[: args.n])
        if args.fresh:
            store.discard(request.key(lm.own_hash))
        result = stored(study, request, lm, store, bar)
    write_outputs(args, {"json": partial(to_json, result), "csv": partial(to_csv, result)})
    print(summary(result))
    return 0


def _cases(args: Namespace) -> tuple[Case, ...]:
    if args.data is not None:
        return cases_of(args.data, mapping_of(args.map))
    groups: dict[str, list[Case]] = {}
    for fact in choose(read_facts(), args.relation):
        try:
            groups.setdefault(fact.relation, []).append(case_of(fact, another_object(fact)))
        except WorkbenchError:
            continue
    longest = max(map(len, groups.values()), default=0)
    return tuple(group[i] for i in range(longest) for group in groups.values() if i < len(group))


def _known(lm: LanguageModel, cases: tuple[Case, ...], count: int | None) -> tuple[Case, ...]:
    """Cases whose first fact the model knows, by the first token of its answer."""
    found: list[Case] = []
    for case in cases:
        if len(found) == count:
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
