"""`palimpsest lifelong`, `quiz`: studies of cases, with nothing more to them than their tables."""

from argparse import ArgumentParser, Namespace
from functools import partial

from analysis.study import Study
from app.cli.study_command import result_of
from app.registry.studies import STUDIES
from app.terminal.case_flags import add_cases, cases_said, some_of
from app.terminal.files import add_outputs, check_outputs, forms_of, write_outputs
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, loaded
from app.terminal.summary import summary
from app.terminal.text import Bar


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    study = STUDIES[name]
    add_cases(parser)
    add_fields(parser, study.request, leave_out={"cases"})
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_outputs(parser, "json", "csv", "html")
    add_model_flags(parser)
    parser.set_defaults(run=partial(run, study))


def run(study: Study, args: Namespace) -> int:
    """Run the study on the cases named, show it."""
    check_outputs(args)
    cases = cases_said(args)
    with Bar() as bar:
        lm = loaded(args, bar)
        request = fields_of(args, study.request, cases=some_of(args, cases, lm))
        result = result_of(study, request, lm, bar, fresh=args.fresh)
    write_outputs(args, forms_of(result))
    print(summary(result))
    return 0
