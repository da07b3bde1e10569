"""`palimpsest evaluate`: methods side by side on the same cases, every number with its protocol, n and interval."""

from argparse import ArgumentParser, Namespace
from functools import partial

from app.cli.cases import add_cases, cases_said, some_of
from app.cli.files import add_outputs, check_outputs, write_outputs
from app.cli.flags import add_fields, add_model_flags, fields_of, loaded
from app.cli.summary import summary
from app.cli.terminal import Bar
from app.compute import stored
from app.exports import to_csv, to_json
from app.store import ResultStore
from app.studies import STUDIES
from editors.evaluate_result import EvaluateRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    add_cases(parser)
    add_fields(parser, EvaluateRequest, leave_out={"cases"})
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, "json", "csv")
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Write, score, show."""
    check_outputs(args)
    cases, study = cases_said(args), STUDIES["evaluate"]
    with Bar() as bar:
        lm, store = loaded(args, bar), ResultStore()
        request = fields_of(args, EvaluateRequest, cases=some_of(args, cases, lm))
        result = stored(study, request, lm, store, bar, fresh=args.fresh)
    write_outputs(args, {"json": partial(to_json, result), "csv": partial(to_csv, result)})
    print(summary(result))
    return 0
