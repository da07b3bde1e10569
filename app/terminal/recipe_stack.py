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


def stacked(places: list[Path]) -> tuple[Edit, ...]:
    """The edits of some recipes, lowest first; `BadRequest` where one needs another that is not below it."""
    stack = EditStack()
    for place in places:
        stack = stack.add(read_recipe(place))
    return stack.on
