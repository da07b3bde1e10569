"""`palimpsest recipe solve`: recipes of edits that keep their pairs, made one, and asked what became of their facts."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from analysis.errors import BadRequest
from app.terminal.recipe_stack import stacked
from app.terminal.request_flags import add_model_flags, follow, loaded
from app.terminal.text import Bar


def add_solving(actions: Any) -> None:
    """The action."""
    command = actions.add_parser("solve", help="make one recipe of those that can be solved together (RLS)")
    command.add_argument("recipes", type=Path, nargs="+", metavar="RECIPE")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="write the recipe here")
    command.add_argument("--author", default="", help="name to keep in the recipe")
    add_model_flags(command)
    command.set_defaults(run=solve)


def solve(args: Namespace) -> int:
    """Solve recipes together, ask the model, and write what came of it."""
    from app.studies.edit.commands.command import keep, said
    from editors.methods.run import asked

    found = stacked(args.recipes, solved=True)
    if len(args.recipes) < 2 or len(found) > 1:
        raise BadRequest(
            "These cannot be made one by solving them together: that takes two recipes or more, all written by RLS "
            "with the same weight and anchor, of the same text, on the same weights."
        )
    (one,) = found
    follow(args, one.model)
    with keep(args) as out:
        with Bar() as bar:
            made = asked(loaded(args, bar), one.request, one)
        print(said(made))
        out(made)
    return 0
