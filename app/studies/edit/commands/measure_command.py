"""`palimpsest recipe measure`: what a brought recipe says of itself, asked anew of the model."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path
from typing import Any

from app.studies.edit.commands.command import keep, said
from app.terminal.recipe_stack import stacked
from app.terminal.request_flags import add_model_flags, follow, loaded
from app.terminal.text import Bar
from editors.recipes.recipe import SEARCH_BROUGHT, read_recipe


def add_measure(actions: "_SubParsersAction[Any]") -> None:
    """Give `palimpsest recipe` its action measure."""
    parser: ArgumentParser = actions.add_parser("measure", help="ask anew what a recipe says was answered")
    parser.add_argument("recipe", type=Path, metavar="RECIPE")
    parser.add_argument(
        "--on", type=Path, action="append", default=[], metavar="RECIPE", help="an edit it was found on top of"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the recipe with these answers here")
    parser.add_argument("--author", default="", help="name to keep in the recipe")
    add_model_flags(parser)
    parser.set_defaults(run=measure)


def measure(args: Namespace) -> int:
    """Print the answers as they are measured here."""
    from editors.methods.measure_again import measure_again

    brought, stack = read_recipe(args.recipe).as_brought(), stacked(args.on)
    follow(args, brought.model)
    with keep(args) as out:
        with Bar() as bar:
            made = measure_again(loaded(args, bar), brought, bar, stack=stack)
        print(f"{made.title}, {SEARCH_BROUGHT if made.brought else 'all of it measured here'}\n{said(made)}")
        out(made)
    return 0
