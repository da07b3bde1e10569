"""Recipes: whole, or refused with every fault."""

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from analysis.errors import BadFile, BadRequest
from editors import GenerateRequest, Rewrite, generate, write, written_over
from editors.recipes import recipe as recipes
from editors.recipes.recipe import (
    edit_of,
    faults,
    payload_place,
    read_files,
    read_recipe,
    recipe_id,
    recipe_of,
    write_recipe,
)
from editors.recipes.strict_json import NotStrict, strict_json
from tests.kit.recipes import IDS, altered, copy_of, edited_logits, leaves, made, resealed, turned_round


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


def test_an_edit_of_which_nothing_was_asked(tiny):
    """It has a title, so it can be put on and looked at; no recipe can be made of it, and that is said."""
    bare = write(tiny, made().request, glance=False, probe=False)
    assert bare.title == "tower of Aldra: … → river"
    assert generate(tiny, GenerateRequest(prompt=("the old tower",), tokens=1), stack=[bare]).edits == [bare.title]
    with pytest.raises(BadRequest, match="probe=True"):
        recipe_of(bare)


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
    assert faults(resealed(recipe, other), other) == [f"{name}.{side}: the factors hold numbers that are not finite."]


def test_factors_of_another_shape_are_told():
    recipe, payload = recipe_of(made())
    factors = load(payload)
    name = made().changes[0].name
    factors[f"{name}.left"] = factors[f"{name}.left"][:-1]
    other = save(factors)
    (fault,) = faults(resealed(recipe, other), other)
    assert fault.startswith(f"{name}.left: the factors are (31, 1)")
    del factors[f"{name}.left"]
    other = save(factors)
    (fault,) = faults(resealed(recipe, other), other)
    assert fault == f"{name}.left: the weights beside it do not hold it."


def test_weights_that_are_no_safetensors_are_told():
    recipe, _ = recipe_of(made())
    for other in (b"", b"\x80\x04 not tensors", b"\xff" * 64):
        (fault,) = faults(resealed(recipe, other), other)
        assert "cannot be read" in fault


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("request",), {}),
        (("request", "method"), "a: surgery"),
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
    other, payload = sealed(path, value)
    assert faults(other, payload)
    with pytest.raises(BadFile, match="Nothing was changed"):
        edit_of(other, payload)


def sealed(path: tuple, value: object) -> tuple[dict, bytes]:
    recipe, payload = recipe_of(made())
    other = copy_of(recipe)
    place = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with suppress(ValueError):
        other["id"] = recipe_id(other)
    return other, payload


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("method", "condition"), [1.0], "method.condition"),
        (("method", "statistics"), [{"tokens": 1, "corpus": "own", "grown": [1]}], "method.statistics.0.grown"),
        (("glance", "texts"), [["a", "b", ["c"]]], "glance.texts.0.2"),
        (("glance", "words"), [["city"]], "glance.words.0"),
        (("artefact", "tensors", 0, "rank"), 0, "artefact.tensors.0.rank"),
        (("artefact", "tensors", 0, "rank"), 10**9, "artefact.tensors.0.rank"),
        (("artefact", "tensors", 0, "transposed"), 0, "artefact.tensors.0.transposed"),
        (("artefact", "tensors", 0, "change_norm"), 9.9, "artefact.tensors.0.change_norm is 9.9"),
        (("identity", "title"), "another", "identity.title is “another”"),
        (("identity", "created_at"), "0001-01-01T00:00:00+00:00", "the year 1"),
        (("identity", "author"), "a\u202eb", "identity.author holds the character U+202E"),
        (("identity", "author"), "a\nb", "identity.author"),
        (("model", "more"), 1, "model.more"),
        (("model", "name"), "a\x00b", "U+0000"),
        (("request", "tokens"), 2**60, "request.tokens is a whole number beyond"),
        (("request", "layers"), [1.0], "request.layers"),
        (("request", "layers"), ["1"], "request.layers.0 is “1”"),
        (("request", "heads"), ["²"], "request.heads"),
        (("composition", "built_on"), ["x"], "composition.built_on.0"),
        (("evaluation", 0, "after", "said_probability"), 2.0, "evaluation.0.after.said_probability"),
        (("before", "argmax"), ["Rome"], "before.argmax.0"),
        (("audit",), [[]], "Event 1"),
    ],
)
def test_every_field_is_held_to_its_form_and_named(path, value, said):
    other, payload = sealed(path, value)
    found = faults(other, payload)
    assert any(said in one for one in found) or path[-1] == "heads", found
    assert path[-1] != "heads" or found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "“a” is said twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "a is a number beyond all bounds"),
        ('{"a": ' + "9" * 5000 + "}", "5000 digits"),
        ('{"a": "\\u0000"}', "U+0000"),
        ('{"a": "\\ud800"}', "U+D800"),
        ("[" * 100_000, "100000 deep"),
        ('{"a": ' + "[" * 17 + "]" * 17 + "}", "18 deep"),
    ],
)
def test_json_that_means_two_things_or_none_is_refused(text, said):
    with pytest.raises(NotStrict, match=re.escape(said)):
        strict_json(text)


