"""The programs that go with what is taken away, and edit.json, which tells them what to do."""

import json
import shutil
from pathlib import Path
from typing import Any

from editors.edit.base_model import base_of
from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT

ALONE = Path(__file__).with_name("alone")


def put_program(edit: Edit, folder: Path, name: str, more: dict[str, Any] | None = None) -> None:
    """Write a program, what it needs to load and check the base, and edit.json, which also says `more`."""
    for file in (name, "base_model.py"):
        shutil.copyfile(ALONE / file, folder / file)
    put_rebuild(edit, folder)
    changes = [
        {"name": change.name, "transposed": change.transposed, "base_hash": change.base_hash} for change in edit.changes
    ]
    told = {
        "title": edit.title,
        "prompt": edit.request.facts[0].text,
        "base": base_of(edit.model).plain(),
        "changes": changes,
        **({"answers": BROUGHT} if edit.brought else {}),
    } | (more or {})
    text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / "edit.json").write_text(text, encoding="utf-8")


def put_rebuild(edit: Edit, folder: Path) -> None:
    """Write rebuild_base.py, where the base has to be rebuilt to be the same."""
    if base_of(edit.model).rebuilt:
        shutil.copyfile(ALONE / "rebuild_base.py", folder / "rebuild_base.py")
