"""Recipes: whole or refused with every fault, and every form of an export says what the edited model says."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.numpy import load, save
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from analysis.errors import BadFile, BadRequest
from analysis.generation import continuations
from analysis.model import LanguageModel
from app.take_edit import save_as, zipped
from editors import recipe as recipes
from editors.applying import written_over
from editors.as_checkpoint import save_checkpoint
from editors.as_lora import save_lora
from editors.as_script import save_script
from editors.edit import Edit
from editors.recipe import edit_of, faults, payload_place, read_files, read_recipe, recipe_id, recipe_of, write_recipe
from editors.writing import write
from tests.conftest import cached
from tests.families import build, language_model, word_tokenizer
from tests.test_editing import CITY, TOWER, asked, parameters, unchanged

IDS = torch.tensor([[1, 2, 3, 4, 5, 8], [9, 2, 31, 7, 40, 11]])


@cache
def made(family: str = "llama", method: str = "rome") -> Edit:
    facts = (TOWER,) if method == "rome" else (TOWER, CITY)
    return write(cached(family), asked(method, *facts))


def edited_logits(lm: LanguageModel, edit: Edit) -> Tensor:
    with written_over(lm, [edit]), torch.no_grad():
        return lm.logits(IDS)


def logits_of(model: Any) -> Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=IDS, use_cache=False).logits.float()


def same(one: Tensor, other: Tensor) -> bool:
    return float((one - other).abs().max()) <= 1e-4


def copy_of(recipe: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(recipe))


def resealed(recipe: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """The recipe with the hashes of what it holds now, so that they are no fault."""
    whole = copy_of(recipe)
    whole["artefact"]["sha256"] = hashlib.sha256(payload).hexdigest()
    whole["id"] = recipe_id(whole)
    return whole


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict | list) and value:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path


def altered(recipe: dict[str, Any], path: tuple) -> dict[str, Any]:
    changed = copy_of(recipe)
    place = changed
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    if isinstance(value, bool):
        place[path[-1]] = not value
    else:
        place[path[-1]] = value + 1 if isinstance(value, int | float) else f"{value}x"
    return changed


def turned_round(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: turned_round(value[key]) for key in reversed(value)}
    return [turned_round(part) for part in value] if isinstance(value, list) else value


# There and back


@pytest.mark.parametrize("method", ["rome", "memit"])
def test_a_recipe_is_the_edit(tiny, tmp_path, method):
    edit = made(method=method)
    written = write_recipe(edit, tmp_path / "some" / "one.json", "Ada")
    read = read_recipe(tmp_path / "some" / "one.json")
    assert read.id == edit.id
    assert read.title == edit.title
    assert torch.equal(edited_logits(tiny, read), edited_logits(tiny, edit))
    assert not torch.equal(edited_logits(tiny, read), tiny.logits(IDS))
    assert recipe_of(read, "Ada") == recipe_of(edit, "Ada")
    assert recipe_of(read, "Ada")[0] == written == read_files(tmp_path / "some" / "one.json")[0]
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["one.json", "one.safetensors"]


def test_a_recipe_goes_through_memory_alone():
    edit = made()
    assert edit_of(*recipe_of(edit)).id == edit.id
    assert edit_of(*recipe_of(replace(edit, glance=None))).glance is None


def test_a_recipe_says_before_and_after():
    edit = made(method="memit")
    recipe, payload = recipe_of(edit)
    assert len(recipe["before"]["target"]) == len(recipe["after"]["target"]) == len(edit.request.facts)
    assert recipe["base"]["tensors"] == {change.name: change.base_hash for change in edit.changes}
    assert recipe["artefact"]["bytes"] == len(payload)
    assert len(recipe["evaluation"]) == len(edit.probes)


def test_the_id_does_not_depend_on_the_order_of_keys(tmp_path):
    recipe, payload = recipe_of(made())
    other = turned_round(recipe)
    assert list(other) != list(recipe)
    assert recipe_id(other) == recipe["id"]
    place = tmp_path / "other.json"
    place.write_text(json.dumps(other, indent=7), encoding="utf-8")
    payload_place(place).write_bytes(payload)
    assert read_recipe(place).id == made().id


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_recipe(made(), tmp_path / "one.json")
    assert list(tmp_path.iterdir()) == []


# Faults


def test_any_field_that_changes_is_told():
    recipe, payload = recipe_of(made())
    assert faults(recipe, payload) == []
    paths = list(leaves(recipe))
    assert len(paths) > 60
    for path in paths:
        other = altered(recipe, path)
        assert faults(other, payload), path
        assert path == ("id",) or recipe_id(other) != recipe["id"], path
        with pytest.raises(BadFile, match="Nothing was changed"):
            edit_of(other, payload)


def test_any_byte_of_the_weights_that_changes_is_told():
    recipe, payload = recipe_of(made())
    for place in (0, 9, len(payload) // 2, len(payload) - 1):
        other = bytearray(payload)
        other[place] ^= 1
        assert any("hash mismatch" in fault for fault in faults(recipe, bytes(other)))
    for other in (payload[:-1], payload + b"\0", b""):
        assert any("hash mismatch" in fault for fault in faults(recipe, bytes(other)))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"not json", b"\xff\xfe\x00", b"[]", b"{}", b'"text"', b"null", b"NaN",
        b'{"schema": "palimpsest-recipe/2"}', b'{"schema": "palimpsest-recipe/1"}', b"[" * 200_000,
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_refused_with_a_sentence(tmp_path, content):
    place = tmp_path / "one.json"
    write_recipe(made(), place)
    place.write_bytes(content)
    with pytest.raises(BadFile) as refusal:
        read_recipe(place)
    assert str(refusal.value).endswith(".")


def test_a_truncated_recipe_is_refused(tmp_path):
    place = tmp_path / "one.json"
    write_recipe(made(), place)
    whole = place.read_bytes()
    for share in (0.1, 0.5, 0.99):
        place.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BadFile, match="not a recipe"):
            read_recipe(place)


def test_a_recipe_needs_both_its_files(tmp_path):
    place = tmp_path / "one.json"
    with pytest.raises(BadFile, match=r"no file .*one\.json"):
        read_recipe(place)
    write_recipe(made(), place)
    payload_place(place).unlink()
    with pytest.raises(BadFile, match=r"no file .*one\.safetensors"):
        read_recipe(place)
    payload_place(place).mkdir()
    with pytest.raises(BadFile, match=r"no file .*one\.safetensors"):
        read_recipe(place)


@pytest.mark.parametrize("limit", ["LARGEST_JSON", "LARGEST_PAYLOAD"])
def test_files_too_large_are_not_read(tmp_path, monkeypatch, limit):
    write_recipe(made(), tmp_path / "one.json")
    monkeypatch.setattr(recipes, limit, 100)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(BadFile, match="MB are read"):
        read_recipe(tmp_path / "one.json")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["left", "right"])
def test_factors_that_are_not_finite_are_told(value, side):
    recipe, payload = recipe_of(made())
    factors = load(payload)
    name = made().changes[0].name
    factors[f"{name}.{side}"][0, 0] = value
    other = save(factors)
    assert faults(resealed(recipe, other), other) == [f"{name}: the factors hold numbers that are not finite."]


def test_factors_of_another_shape_are_told():
    recipe, payload = recipe_of(made())
    factors = load(payload)
    name = made().changes[0].name
    factors[f"{name}.left"] = factors[f"{name}.left"][:-1]
    other = save(factors)
    (fault,) = faults(resealed(recipe, other), other)
    assert fault.startswith(f"{name}: the factors are (31, 1)")
    del factors[f"{name}.left"]
    other = save(factors)
    (fault,) = faults(resealed(recipe, other), other)
    assert "cannot be read" in fault


def test_weights_that_are_no_safetensors_are_told():
    recipe, _ = recipe_of(made())
    for other in (b"", b"\x80\x04 not tensors", b"\xff" * 64):
        (fault,) = faults(resealed(recipe, other), other)
        assert "cannot be read" in fault


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("request",), {}),
        (("request", "method"), "surgery"),
        (("request", "facts"), []),
        (("base", "tensors"), {}),
        (("base",), []),
        (("artefact", "tensors", 0, "shape"), [1]),
        (("artefact", "tensors", 0, "layer"), "one"),
        (("artefact", "tensors", 0, "weight_norm"), None),
        (("artefact", "tensors"), 7),
        (("model",), None),
        (("model",), {}),
        (("method",), {}),
        (("method", "loss"), [["much"]]),
        (("evaluation",), [{}]),
        (("evaluation",), []),
        (("composition",), {}),
        (("glance",), {}),
        (("identity", "author"), float("nan")),
        (("identity", "author"), "\ud800"),
    ],
)
def test_a_recipe_that_was_sealed_badly_is_told(path, value):
    recipe, payload = recipe_of(made())
    other = copy_of(recipe)
    place = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with suppress(ValueError):
        other["id"] = recipe_id(other)
    assert faults(other, payload)
    with pytest.raises(BadFile, match="Nothing was changed"):
        edit_of(other, payload)


# Forms of export


@pytest.mark.parametrize(
    ("family_name", "method"),
    [("llama", "rome"), ("llama", "memit"), ("gpt2", "memit"), ("neox", "rome"), ("opt", "pmet")],
)
def test_the_adapter_says_what_the_edited_model_says(tmp_path, family_name, method):
    edit, lm = made(family_name, method), cached(family_name)
    save_lora(edit, tmp_path / "adapter")
    plain = build(family_name)
    adapted = PeftModel.from_pretrained(plain, tmp_path / "adapter")
    assert same(logits_of(adapted), edited_logits(lm, edit))
    with adapted.disable_adapter():
        assert same(logits_of(adapted), lm.logits(IDS))
    assert same(logits_of(adapted.merge_and_unload()), edited_logits(lm, edit))


def test_an_adapter_holds_changes_of_different_rank(tiny, tmp_path):
    one, two = made(), made(method="memit")
    edit = replace(one, changes=[two.changes[0], *one.changes])
    assert [change.rank for change in edit.changes] == [2, 1]
    save_lora(edit, tmp_path / "adapter")
    adapted = PeftModel.from_pretrained(build("llama"), tmp_path / "adapter")
    assert same(logits_of(adapted), edited_logits(tiny, edit))


@pytest.mark.parametrize(
    ("family_name", "method"),
    [("llama", "memit"), ("llama_tied", "rome"), ("gpt2", "rome"), ("gemma2", "rome"), ("phi3", "memit")],
)
def test_the_checkpoint_says_what_the_edited_model_says(tmp_path, family_name, method):
    edit, lm = made(family_name, method), cached(family_name)
    before = parameters(lm)
    save_checkpoint(lm, edit, tmp_path / "model")
    assert unchanged(lm, before)
    fresh, found = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", attn_implementation="eager", output_loading_info=True
    )
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    assert same(logits_of(fresh), edited_logits(lm, edit))
    assert not same(logits_of(fresh), lm.logits(IDS))
    tied = [other.config.tie_word_embeddings for other in (fresh, lm.model)]
    assert tied[0] == tied[1]
    assert AutoTokenizer.from_pretrained(tmp_path / "model")("old tower")["input_ids"] == [2, 3]
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert edit.id in card
    assert edit.request.facts[0].text in card


RUN = """
import json, runpy, sys
script, folder, prompt = sys.argv[1:]
sys.argv = [script, "--model", folder, "--tokens", "6", prompt]
said = runpy.run_path(script, run_name="__main__")
import torch
with torch.no_grad():
    print(json.dumps(said["model"](input_ids=torch.tensor(IDS), use_cache=False).logits.tolist()))
