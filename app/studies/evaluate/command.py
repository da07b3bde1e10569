"""`palimpsest evaluate`: methods side by side on the same cases, every number with its protocol, n and interval."""

from argparse import ArgumentParser, Namespace
from functools import partial

from app.cli.study_command import FORMS, add_rest, answer
from app.exports.json_csv import to_csv, to_json
from app.registry.studies import STUDIES
from app.studies.evaluate.gates.flag import DatedStore, add_gate, gate_block, gate_fixed, print_gate
from app.studies.evaluate.reports.html import html_report
from app.studies.evaluate.reports.markdown import markdown_report
from app.terminal.case_flags import add_cases, cases_said, some_of
from app.terminal.files import write_outputs
from app.terminal.request_flags import add_fields, fields_of
from app.terminal.summary import summary
from editors.evaluation.result import EvaluateRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    add_cases(parser)
    add_fields(parser, EvaluateRequest, leave_out={"cases"})
    add_gate(parser)
    add_rest(parser, (*FORMS, "markdown"))
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Write, score, show; with a gate the status is its verdict."""
    fixed, cases, store = gate_fixed(args), cases_said(args), DatedStore()
    result = answer(
        STUDIES["evaluate"],
        args,
        lambda lm: fields_of(args, EvaluateRequest, cases=some_of(args, cases, lm)),
        store,
    )
    block = gate_block(result, fixed, store.oldest)
    write_outputs(
        args,
        {
            "json": partial(to_json, result, block),
            "csv": partial(to_csv, result),
            "html": partial(html_report, result, fixed.gate if fixed else None),
            "markdown": partial(markdown_report, result),
        },
    )
    print(summary(result))
    return print_gate(result, fixed, store.oldest) if fixed else 0
