"""`palimpsest generate`: how a model goes on, with edits on it or without."""

from argparse import ArgumentParser, Namespace

from app.cli.study_command import add_rest, run
from app.registry.studies import STUDIES
from app.terminal.request_flags import add_fields
from editors.generation.result import GenerateRequest


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags; a prompt may hold commas, so each has a flag of its own."""
    asked = GenerateRequest.model_fields["prompt"].description
    parser.add_argument("--prompt", required=True, action="append", metavar="TEXT", help=asked)
    add_fields(parser, GenerateRequest, leave_out={"prompt"})
    add_rest(parser, edits=True)
    parser.set_defaults(run=generate)


def generate(args: Namespace) -> int:
    """Let the model go on."""
    prompts = tuple(args.prompt)
    del args.prompt
    return run(STUDIES["generate"], args, prompt=prompts)
