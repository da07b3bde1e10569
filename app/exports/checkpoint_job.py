"""An edited model built whole, as a folder on this machine: a job, since it needs the model itself."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from safetensors import SafetensorError

from analysis.cache_home import cache_home
from analysis.errors import BadRequest
from analysis.study import Report, Request, Study, silent
from analysis.whole_files import there
from app.exports.recipe_files import save_as
from editors.edit.edit import Edit
from editors.recipes.recipe import recipe_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

WIDTH = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a weight."""
LONGEST_NAME = 60


class CheckpointRequest(Request):
    """Build the model with this edit in its weights."""

    edit: str = Field(description="hash of all the edit says")


@dataclass(frozen=True)
class Checkpoint:
    """Where the edited model lies."""

    request: CheckpointRequest
    place: str


def size_of(card: dict[str, Any]) -> int:
    """Bytes of the weights of the model with this card."""
    return int(card["parameters"]) * WIDTH.get(card["dtype"], 4)


def place_of(edit: Edit) -> Path:
    """The folder an edited model is built in, called by the id of its recipe; of a brought one by all it says."""
    name = re.sub(r"[^\w.-]", "-", edit.model["name"])[:LONGEST_NAME]
    brought = f"-{edit.whole_id[:24]}" if edit.brought else ""
    return cache_home() / "exports" / f"{name}-{recipe_of(edit)[0]['id']}{brought}"


def build(
    lm: "LanguageModel", request: CheckpointRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> Checkpoint:
    """Write the model with the one edit in `stack` over it; `BadRequest` where the disk has no room."""
    (edit,) = stack
    place, needed = place_of(edit), size_of(lm.card())
    report(0, 1, "writing the model")
    try:
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(place.parent).free
            if needed > free:
                raise BadRequest(f"{place.parent} has {free / 1e9:.1f} GB free; the model takes {needed / 1e9:.1f} GB.")
            save_as(edit, "hf", place, lm)
    except (OSError, SafetensorError) as error:
        if not there(place):  # another process may have written it meanwhile
            raise BadRequest(
                f"The model cannot be written to {place.parent} ({error}). Nothing was written."
            ) from error
    report(1, 1, "written")
    return Checkpoint(request, str(place))


CHECKPOINT = Study("checkpoint", CheckpointRequest, Checkpoint, build, on_edits=True, kept=False)
