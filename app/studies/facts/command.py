"""`palimpsest facts`: which stored facts a model knows, from how sure on."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import suppress
from functools import partial

from app.cli import study_command
from app.registry.studies import STUDIES
from app.studies.facts.summary import known_text


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its flags."""
    study_command.configure(parser, name)
    parser.add_argument(
        "--at-least", type=_share, default=0.0, metavar="P", help="least probability of a known answer (default: 0)"
    )
    parser.set_defaults(run=partial(run, name))


def _share(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (share := float(text)) <= 1:
            return share
    raise ArgumentTypeError(f"“{text}” is not a probability from 0 to 1")


def run(name: str, args: Namespace) -> int:
    """Ask, and show those that are known well enough."""
    return study_command.run(STUDIES[name], args, partial(known_text, at_least=args.at_least))
