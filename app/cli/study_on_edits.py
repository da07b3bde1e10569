"""`palimpsest drift`, `patch`, `drifts`, `abilities`: studies of a model with edits on it, from the terminal."""

from argparse import ArgumentParser
from functools import partial

from app.cli.study_command import add_rest, run
from app.registry.studies import STUDIES
from app.terminal.request_flags import add_fields


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    study = STUDIES[name]
    add_fields(parser, study.request)
    add_rest(parser, edits=True)
    parser.set_defaults(run=partial(run, study))
