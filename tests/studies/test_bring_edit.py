"""Recipes from outside: whole from files or archive, refused with a sentence, never followed or run."""

import io
import json
import stat
import warnings
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from analysis.errors import BadFile, BadRequest
from app.exports import recipe_archive
from app.exports.recipe_archive import brought, refuse_other_weights
from app.exports.recipe_files import zipped
from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT, faults, recipe_id, recipe_of
from tests.kit.recipes import copy_of, made
from tests.kit.visiting import FACT, fine, press, text, visit, wrote
from tests.studies.test_edit_page import edit_of


def pair(edit: Edit) -> list[tuple[str, bytes]]:
    recipe, payload = recipe_of(edit)
    return [("mine.safetensors", payload), ("mine.json", json.dumps(recipe).encode())]


def archive(*members: tuple[str | ZipInfo, bytes]) -> list[tuple[str, bytes]]:
    held = io.BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same name twice is meant
        for name, data in members:
            file.writestr(name, data)
    return [("mine.zip", held.getvalue())]


def linked(name: str) -> ZipInfo:
    info = ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def members(edit: Edit) -> list[tuple[str, bytes]]:
    return [("recipe" + name.removeprefix("mine"), data) for name, data in pair(edit)]


@pytest.mark.parametrize("form", ["bundle", "script"])
def test_a_recipe_comes_back_as_it_went(form):
    edit = made(method="memit")
    assert brought([("palimpsest.zip", zipped(edit, form))]).id == edit.id
    assert brought(pair(edit)).id == brought(pair(edit)[::-1]).id == edit.id
    assert brought(archive(*[(f"a/folder/{name}", data) for name, data in members(edit)])).id == edit.id


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (list, "A .json file is missing"),
    "half": (lambda: pair(made())[1:], "A .safetensors file is missing"),
    "two": (lambda: pair(made()) * 2, "two files ending in"),
    "other kind": (lambda: [("evil.pt", b"\x80\x04")], "evil.pt is none of"),
    "no archive": (lambda: [("a.zip", b"PK\x03\x04 cut short")], "not an archive that can be read"),
    "an adapter": (lambda: [("a.zip", zipped(made(), "peft"))], "A .json file is missing"),
    "many files": (lambda: archive(*[(f"{i}", b"") for i in range(40)]), "holds 40 files"),
    "twice": (lambda: archive(*members(made()), members(made())[0]), "twice"),
    "no recipe": (lambda: [("a.json", b"[" * 200_000), ("a.safetensors", b"")], "not a recipe"),
    "other weights": (
        lambda: [pair(made())[1], ("b.safetensors", recipe_of(made(method="memit"))[1])],
        "hash mismatch",
    ),
    "names that climb": (lambda: archive(("../../recipe.json", b"")), "leads out of the archive"),
    "names from the root": (lambda: archive(("/etc/recipe.json", b"")), "leads out of the archive"),
    "names of a drive": (lambda: archive(("C:\\recipe.json", b"")), "leads out of the archive"),
    "a link": (lambda: archive((linked("recipe.json"), b"/etc/passwd")), "a link to another file"),
    "archives in it": (lambda: archive(("recipe.zip", b"")), "an archive in the archive"),
    "thousands of files": (lambda: archive(*[(f"{i}", b"") for i in range(2_000)]), "holds 2,000 files"),
}


@pytest.mark.parametrize("fault", list(WRONG))
def test_what_is_no_recipe_is_refused_with_a_sentence(fault):
    files, sentence = WRONG[fault]
    with pytest.raises(BadFile, match=sentence):
        brought(files())


@pytest.mark.parametrize("kind", [".json", ".safetensors"])
def test_more_than_may_be_is_not_unpacked(monkeypatch, kind):
    monkeypatch.setitem(recipe_archive.KINDS, kind, 1000)
    bomb = [(name, b"0" * 10_000_000 if name.endswith(kind) else data) for name, data in members(made())]
    packed = archive(*bomb)
    assert len(packed[0][1]) < 100_000
    with pytest.raises(BadFile, match=f"The {kind} file has 10 MB; at most 0 MB"):
        brought(packed)
    data = bytearray(packed[0][1])
    with ZipFile(io.BytesIO(bytes(data))) as file:
        size = next(one.file_size for one in file.infolist() if one.filename.endswith(kind))
    lied = bytes(data).replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    with pytest.raises(BadFile):
        brought([("mine.zip", lied)])