def test_json_that_is_strict_is_read():
    assert strict_json('{"a": [1, 2.5, "]]]]]]]]]]]]]]]]]]]]\\"", null, true]}')["a"][1:4] == [
        2.5,
        "]" * 20 + '"',
        None,
    ]


def lying(change) -> bytes:
    """The weights of a recipe with another header."""
    payload = recipe_of(made())[1]
    size = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + payload[8 + size :]


NAME = "model.layers.1.mlp.down_proj.weight"
LIES = {
    "overlap": (lambda h: h[f"{NAME}.right"].update(data_offsets=[0, 192]), "begins at byte 0"),
    "beyond": (lambda h: h[f"{NAME}.right"].update(data_offsets=[128, 128 + 192 + 4096]), "its shape needs 192"),
    "type": (lambda h: h[f"{NAME}.left"].update(dtype="F16"), "are F16, not F32"),
    "more": (lambda h: h.update(x=h[f"{NAME}.left"]), "x: the weights hold it"),
    "shape": (lambda h: h[f"{NAME}.left"].update(shape=[1, 32]), "are (1, 32), not (32, 1)"),
    "no place": (lambda h: h[f"{NAME}.left"].pop("data_offsets"), "is not said with"),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_header_that_lies_about_its_tensors_is_told(lie):
    change, said = LIES[lie]
    payload = lying(change)
    recipe = resealed(recipe_of(made())[0], payload)
    recipe["artefact"]["bytes"] = len(payload)
    recipe["id"] = recipe_id(recipe)
    (fault,) = faults(recipe, payload)
    assert said in fault


def test_a_header_longer_than_the_file_is_told():
    payload = (2**62).to_bytes(8, "little") + recipe_of(made())[1][8:]
    assert (
        "header should have 4,611,686,018,427,387,904 bytes"
        in faults(resealed(recipe_of(made())[0], payload), payload)[0]
    )


def test_a_matrix_kept_the_other_way_round_is_not_written(tiny):
    edit = made()
    turned = replace(edit, changes=[replace(one, transposed=not one.transposed) for one in edit.changes])
    recipe, payload = recipe_of(turned)
    assert faults(recipe, payload) == []
    with pytest.raises(BadRequest, match=r"keeps it the other way\. Nothing was changed"), written_over(tiny, [turned]):
        pass


def test_what_the_model_said_is_kept_readable():
    """A model may say control characters; its recipe names them, and is a recipe."""
    edit = replace(made(), after=replace(made().after, said=["\x00\u202e"]))
    recipe, payload = recipe_of(edit)
    assert recipe["evaluation"][0]["after"]["said"] == "⟨U+0000⟩⟨U+202E⟩"
    assert recipe_of(edit_of(recipe, payload)) == (recipe, payload)
    with pytest.raises(ValueError, match=r"holds the character U\+0000"):
        Rewrite(prompt="{} is", subject="a\x00", target="b")
