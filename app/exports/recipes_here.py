"""Recipes that lie in a folder, found by the edits they hold: how a notebook brings the edits of its result along."""

from collections.abc import Iterator
from pathlib import Path

from analysis.errors import BadFile, BadRequest
from app.exports.recipe_archive import LARGEST_WEIGHTS, brought
from editors.edit.edit import Edit
from editors.recipes.recipe import read_recipe


def recipes_here(*ids: str, folder: Path | str = ".") -> list[Edit]:
    """The edits with these ids, in this order, from the recipes in `folder`, zipped or not, whatever their names.

    A result that was made under a brought edit names it by all its recipe says, any other by what is done to weights.

    Raises `BadRequest` naming each edit whose recipe is not there.
    """
    place = Path(folder)
    found: dict[str, Edit] = {}
    for edit in _edits(place):
        found |= {edit.id: edit.as_brought(False), edit.as_brought().key: edit.as_brought()}
    if absent := [one for one in ids if one not in found]:
        raise BadRequest(
            f"{place.resolve()} holds no recipe of {' and '.join(f'edit {one[:12]}' for one in absent)}. Take it away "
            "as a recipe from the Edit page, and put the .zip there."
        )
    return [found[one] for one in ids]


def _edits(place: Path) -> Iterator[Edit]:
    for file in sorted((*place.glob("*.zip"), *place.glob("*.json"), *place.glob("*/recipe.json"))):
        if file.stat().st_size > LARGEST_WEIGHTS:
            continue
        try:
            yield brought([(file.name, file.read_bytes())]) if file.suffix == ".zip" else read_recipe(file)
        except (BadFile, BadRequest):
            continue  # some other file
