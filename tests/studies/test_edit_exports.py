"""What the Edit page gives away: a notebook that finds the same edit again, a model built whole, a signed recipe."""

import io
import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from transformers import AutoModelForCausalLM

import analysis
from analysis.errors import BadRequest
from app.exports import checkpoint_job, downloads
from app.exports.checkpoint_job import CHECKPOINT, CheckpointRequest, build, place_of, size_of
from app.exports.edit_notebook import edit_notebook
from app.exports.recipe_files import zipped
from app.studies.edit.written.recipe_download import FORM_WORDS, forms_of
from editors.methods.run import write
from editors.recipes.recipe import short_id
from tests.app.test_downloads import asked as asked_of_server
from tests.kit.edits import CITY, asked, parameters, unchanged
from tests.kit.families import language_model
from tests.kit.recipes import edited_logits, logits_of, made, same
from tests.kit.visiting import FACT, fine, press, text, until, visit, wrote
from tests.studies.test_edit_page import edit_of, several


def cells(source: str) -> list[str]:
    return [cell["source"] for cell in json.loads(source)["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("method", ["rome", "memit"])
def test_the_notebook_finds_the_same_edit_again(tiny, monkeypatch, capsys, method):
    edit = made(method=method)
    monkeypatch.setattr(analysis, "load", lambda *args, **options: tiny)
    before, held = parameters(tiny), {}
    for cell in cells(edit_notebook(edit)):
        exec(compile(cell, "cell", "exec"), held)  # noqa: S102
    assert held["result"].id == edit.id
    assert unchanged(tiny, before)
    said = capsys.readouterr().out
    assert f"{edit.probes[0].prompt} … {edit.before.said[0]} → {edit.after.said[0]}" in said
    lines = dict(
        line.split(": ", 1) for line in said.splitlines() if line.startswith(("before: ", "after: ", "again: "))
    )
    assert lines["before"].strip() == lines["again"].strip()


def test_a_notebook_holds_text_as_text():
    edit = made()
    odd = replace(edit, model=edit.model | {"name": "a\n```\n# b", "source": 'x"); raise SystemExit("'})
    book = json.loads(edit_notebook(odd.by("[A](http://b)")))
    compile(book["cells"][1]["source"], "cell", "exec")
    assert 'load("x\\"); raise SystemExit(\\"")' in book["cells"][1]["source"]
    assert "[A](" not in book["cells"][0]["source"]


def test_what_needs_others_below_is_offered_as_a_recipe_only(tiny, monkeypatch):
    edit = write(tiny, asked("alphaedit", CITY), stack=[made()])
    assert forms_of(edit) == ["bundle"]
    with pytest.raises(BadRequest, match="on top of other edits"):
        edit_notebook(edit)
    assert forms_of(made()) == list(FORM_WORDS)
    monkeypatch.setenv("PALIMPSEST_PUBLIC", "1")
    assert "hf" not in forms_of(made())


def test_a_model_is_built_whole_or_not_at_all(tiny, monkeypatch):
    edit = made()
    request = CheckpointRequest(edit=edit.id)
    with monkeypatch.context() as less:
        less.setattr(checkpoint_job.shutil, "disk_usage", lambda _: type("Room", (), {"free": 10}))
        with pytest.raises(BadRequest, match=r"has 0.0 GB free; the model takes 0.0 GB"):
            build(tiny, request, stack=[edit])
    assert not place_of(edit).exists()
    before = parameters(tiny)
    place = Path(build(tiny, request, stack=[edit]).place)
    assert place == place_of(edit)
    assert unchanged(tiny, before)
    fresh = AutoModelForCausalLM.from_pretrained(place, attn_implementation="eager")
    assert same(logits_of(fresh), edited_logits(tiny, edit))
    weights = sum(file.stat().st_size for file in place.glob("*.safetensors"))
    assert weights == pytest.approx(size_of(tiny.card()), rel=0.1)


def test_the_whole_model_is_built_from_the_page(ready, tiny, monkeypatch):
    monkeypatch.setattr(downloads, "_served", False)
    at = wrote(fine(visit("edit", **FACT)))
    edit = edit_of(at)
    fine(at.button_group(key="edit-form-of").set_value("hf").run())
    assert f"{size_of(edit.model) / 1e6:,.0f} MB" in text(at)
    press(at, "edit-build")
    job = at.session_state["checkpoint.job"]
    until(lambda: job.over)
    fine(at.run())
    assert f"in **{place_of(edit)}**" in text(at)
    assert at.button(key="edit-build").disabled
    fresh = AutoModelForCausalLM.from_pretrained(place_of(edit), attn_implementation="eager")
    assert same(logits_of(fresh), edited_logits(tiny, edit))
    assert not torch.equal(logits_of(fresh), logits_of(tiny.model))
    assert [run.study for run in ready.history.recent("local")] == ["edit"]
    assert ready.store.load(CHECKPOINT, job.key) is None


def test_the_whole_model_is_downloaded_by_who_sits_elsewhere(ready, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_served", True)
    at = wrote(fine(visit("edit", **FACT)))
    edit = edit_of(at)
    build(tiny, CheckpointRequest(edit=edit.id), stack=[edit])
    fine(at.button_group(key="edit-form-of").set_value("hf").run())
    (link,) = [one.proto.url for one in at.get("link_button") if one.proto.label == "Download"]
    status, headers, body = asked_of_server(f"/{link}")
    assert status == 200
    assert f'filename="palimpsest-{short_id(edit)}-model.zip"' in headers["content-disposition"]
    with ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(tmp_path / "there")
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path / "there", attn_implementation="eager")
    assert same(logits_of(fresh), edited_logits(tiny, edit))


def test_one_id_is_on_the_page_and_in_the_files(ready):
    at = wrote(fine(visit("edit", **several())))
    edit = edit_of(at)
    signed = edit.by("Ada")
    assert short_id(signed) != short_id(edit)
    assert f"Recipe `{short_id(edit)}`" in text(at)
    fine(at.text_input(key=f"edit-author-{edit.id}").set_value("Ada").run())
    assert f"Recipe `{short_id(signed)}`" in text(at)
    with ZipFile(io.BytesIO(zipped(signed, "bundle"))) as archive:
        assert json.loads(archive.read("recipe.json"))["id"].startswith(short_id(signed))
        assert short_id(signed) in archive.read("README.md").decode()
    assert short_id(signed) in edit_notebook(signed)
    assert short_id(signed) in place_of(signed).name


def test_a_notebook_ends_where_the_base_is_another(monkeypatch):
    edit = made()
    other = language_model("llama", seed=5)
    monkeypatch.setattr(analysis, "load", lambda *args, **options: other)
    with pytest.raises(SystemExit, match="These are other weights than those that were edited"):
        exec(cells(edit_notebook(edit))[0], {})  # noqa: S102
    pinned = replace(edit, model=edit.model | {"commit": "f" * 40, "revision": "v1"})
    assert f'revision="{"f" * 40}"' in edit_notebook(pinned).replace('\\"', '"')


@pytest.mark.parametrize("form", list(FORM_WORDS))
def test_every_form_is_offered_with_a_word_on_what_it_is_for(ready, form):
    at = wrote(fine(visit("edit", **several())))
    fine(at.button_group(key="edit-form-of").set_value(form).run())
    fine(at.text_input(key=f"edit-author-{edit_of(at).id}").set_value("Ada").run())
    assert "Recipe `" in text(at)
    if form == "hf":
        return
    (button,) = [one for one in at.get("download_button") if one.key == "edit-download"]
    assert button.label == "Download"
