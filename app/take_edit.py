"""What a person takes away of an edit: recipe bundle, PEFT adapter, checkpoint, script."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

from analysis.errors import BadRequest
from editors.edit import Edit

if TYPE_CHECKING:
    from analysis.model import LanguageModel


def refuse_what_is_there(place: Path) -> None:
    """Raise `BadRequest` where a folder could not be new."""
    if place.exists():
        raise BadRequest(f"{place} is there already. Nothing was written; name another folder.")


def save_as(edit: Edit, form: str, place: Path, lm: "LanguageModel | None" = None) -> None:
    """Write an edit into a new folder in the form bundle, peft, hf (needs the model) or script; whole or not at all."""
    refuse_what_is_there(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as around:
        new = Path(around) / "new"
        _save(edit, form, new, lm)
        new.rename(place)


def _save(edit: Edit, form: str, folder: Path, lm: "LanguageModel | None") -> None:
    if form == "bundle":
        from editors.recipe import write_recipe

        write_recipe(edit, folder / "recipe.json")
    elif form == "peft":
        from editors.as_lora import save_lora

        save_lora(edit, folder)
    elif form == "script":
        from editors.as_script import save_script

        save_script(edit, folder)
    elif form == "hf":
        from editors.as_checkpoint import save_checkpoint

        if lm is None:
            raise BadRequest("A checkpoint needs the model itself in memory.")
        save_checkpoint(lm, edit, folder)
    else:
        raise BadRequest(f"There is no form “{form}”. There are bundle, peft, hf and script.")


def zipped(edit: Edit, form: str, lm: "LanguageModel | None" = None) -> bytes:
    """The same folder as one zip file."""
    with tempfile.TemporaryDirectory() as around:
        folder, archive = Path(around) / "edit", Path(around) / "edit.zip"
        _save(edit, form, folder, lm)
        with ZipFile(archive, "w", ZIP_DEFLATED) as file:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(folder))
        return archive.read_bytes()
