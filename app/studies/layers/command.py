"""`palimpsest layers`: at which layer a fact is best written."""

from argparse import ArgumentParser, Namespace

from app.cli.study_command import add_rest, run
from app.registry.studies import STUDIES
from app.studies.edit.commands.command import add_facts, facts_of
from app.terminal.request_flags import add_fields
from editors.layer_sweep.result import LayersRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    add_facts(parser)
    add_fields(parser, LayersRequest, leave_out={"facts"})
    add_rest(parser)
    parser.set_defaults(run=layers)


def layers(args: Namespace) -> int:
    """Write facts at one layer after another, beside their traces; or find what is stored of it."""
    return run(STUDIES["layers"], args, facts=facts_of(args))
