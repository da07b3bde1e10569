"""Signatures cover recipe, factors and trail and survive what a recipe goes through; what does not hold is told."""

import json
import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from analysis.errors import BadFile, BadRequest
from app.cli import main
from app.exports.recipe_archive import brought
from app.exports.recipe_files import zipped
from editors.recipes.audit_trail import appended
from editors.recipes.recipe import edit_of, faults, read_files, recipe_id, recipe_of, write_recipe
from editors.recipes.signatures import MOST, fingerprint, new_key, public_of, read_key, signed, standings, told
from tests.kit.commands import refused
from tests.kit.recipes import altered, copy_of, leaves, made, turned_round

AT = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def key(tmp_path):
    (tmp_path / "ada.pem").write_bytes(new_key())
    return read_key(tmp_path / "ada.pem")


def test_a_signature_covers_every_field_of_the_recipe(key):
    recipe, payload = recipe_of(made().by("Ada"))
    whole = signed(recipe, key, "Ada", AT)
    assert faults(whole, payload) == []
    assert recipe_id(whole) == recipe["id"]
    (one,) = standings(whole)
    assert (one.who, one.key, one.holds, one.later) == ("Ada", public_of(key), True, 0)
    assert standings(turned_round(whole))[0].holds
    for path in leaves(recipe):
        other = altered(whole, path)
        assert path == ("id",) or not standings(other)[0].holds, path
    for name in ("who", "at", "key", "head", "signature"):
        other = copy_of(whole)
        text = other["signatures"][0][name]
        other["signatures"][0][name] = ("0" if text[0] != "0" else "1") + text[1:]
        assert not standings(other)[0].holds, name


def test_a_signature_covers_the_trail_up_to_where_it_was(key):
    recipe, payload = recipe_of(made())
    for number in range(2):
        recipe["audit"] = appended(recipe.get("audit", []), "note", "Ada", {"n": number}, recipe=recipe["id"], at=AT)
    whole = signed(recipe, key, "Ada", AT)
    assert whole["signatures"][0]["events"] == 2
    longer = whole | {"audit": appended(whole["audit"], "applied", "Bo", recipe=recipe["id"], at=AT)}
    assert standings(longer)[0].holds
    assert standings(longer)[0].later == 1
    assert "before the last event" in told(longer)
    assert not standings(whole | {"audit": whole["audit"][:1]})[0].holds
    rewritten = appended(whole["audit"][:1], "note", "Eve", recipe=recipe["id"], at=AT)
    assert not standings(whole | {"audit": rewritten})[0].holds
    assert faults(whole | {"audit": rewritten}, payload) == []
    again = signed(longer, key, "Ada", AT)
    assert len(again["signatures"]) == 1
    assert again["signatures"][0]["events"] == 3


def test_a_signature_goes_where_the_recipe_goes(key):
    recipe, payload = recipe_of(made())
    whole = signed(recipe, key, "Ada", AT)
    edit = edit_of(whole, payload)
    assert recipe_of(edit) == (whole, payload)
    again = brought([("a.zip", zipped(edit, "bundle"))])
    assert recipe_of(again)[0]["signatures"] == whole["signatures"]
    assert standings(recipe_of(brought([("b.zip", zipped(again, "script"))]))[0])[0].holds
    assert "signatures" not in recipe_of(edit.by("Eve"))[0]
    assert "signatures" not in recipe_of(edit, "Eve")[0]


def test_a_norm_that_another_machine_rounds_otherwise_is_no_other_recipe(key):
    recipe, payload = recipe_of(made())
    recipe["artefact"]["tensors"][0]["change_norm"] *= 1 + 1e-9
    recipe["id"] = recipe_id(recipe)
    whole = signed(recipe, key, "Ada", AT)
    assert recipe_of(edit_of(whole, payload)) == (whole, payload)


