"""An edit as a Python program that needs transformers and safetensors only."""

from pathlib import Path

from editors.edit.edit import Edit
from editors.recipes.model_card import card
from editors.recipes.programs import put_program
from editors.recipes.recipe import write_recipe

USE = (
    'Needs `pip install torch transformers safetensors`; then `python edited.py "A prompt"`. It loads the base, '
    "compares the hash of its weights with that of the model that was edited, adds the change and goes on from the "
    "prompt. With another base it ends with 2 and says so; `--anyway` goes on knowingly. In a program of your own: "
    "`from edited import edited`."
)


def save_script(edit: Edit, folder: Path) -> None:
    """Write edited.py with what it reads: edit.json, base_model.py, and the recipe it comes from."""
    edit.refuse_unless_alone()
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(edit, folder / "recipe.json")
    put_program(edit, folder, "edited.py")
    (folder / "README.md").write_text(card(edit, "transformers", USE), encoding="utf-8")