assert not {"analysis", "app", "editors"} & sys.modules.keys()
"""


@pytest.mark.parametrize(("family_name", "method"), [("llama", "memit"), ("gpt2", "rome")])
def test_the_script_says_what_the_edited_model_says(tmp_path, family_name, method):
    edit, lm = made(family_name, method), cached(family_name)
    build(family_name).save_pretrained(tmp_path / "model")
    word_tokenizer().save_pretrained(tmp_path / "model")
    save_script(edit, tmp_path / "script")
    prompt = TOWER.text
    words = [str(tmp_path / "script" / "edited.py"), str(tmp_path / "model"), prompt]
    code = RUN.replace("IDS", str(IDS.tolist()))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *words],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text, logits = done.stdout.splitlines()
    assert same(torch.tensor(json.loads(logits)), edited_logits(lm, edit))
    ids = list(lm.encode(prompt).ids)
    with written_over(lm, [edit]):
        said = [int(chosen) for chosen in continuations(lm, torch.tensor([ids]), 6)]
    said = said[: said.index(0)] if 0 in said else said
    assert text == lm.tokenizer.decode(ids + said, skip_special_tokens=True)


def test_a_recipe_puts_no_code_into_the_script(tmp_path):
    edit = made()
    code = "edited = 1; raise SystemExit"
    model = edit.model | {"source": f'a\\"""\n{code}\n"""', "dtype": f"float32)\n{code}\n("}
    changes = [replace(edit.changes[0], name="true.false.weight")]
    save_script(replace(edit, model=model, changes=changes), tmp_path / "script")
    text = (tmp_path / "script" / "edited.py").read_text(encoding="utf-8")
    found: dict[str, Any] = {"__name__": "edited", "__file__": "edited.py"}
    exec(compile(text, "edited.py", "exec"), found)  # noqa: S102
    assert callable(found["edited"])
    assert found["BASE"] == model["source"]
    assert found["CHANGES"] == [{"name": "true.false.weight", "transposed": False}]


@pytest.mark.parametrize("form", ["bundle", "peft", "script", "hf"])
def test_a_folder_that_is_there_is_left_alone(tiny, tmp_path, form):
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine").write_text("mine")
    with pytest.raises(BadRequest, match="is there already"):
        save_as(made(), form, there, tiny)
    assert [path.name for path in there.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [there]


@pytest.mark.parametrize(
    ("form", "fails"),
    [
        ("bundle", "editors.recipe._put"),
        ("peft", "editors.as_lora.json.dumps"),
        ("script", "editors.as_script.shutil.copyfile"),
        ("hf", "editors.as_checkpoint._card"),
    ],
)
def test_a_failure_leaves_nothing_behind(tiny, tmp_path, monkeypatch, form, fails):
    def fail(*_: object, **__: object) -> None:
        raise OSError("on purpose")

    before = parameters(tiny)
    edit = made()
    monkeypatch.setattr(fails, fail)
    with pytest.raises(OSError, match="on purpose"):
        save_as(edit, form, tmp_path / "new", tiny)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert unchanged(tiny, before)


def test_forms_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(BadRequest, match="needs the model"):
        save_as(made(), "hf", tmp_path / "new")
    with pytest.raises(BadRequest, match="There are bundle, peft, hf and script"):
        save_as(made(), "pdf", tmp_path / "new")
    other = language_model("llama", seed=5)
    before = parameters(other)
    with pytest.raises(BadRequest, match="Nothing was changed"):
        save_as(made(), "hf", tmp_path / "new", other)
    assert unchanged(other, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["bundle", "peft", "script", "hf"])
def test_a_zip_is_the_folder(tiny, tmp_path, form):
    save_as(made(), form, tmp_path / "folder", tiny)
    files = {str(path.relative_to(tmp_path / "folder")): path.read_bytes() for path in (tmp_path / "folder").rglob("*")}
    with ZipFile(io.BytesIO(zipped(made(), form, tiny))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


@pytest.mark.parametrize("form", ["peft", "script", "hf"])
def test_what_needs_others_below_is_taken_as_a_recipe_only(tiny, tmp_path, form):
    below = write(tiny, asked())
    edit = write(tiny, asked("alphaedit", CITY), stack=[below])
    assert edit.built_on == [below.id]
    with pytest.raises(BadRequest, match="on top of other edits"):
        save_as(edit, form, tmp_path / "out", tiny)
    assert not (tmp_path / "out").exists()
    save_as(edit, "bundle", tmp_path / "out")
    assert read_recipe(tmp_path / "out" / "recipe.json").built_on == [below.id]