def test_several_sign_and_names_are_names(key, tmp_path):
    recipe, payload = recipe_of(made())
    for number in range(MOST):
        (tmp_path / "next.pem").write_bytes(new_key())
        recipe = signed(recipe, read_key(tmp_path / "next.pem"), f"No {number}", AT)
    assert all(one.holds for one in standings(recipe))
    assert faults(recipe, payload) == []
    with pytest.raises(BadRequest, match="at most 16"):
        signed(recipe, key, "Ada")
    for who in ("", " ", "a\nb", "a\u202eb", "a" * 101):
        with pytest.raises(BadRequest, match="Say whose"):
            signed(recipe_of(made())[0], key, who)


def test_a_signature_of_another_form_is_a_fault(key):
    recipe, payload = recipe_of(made())
    whole = signed(recipe, key, "Ada", AT)
    one = whole["signatures"][0]
    for odd in ([], {}, "x", [one | {"key": "zz"}], [one | {"more": 1}], [{}], [one] * 17, [one | {"events": -1}]):
        assert any("signatures" in fault for fault in faults(whole | {"signatures": odd}, payload)), odd


# The commands


def test_from_a_key_to_a_signed_recipe(tmp_path, capsys):
    place, key = tmp_path / "one.json", tmp_path / "ada.pem"
    write_recipe(made(), place, "Ada")
    before = place.with_suffix(".safetensors").read_bytes()
    assert main(["recipe", "key", "new", str(key)]) == 0
    said = capsys.readouterr().out
    assert fingerprint(public_of(read_key(key))) in said
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "is there already" in refused(capsys, "recipe", "key", "new", str(key))
    assert main(["recipe", "verify", str(place)]) == 0
    assert "It is not signed." in capsys.readouterr().out
    assert "is not signed with the key" in refused(capsys, "recipe", "verify", str(place), "--key", str(key))
    assert main(["recipe", "sign", str(place), "--key", str(key)]) == 0
    assert "signed by “Ada”" in capsys.readouterr().out
    assert place.with_suffix(".safetensors").read_bytes() == before
    public = public_of(read_key(key))
    for wanted in (str(key), public, fingerprint(public)):
        assert main(["recipe", "verify", str(place), "--key", wanted]) == 0
        assert "Signed by “Ada”, key" in capsys.readouterr().out
    assert main(["recipe", "show", str(place)]) == 0
    shown = capsys.readouterr().out
    assert "not measured here" in shown
    assert "signed by “Ada”" in shown
    (tmp_path / "bo.pem").write_bytes(new_key())
    bo = str(tmp_path / "bo.pem")
    assert "is not signed with the key" in refused(capsys, "recipe", "verify", str(place), "--key", bo)
    assert main(["recipe", "sign", str(place), "--key", bo, "--who", "Bo"]) == 0
    recipe, _ = read_files(place)
    assert [one["who"] for one in recipe["signatures"]] == ["Ada", "Bo"]
    recipe["signatures"][1]["who"] = "Eve"
    place.write_text(json.dumps(recipe), encoding="utf-8")
    capsys.readouterr()
    assert main(["recipe", "verify", str(place)]) == 2
    assert "in the name “Eve” does not hold" in capsys.readouterr().err


def test_what_is_no_key_is_told(tmp_path, capsys):
    place = tmp_path / "one.json"
    write_recipe(made(), place)
    (tmp_path / "text.pem").write_text("x")
    other = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "rsa.pem").write_bytes(other)
    for name, said in (("none.pem", "cannot be read"), ("text.pem", "no private key"), ("rsa.pem", "another kind")):
        with pytest.raises(BadFile, match=said):
            read_key(tmp_path / name)
        assert said in refused(capsys, "recipe", "sign", str(place), "--key", str(tmp_path / name))
    (tmp_path / "ada.pem").write_bytes(new_key())
    assert "Say whose" in refused(capsys, "recipe", "sign", str(place), "--key", str(tmp_path / "ada.pem"))
    place.write_text(place.read_text().replace("rome", "memit", 1))
    assert main(["recipe", "sign", str(place), "--key", str(tmp_path / "ada.pem")]) == 2
    assert "faults and is not signed" in capsys.readouterr().err
