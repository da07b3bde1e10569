"""Valid recipes to begin from, of a tiny model with random weights, and every door a recipe goes through."""

import ast
import hashlib
import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch

from analysis.errors import WorkbenchError
from analysis.model.language_model import LanguageModel
from app.bench.models.random_model import random_model
from app.charts.html import result_html
from app.charts.palette import written
from app.charts.panels import panels
from app.exports.checkpoint_job import place_of
from app.exports.edit_notebook import edit_notebook
from app.exports.json_csv import csv_file, to_json
from app.exports.recipe_archive import brought, refuse_other_weights
from app.exports.recipe_files import save_as, zipped
from app.exports.sheet import sheet
from app.jobs.run_entry import run_of
from app.registry.studies import STUDIES
from app.session.address import address
from app.session.standing import marks
from editors.edit.apply import matrices_of, written_over
from editors.edit.edit import Edit
from editors.edit.matrices import refuse_other_matrices
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write
from editors.recipes.recipe import recipe_id, recipe_of

TEXT = "the old tower of Aldra stands in a river city near"
FACTS = (
    Rewrite(prompt="the old {} stands in a", subject="tower of Aldra", target="river"),
    Rewrite(prompt="near a {} stands a", subject="city", target="tower"),
)
FORMS = ("bundle", "peft", "script")
Files = list[tuple[str, bytes]]


@cache
def tiny() -> LanguageModel:
    """The model: seconds to make and to edit."""
    lm = random_model("qwen3-tiny", torch.device("cpu"), torch.float32, (TEXT,))
    lm.own_hash = hashlib.sha256(b"qwen3-tiny").hexdigest()
    return lm


@cache
def valid(number: int) -> Edit:
    """One of a few edits: one fact, two facts at two layers, and silenced heads."""
    small: dict[str, Any] = {"contexts": 0, "steps": 3, "tokens": 200, "source": "shipped"}
    requests = (
        EditRequest(facts=FACTS[:1], method="rome", layers=(1,), **small),
        EditRequest(facts=FACTS, method="memit", layers=(1, 2), **small),
        EditRequest(facts=FACTS[:1], method="prune", heads=("1.2", "2.0")),
    )
    return write(tiny(), requests[number % len(requests)])


def pair(recipe: Any, payload: bytes) -> Files:
    """A recipe as the two files a person brings; text is taken as it is."""
    text = (
        recipe if isinstance(recipe, bytes) else json.dumps(recipe, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )
    return [("mine.json", text), ("mine.safetensors", payload)]


def resealed(recipe: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """The recipe with the hashes of what it holds now, as a forger would."""
    if isinstance(recipe.get("artefact"), dict):
        recipe["artefact"] = recipe["artefact"] | {
            "sha256": hashlib.sha256(payload).hexdigest(),
            "bytes": len(payload),
        }
    with suppress(ValueError, TypeError):  # of what is no strict JSON no id would be right
        recipe["id"] = recipe_id(recipe)
    return recipe


def through(files: Files) -> bool:
    """Bring files, and take what was read through every door; False where it was refused with a sentence."""
    try:
        edit = brought(files)
        refuse_other_weights(edit, tiny().card())
        refuse_other_matrices(matrices_of(tiny()), edit)
    except WorkbenchError as refused:
        _refuse_empty(refused)
        return False
    again = brought([("again.zip", zipped(edit, "bundle"))])
    if (again.id, again.key, recipe_of(again)) != (edit.id, edit.key, recipe_of(edit)):
        raise AssertionError("A recipe does not come back as it went.")
    _shown(edit)
    _applied(edit)
    _taken_away(edit)
    return True


def _refuse_empty(refused: WorkbenchError) -> None:
    """Every line of a refusal is a sentence that can be shown."""
    for line in str(refused).splitlines():
        if not line.strip().endswith((".", ":")) or len(line) > 2_000:
            raise AssertionError(f"This is no sentence: {line[:200]!r}")


def _shown(edit: Edit) -> None:
    """What margin, page, rail and links read."""
    STUDIES["edit"].request.model_validate(edit.request.model_dump(mode="json"))
    if not any("brought" in words for _, words in marks(edit)):
        raise AssertionError("Nothing says that it was brought.")
    run_of(STUDIES["edit"], edit.whole_id, edit)
    for one in panels(edit, written("light")):
        one.figure.to_json()
    if not edit.request.silences:  # they have no page of its own to link to
        address(edit)
    hash((edit.title, *edit.sides, place_of(edit)))


def _applied(edit: Edit) -> None:
    """On and off again, to the byte."""
    lm = tiny()
    before = _bytes(lm)
    with written_over(lm, [edit]), torch.no_grad():
        lm.logits(lm.encode(TEXT).tensor())
    if _bytes(lm) != before:
        raise AssertionError("The weights are other ones after the edit was taken off.")


def _bytes(lm: LanguageModel) -> str:
    digest = hashlib.sha256()
    for parameter in lm.parameters.values():
        digest.update(parameter.detach().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _taken_away(edit: Edit) -> None:
    """Every form; each that says something of the answers says that they were brought."""
    files = {"csv": csv_file(edit), "json": to_json(edit), "html": result_html(edit), "sheet": json.dumps(sheet(edit))}
    for form, text in files.items():
        if "not measured here" not in str(text):
            raise AssertionError(f"Its {form} does not say that it was brought.")
    if not edit.built_on:
        for cell in json.loads(edit_notebook(edit))["cells"]:
            if cell["cell_type"] == "code":
                ast.parse(cell["source"])
    with tempfile.TemporaryDirectory() as work:
        for form in (*FORMS, "hf"):
            _saved(edit, form, Path(work) / form)


def _saved(edit: Edit, form: str, place: Path) -> None:
    try:
        save_as(edit, form, place, tiny())
    except WorkbenchError as refused:  # not every edit has every form
        _refuse_empty(refused)
        return
    card = (place / "README.md").read_text(encoding="utf-8")
    _, front, body = card.split("---\n", 2)
    if "not measured here" not in body or not _fields(front.splitlines()) <= {"base_model", "library_name", "tags"}:
        raise AssertionError(f"The card of its form {form} says something else.")


def _fields(lines: Sequence[str]) -> set[str]:
    return {line.partition(":")[0] for line in lines}