def resealed(change: Any) -> tuple[dict[str, Any], bytes]:
    recipe, payload = recipe_of(made(method="memit"))
    recipe = copy_of(recipe)
    change(recipe)
    recipe["id"] = recipe_id(recipe)
    return recipe, payload


CONTRADICTIONS: dict[str, Any] = {
    "layers of another model": lambda r: r["model"].update(layers=1),
    "no layers": lambda r: r["request"].update(layers=None),
    "no size": lambda r: r["artefact"]["tensors"][0].update(weight_norm=0),
    "a fact not asked": lambda r: r["evaluation"].pop(),
    "another kind": lambda r: r["evaluation"][0].update(kind="guess"),
    "another fact": lambda r: r["evaluation"][-1].update(fact=7),
    "no curve": lambda r: r["method"].update(loss=[]),
    "a short curve": lambda r: r["method"].update(former=[[0.1]]),
    "a key too few": lambda r: r["method"].update(key_ratio=[None]),
    "statistics of nothing": lambda r: r["method"].update(statistics=[{"tokens": "many", "corpus": "own"}]),
    "words without numbers": lambda r: r["glance"].update(words=["one"]),
    "time in words": lambda r: r["method"]["provenance"].update(seconds="long"),
    "an author of numbers": lambda r: r["identity"].update(author=[1]),
    "a model without a name": lambda r: (r["model"].update(name=None), r["base"].update(name=None)),
}


@pytest.mark.parametrize("name", list(CONTRADICTIONS))
def test_a_recipe_that_would_break_its_page_is_refused(name):
    recipe, payload = resealed(CONTRADICTIONS[name])
    assert faults(recipe, payload), name
    assert faults(*resealed(lambda r: None)) == []


def test_the_author_is_kept_when_a_recipe_is_read_and_written_again():
    edit = made()
    recipe, payload = recipe_of(edit.by("Ada"))
    again = brought([("a.json", json.dumps(recipe).encode()), ("a.safetensors", payload)])
    assert again.author == "Ada"
    assert recipe_of(again) == (recipe | {"brought": BROUGHT}, payload)
    assert again.id == edit.id
    assert recipe_of(again.by(""))[0]["identity"]["author"] == ""
    assert "author" not in recipe["method"]["provenance"]


def test_an_edit_of_other_weights_is_refused():
    edit = made()
    refuse_other_weights(edit, edit.model)
    with pytest.raises(BadRequest, match=r"other weights \(tiny-llama, .*…\) than those here .*Nothing was changed"):
        refuse_other_weights(edit, made("gpt2").model)
    with pytest.raises(BadRequest, match="still being loaded"):
        refuse_other_weights(edit, None)


def open_files(at: Any, files: list[tuple[str, bytes]]) -> Any:
    uploader = at.file_uploader[0]
    fine(uploader.set_value([(name, data, "application/octet-stream") for name, data in files]).run())
    return press(at, "edit-bring")


def test_a_recipe_is_opened_on_the_page(ready):
    edit = edit_of(wrote(fine(visit("edit", **FACT))))
    at = fine(visit("edit"))
    press(at, f"written-{edit.id}-remove")
    open_files(at, pair(edit.by("Ada")))
    assert "1 of 1 on" in text(at)
    assert edit_of(at).author == "Ada"
    assert at.session_state["edit.prompt"] == FACT["prompt"]
    assert "Did it hold, and did anything else move?" in text(at)
    open_files(at, pair(edit))
    assert "is written already. Nothing was changed." in text(at)
    assert "1 of 1 on" in text(at)


def test_a_recipe_of_other_weights_is_refused_on_the_page(ready):
    at = fine(visit("edit"))
    open_files(at, pair(made("gpt2")))
    assert "was made for other weights (tiny-gpt2" in at.error[0].value.replace("\\", "")
    assert "the model is as it was trained" in text(at)
    open_files(at, [pair(made())[0], pair(made(method="memit"))[1]])
    assert "hash mismatch" in text(at)
    assert "the model is as it was trained" in text(at)
