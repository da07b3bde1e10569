"""Recipes that flags name, as the edits that are on."""

from argparse import ArgumentParser
from pathlib import Path

from editors.edit.edit import Edit
from editors.edit.stack import EditStack
from editors.recipes.recipe import read_recipe


def add_recipe(parser: ArgumentParser) -> None:
    """--recipe, once for each edit."""
    parser.add_argument(
        "--recipe", type=Path, action="append", default=[], metavar="FILE", help="edits that are on, lowest first"
    )
    add_solved(parser)


def add_solved(parser: ArgumentParser) -> None:
    """--solved."""
    parser.add_argument(
        "--solved",
        action="store_true",
        default=False,
        help="solve those of them together that can be (RLS), in place of adding up what each was found as",
    )


def stacked(places: list[Path], solved: bool = False) -> tuple[Edit, ...]:
    """What some recipes write over a model, lowest first; `solved`: those that can be as one.

    `BadRequest` where one needs another that is not below it.
    """
    stack = EditStack(solved=solved)
    for place in places:
        stack = stack.add(read_recipe(place))
    return stack.on
