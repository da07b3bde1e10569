"""`palimpsest evaluate`: methods side by side on the same cases, every number with its protocol, n and interval."""

from argparse import ArgumentParser, Namespace
from functools import partial

from app.exports.json_csv import to_csv, to_json
from app.jobs.compute import stored
from app.registry.studies import STUDIES
from app.studies.evaluate.gate_flag import DatedStore, add_gate, gate_block, gate_fixed, print_gate
from app.studies.evaluate.report_html import html_report
from app.studies.evaluate.report_markdown import markdown_report
from app.terminal.case_flags import add_cases, cases_said, some_of
from app.terminal.files import add_outputs, check_outputs, write_outputs
from app.terminal.request_flags import add_fields, add_model_flags, fields_of, loaded
from app.terminal.summary import summary
from app.terminal.text import Bar
from editors.evaluation.result import EvaluateRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    add_cases(parser)
    add_fields(parser, EvaluateRequest, leave_out={"cases"})
    parser.add_argument("--fresh", action="store_true", default=False, help="compute anew what is stored")
    add_gate(parser)
    add_outputs(parser, "json", "csv", "html", "markdown")
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Write, score, show; with a gate the status is its verdict."""
    check_outputs(args)
    fixed = gate_fixed(args)
    cases, study = cases_said(args), STUDIES["evaluate"]
    with Bar() as bar:
        lm, store = loaded(args, bar), DatedStore()
        request = fields_of(args, EvaluateRequest, cases=some_of(args, cases, lm))
        result = stored(study, request, lm, store, bar, fresh=args.fresh)
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
