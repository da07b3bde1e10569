"""`palimpsest lifelong`, `quiz`: studies of cases, with nothing more to them than their tables."""

from argparse import ArgumentParser, Namespace
from functools import partial

from analysis.study import Study
from app.cli.study_command import add_rest, answer, show
from app.registry.studies import STUDIES
from app.terminal.case_flags import add_cases, cases_said, some_of
from app.terminal.request_flags import add_fields, fields_of


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    study = STUDIES[name]
    add_cases(parser)
    add_fields(parser, study.request, leave_out={"cases"})
    add_rest(parser)
    parser.set_defaults(run=partial(run, study))


def run(study: Study, args: Namespace) -> int:
    """Run the study on the cases named, show it."""
    cases = cases_said(args)
    return show(args, answer(study, args, lambda lm: fields_of(args, study.request, cases=some_of(args, cases, lm))))
