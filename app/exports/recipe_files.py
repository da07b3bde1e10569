"""What a person takes away of an edit: recipe bundle, PEFT adapter, checkpoint, script.

Each is a folder that says where the base comes from, with a program that checks it where one is needed.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from analysis.errors import BadRequest
from editors.edit.edit import Edit

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def refuse_what_is_there(place: Path) -> None:
    """Raise `BadRequest` where a folder could not be new."""
    if place.exists():
        raise BadRequest(f"{place} is there already. Nothing was written; name another folder.")


def save_as(
    edit: Edit, form: str, place: Path, lm: "LanguageModel | None" = None, rank: int | None = None
) -> list[str]:
    """Write an edit into a new folder in the form bundle, peft, hf (needs the model) or script; whole or not at all.

    `rank`: what an adapter is cut to. Returns what is not exact about the form, a sentence each.
    """
    refuse_what_is_there(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as around:
        new = Path(around) / "new"
        inexact = _save(edit, form, new, lm, rank)
        new.rename(place)
    return inexact


def _save(edit: Edit, form: str, folder: Path, lm: "LanguageModel | None", rank: int | None) -> list[str]:
    if rank is not None and form != "peft":
        raise BadRequest(f"A rank is for the form peft; “{form}” holds the change as it is.")
    if form == "bundle":
        from editors.recipes.bundle import save_recipe

        save_recipe(edit, folder)
    elif form == "peft":
        from editors.recipes.peft_lora import save_lora

        return save_lora(edit, folder, rank, lm)
    elif form == "script":
        from editors.recipes.script import save_script

        save_script(edit, folder)
    elif form == "hf":
        from editors.recipes.checkpoint import save_checkpoint

        if lm is None:
            raise BadRequest("A checkpoint needs the model itself in memory.")
        save_checkpoint(lm, edit, folder)
    else:
        raise BadRequest(f"There is no form “{form}”. There are bundle, peft, hf and script.")
    return []


def zipped(edit: Edit, form: str, lm: "LanguageModel | None" = None, rank: int | None = None) -> bytes:
    """The same folder as one zip file, in memory: not for a whole model."""
    with tempfile.TemporaryDirectory() as around:  # weights hardly get smaller, and what reads them bounds by how much
        folder, archive = Path(around) / "files", Path(around) / "files.zip"
        _save(edit, form, folder, lm, rank)
        with ZipFile(archive, "w", ZIP_DEFLATED) as file:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    packing = ZIP_STORED if path.suffix == ".safetensors" else ZIP_DEFLATED
                    file.write(path, path.relative_to(folder), packing)
        return archive.read_bytes()
