"""Every form of an export says what the edited model says, and fails whole."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from analysis.errors import BadRequest
from analysis.generation import continuations
from app.take_edit import save_as, zipped
from editors.applying import written_over
from editors.as_checkpoint import save_checkpoint
from editors.as_lora import save_lora
from editors.as_script import save_script
from editors.recipe import read_recipe
from editors.writing import write
from tests.conftest import cached
from tests.families import build, language_model, word_tokenizer
from tests.recipes import IDS, edited_logits, logits_of, made, same
from tests.test_editing import CITY, TOWER, asked, parameters, unchanged


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
