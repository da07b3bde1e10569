"""An edit as a recipe in a folder, with what says how to come by its base."""

from pathlib import Path

from editors.edit.edit import Edit
from editors.recipes.model_card import card
from editors.recipes.programs import put_rebuild
from editors.recipes.recipe import write_recipe

USE = (
    "Palimpsest opens it, or applies it with `palimpsest apply recipe.json`. Without Palimpsest: to each matrix that "
    "recipe.json lists under artefact, tensors, add `NAME.left @ NAME.right` of recipe.safetensors in float32, turned "
    "round where it says transposed; base, tensors holds the hash of each matrix before."
)


def save_recipe(edit: Edit, folder: Path) -> None:
    """Write recipe.json and recipe.safetensors, a card, and rebuild_base.py where the base is to be rebuilt."""
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(edit, folder / "recipe.json")
    put_rebuild(edit, folder)
    (folder / "README.md").write_text(card(edit, "transformers", _use(edit)), encoding="utf-8")


def _use(edit: Edit) -> str:
    below = f" It was found on top of {', '.join(edit.built_on)}; those go on first." if edit.built_on else ""
    return USE + below
