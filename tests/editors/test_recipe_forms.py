"""Every form of an export says what the edited model says, and fails whole."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from analysis.errors import BadRequest
from analysis.forward.generation import continuations
from analysis.model.language_model import LanguageModel
from app.bench.alone import LOADS, logits_alone
from app.exports.recipe_files import save_as, zipped
from editors.edit.apply import adding, written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write
from editors.recipes.checkpoint import save_checkpoint
from editors.recipes.peft_lora import inexact, save_lora
from editors.recipes.recipe import read_recipe, recipe_of
from editors.recipes.script import save_script
from editors.recipes.truncation import truncated
from tests.conftest import cached
from tests.kit.edits import CITY, TOWER, asked, parameters, unchanged
from tests.kit.families import FAMILIES, LENGTH, VOCABULARY, build, language_model, word_tokenizer
from tests.kit.recipes import IDS, edited_logits, logits_of, made, same

_small = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "max_position_embeddings": LENGTH}
_heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
_experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "first_k_dense_replace": 2}
KEEPING = {
    "gemma4": lambda: transformers.Gemma4TextConfig(
        **_small,
        **_heads,
        head_dim=8,
        global_head_dim=8,
        sliding_window=4,
        layer_types=["sliding_attention", "full_attention", "full_attention"],
        hidden_size_per_layer_input=0,
        num_kv_shared_layers=0,
        vocab_size_per_layer_input=VOCABULARY,
    ),
    "glm4_moe": lambda: transformers.Glm4MoeConfig(
        **_small, **_heads, **_experts, n_shared_experts=1, n_group=1, topk_group=1
    ),
}
"""Families with buffers that are saved: a scale of each layer; what the router of experts adds."""


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
    assert recipe_of(edit)[0]["id"] in card
    assert edit.request.facts[0].text in card


def test_the_script_goes_on_as_the_edited_model_does(tmp_path):
    edit, lm = made("gpt2"), cached("gpt2")
    build("gpt2").save_pretrained(tmp_path / "model")
    word_tokenizer().save_pretrained(tmp_path / "model")
    save_script(edit, tmp_path / "script")
    prompt = TOWER.text
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "script" / "edited.py", "--tokens", "6", "--model", "../model", prompt],
        cwd=tmp_path / "script",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ids = list(lm.encode(prompt).ids)
    with written_over(lm, [edit]):
        said = [int(chosen) for chosen in continuations(lm, torch.tensor([ids]), 6)]
    said = said[: said.index(0)] if 0 in said else said
    assert done.stdout.strip() == lm.tokenizer.decode(ids + said, skip_special_tokens=True)


def test_what_a_recipe_says_is_data_beside_programs_that_are_always_the_same(tmp_path):
    edit = made()
    code = "edited = 1; raise SystemExit"
    model = edit.model | {"source": f'a\\"""\n{code}\n"""', "dtype": f"float32)\n{code}\n("}
    save_script(replace(edit, model=model), tmp_path / "odd")
    save_script(edit, tmp_path / "plain")
    for name in ("edited.py", "base_model.py"):
        text = (tmp_path / "odd" / name).read_text(encoding="utf-8")
        assert text == (tmp_path / "plain" / name).read_text(encoding="utf-8")
        assert code not in text
    assert json.loads((tmp_path / "odd" / "edit.json").read_text())["base"]["load"] == model["source"]
    front = (tmp_path / "odd" / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert f"\n{code}" not in front


# Buffers


def held(name: str) -> Any:
    """A model whose checkpoint holds buffers, and other numbers in them than its class constructs."""
    model = build(name)
    draw = torch.Generator().manual_seed(3)
    for key, buffer in model.named_buffers():
        if key in model.state_dict():
            buffer.copy_(1 + 0.3 * torch.rand(buffer.shape, generator=draw))
    return model


def with_weights_of(lm: LanguageModel, edit: Edit, plain: Any) -> Any:
    """A model that no bridge was put on, with the edited weights."""
    with written_over(lm, [edit]):
        plain.load_state_dict({name: weight.detach().clone() for name, weight in lm.parameters.items()}, strict=False)
    return plain


@pytest.mark.parametrize(("name", "method"), [("gemma4", "rome"), ("glm4_moe", "prune")])
def test_buffers_of_a_checkpoint_travel_with_it(tmp_path, monkeypatch, name, method):
    monkeypatch.setitem(FAMILIES, name, KEEPING[name])
    lm = LanguageModel(held(name), word_tokenizer(), name=name)
    request = asked("rome") if method == "rome" else EditRequest(facts=(TOWER,), method="prune", heads=("1.0",))
    edit = write(lm, request)
    save_checkpoint(lm, edit, tmp_path / "model")
    fresh, found = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", attn_implementation="eager", output_loading_info=True
    )
    assert not found["missing_keys"]
    assert torch.equal(logits_of(fresh), logits_of(with_weights_of(lm, edit, held(name))))
    assert not same(logits_of(fresh), logits_of(with_weights_of(lm, edit, build(name))))


@pytest.mark.parametrize("family_name", list(FAMILIES))
def test_the_checkpoint_of_every_family_is_the_edited_model_bit_for_bit(tmp_path, family_name):
    lm, edit = cached(family_name), made(family_name)
    save_checkpoint(lm, edit, tmp_path / "model")
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path / "model", attn_implementation="eager")
    assert torch.equal(logits_of(fresh), logits_of(with_weights_of(lm, edit, build(family_name))))


# What cannot travel as LoRA, and what is cut


def heads(scale: float = 0.0) -> Edit:
    return write(cached("llama"), EditRequest(facts=(TOWER,), method="prune", heads=("1.0", "1.3", "2.1"), scale=scale))


def tuned() -> Edit:
    return write(cached("llama"), asked("ft", TOWER))


@pytest.mark.parametrize("edit", [heads, partial(heads, 0.5), tuned], ids=["silenced", "scaled", "tuned"])
def test_heads_and_fine_tuning_travel_in_weights_and_as_lora(tmp_path, edit):
    lm, found = cached("llama"), edit()
    edit = replace(found, model=found.model | {"source": str(tmp_path / "base")})
    build("llama").save_pretrained(tmp_path / "base")
    word_tokenizer().save_pretrained(tmp_path / "base")
    for form in ("script", "peft", "hf"):
        save_as(edit, form, tmp_path / form, lm)
    loads = {form: (LOADS[form], tmp_path / form) for form in ("script", "peft", "hf")}
    for logits in logits_alone(loads, IDS.tolist(), tmp_path / "empty", tmp_path / "hf").values():
        assert same(torch.from_numpy(logits), edited_logits(lm, edit))


def test_a_change_is_cut_to_the_nearest_of_a_rank():
    edit, lm = tuned(), cached("llama")
    cut, lost = truncated(edit, 4, lm)
    assert lost is not None
    whole, near = (one.left.astype(float) @ one.right for one in (edit.changes[0], cut[0]))
    values = np.linalg.svd(whole, compute_uv=False)
    assert cut[0].rank == lost.rank == 4
    assert np.linalg.norm(whole - near) == pytest.approx(np.sqrt((values[4:] ** 2).sum()), rel=1e-4)
    assert lost.share == pytest.approx(np.linalg.norm(whole - near) / np.linalg.norm(whole), rel=1e-4)
    assert lost.largest == pytest.approx(values[4], rel=1e-4)
    ids = lm.encode(TOWER.text).tensor()
    with adding(lm, edit, edit.changes):
        full = lm.logits(ids)
    with adding(lm, edit, cut):
        assert lost.logits == pytest.approx(float((lm.logits(ids) - full).abs().max()), rel=1e-3)
    assert truncated(edit, 32)[1] is None
    with pytest.raises(BadRequest, match="rank 1 or more"):
        truncated(edit, 0)


def test_a_cut_adapter_says_what_it_lost_in_its_files(tiny, tmp_path):
    notes = save_as(tuned(), "peft", tmp_path / "cut", tiny, rank=4)
    told = json.loads((tmp_path / "cut" / "edit.json").read_text())["truncated"]
    assert (told["rank"], told["was"]) == (4, 32)
    assert json.loads((tmp_path / "cut" / "adapter_config.json").read_text())["r"] == 4
    assert "Cut from rank 32 to 4" in notes[0]
    assert notes[0] in (tmp_path / "cut" / "README.md").read_text(encoding="utf-8")
    adapted = PeftModel.from_pretrained(build("llama"), tmp_path / "cut")
    cut, _ = truncated(tuned(), 4)
    with adding(tiny, tuned(), cut):
        assert same(logits_of(adapted), tiny.logits(IDS))


def test_ranks_that_engines_do_not_take_are_said():
    def of(rank: int) -> list[str]:
        change = made().changes[0]
        wide = replace(change, left=np.zeros((len(change.left), rank)), right=np.zeros((rank, change.right.shape[1])))
        return inexact(replace(made(), changes=[wide]))

    assert of(1) == of(16) == []
    assert "vLLM needs `--max-lora-rank 32`" in of(17)[0]
    assert "serving engines do not (vLLM at most 512)" in of(576)[0]
    rounded = inexact(replace(made(), model=made().model | {"dtype": "bfloat16"}))
    assert "rounded to bfloat16" in rounded[0]


def test_weights_that_cannot_travel_as_lora_are_refused_with_the_reason(tiny, tmp_path):
    edit = made()
    bare = replace(edit, changes=[replace(edit.changes[0], name="model.layers.1.mlp.experts.down")])
    with pytest.raises(BadRequest, match=r"no module’s weight.*Take the script or the full model"):
        save_as(bare, "peft", tmp_path / "bare")
    norm = replace(edit, changes=[replace(edit.changes[0], name="model.layers.1.input_layernorm.weight")])
    with pytest.raises(BadRequest, match="weight of no Linear or Conv1D"):
        save_as(norm, "peft", tmp_path / "norm", tiny)
    tied = language_model("llama_tied")
    head = replace(edit, changes=[replace(edit.changes[0], name="model.embed_tokens.weight")])
    with pytest.raises(BadRequest, match="2 modules share"):
        save_as(head, "peft", tmp_path / "tied", tied)
    both = replace(edit, changes=[edit.changes[0], replace(edit.changes[0], transposed=True)])
    with pytest.raises(BadRequest, match="both orientations"):
        save_as(both, "peft", tmp_path / "both")
    with pytest.raises(BadRequest, match="A rank is for the form peft"):
        save_as(edit, "script", tmp_path / "script", rank=4)
    assert list(tmp_path.iterdir()) == []


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
        ("bundle", "editors.recipes.recipe._put"),
        ("peft", "editors.recipes.peft_lora.json.dumps"),
        ("script", "editors.recipes.programs.shutil.copyfile"),
        ("hf", "editors.recipes.checkpoint.card"),
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
