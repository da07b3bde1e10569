"""Recipes that flags name, as the edits that are on."""

from pathlib import Path

from editors.edit.edit import Edit
from editors.edit.stack import EditStack
from editors.recipes.recipe import read_recipe


def stacked(places: list[Path]) -> tuple[Edit, ...]:
    """The edits of some recipes, lowest first; `BadRequest` where one needs another that is not below it."""
    stack = EditStack()
    for place in places:
        stack = stack.add(read_recipe(place))
    return stack.on
