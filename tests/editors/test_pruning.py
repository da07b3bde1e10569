"""Silenced heads as an edit: exact, idempotent, in any order, and carried by every form of export."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

from analysis.errors import BadRequest
from analysis.forward.generation import continuations
from analysis.internals.head_outputs import at_heads
from analysis.internals.key_value_memory import attention_matrix
from analysis.model.language_model import LanguageModel
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.edit.stack import EditStack
from editors.methods.run import write
from editors.recipes.checkpoint import save_checkpoint
from editors.recipes.peft_lora import save_lora
from editors.recipes.recipe import edit_of, faults, recipe_of
from tests.kit.families import build

IDS = torch.tensor([[1, 2, 3, 4, 5, 8], [9, 2, 31, 7, 40, 11]])
FACT = Rewrite(prompt="the {} stands in a", subject="w24", target="river")


def pruned(lm: LanguageModel, *heads: str, scale: float = 0.0) -> Edit:
    return write(lm, EditRequest(facts=(FACT,), method="prune", heads=heads, scale=scale))


def logits(lm: LanguageModel, *edits: Edit) -> Tensor:
    with written_over(lm, edits), torch.no_grad():
        return lm.logits(IDS)


def hooked(lm: LanguageModel, *heads: tuple[int, int], scale: float = 0.0) -> Tensor:
    def act(layer: int, z: Tensor) -> Tensor:
        z = z.clone()
        for at, head in heads:
            if at == layer:
                z[:, :, head] *= scale
        return z

    with torch.no_grad(), at_heads(lm, act):
        return lm.logits(IDS)


def test_a_pruned_head_gives_nothing_at_any_token(family):
    before = {name: parameter.clone() for name, parameter in family.parameters.items()}
    edit = pruned(family, "1.2", "0.1", "1.2")
    assert edit.request.heads == ("0.1", "1.2")
    assert torch.allclose(logits(family, edit), hooked(family, (0, 1), (1, 2)), atol=2e-5)
    half = pruned(family, "1.2", scale=0.5)
    assert torch.allclose(logits(family, half), hooked(family, (1, 2), scale=0.5), atol=2e-5)
    with written_over(family, [edit]):
        width = attention_matrix(family, 1).weight.shape[1] // family.n_heads
        assert not attention_matrix(family, 1).weight[:, 2 * width : 3 * width].any()
    assert all(torch.equal(parameter, before[name]) for name, parameter in family.parameters.items())


def test_pruning_is_idempotent_in_any_order_and_by_one_is_nothing(family):
    one, other = pruned(family, "1.2"), pruned(family, "0.1", "1.2")
    alone = logits(family, other)
    assert torch.equal(logits(family, one, other), alone)
    assert torch.equal(logits(family, other, one), alone)
    with torch.no_grad():
        assert torch.equal(logits(family, pruned(family, "1.2", scale=1.0)), family.logits(IDS))


def test_a_pruned_model_says_the_same_with_its_cache(family):
    ids = IDS[:, :4]
    with written_over(family, [pruned(family, "1.2", "2.0")]):
        cached = torch.stack(list(continuations(family, ids, 4)), 1)
        for step in range(4):
            with torch.no_grad():
                said = family.logits(torch.cat((ids, cached[:, :step]), 1))[:, -1].argmax(-1)
            assert torch.equal(said, cached[:, step])


def test_bfloat16_zeros_are_zeros_and_come_off_byte_for_byte():
    lm = LanguageModel(build("llama").to(torch.bfloat16), None, name="half")
    matrix = attention_matrix(lm, 1)
    before = matrix.parameter.detach().clone()
    from editors.edit.weight_overlay import Overlay

    with Overlay(lm) as overlay:
        for _ in range(2):
            overlay.scale(matrix, torch.arange(8), 0.0)
        assert not matrix.weight[:, :8].any()
        assert torch.equal(matrix.weight[:, 8:], matrix.turned(before)[:, 8:])
    assert torch.equal(matrix.parameter, before)


def test_a_pruning_is_an_edit_like_any_other(family, tmp_path):
    edit = pruned(family, "1.2")
    assert edit.title == "Head 1·2: speaks → silent"
    assert EditStack().add(edit).on == (edit,)
    with pytest.raises(BadRequest, match="written already"):
        EditStack().add(edit).add(edit)
    recipe, payload = recipe_of(edit)
    back = edit_of(json.loads(json.dumps(recipe)), payload)
    assert back.id == edit.id
    wanted = logits(family, edit)
    assert torch.equal(logits(family, back), wanted)
    save_lora(edit, tmp_path / "lora")
    name = family.name.removeprefix("tiny-")
    adapted = PeftModel.from_pretrained(build(name), tmp_path / "lora").eval()
    with torch.no_grad():
        assert torch.allclose(adapted(input_ids=IDS, use_cache=False).logits.float(), wanted, atol=1e-4)
    other = replace(edit, model=edit.model | {"weights_hash": "0" * 64})
    with pytest.raises(BadRequest, match="Nothing was changed"):
        logits(family, other)


def test_a_checkpoint_has_the_head_silenced(tiny, tmp_path):
    edit = pruned(tiny, "1.2")
    save_checkpoint(tiny, edit, tmp_path / "hf")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", attn_implementation="eager").eval()
    with torch.no_grad():
        assert torch.allclose(model(input_ids=IDS, use_cache=False).logits.float(), logits(tiny, edit), atol=1e-5)


@pytest.mark.parametrize(
    ("heads", "sentence"),
    [((), "No head was named"), (("9.0",), "no head 9.0"), (("1.9",), "no head 1.9"), (("x",), "is no head")],
)
def test_heads_that_are_not_there_are_refused(tiny, heads, sentence):
    with pytest.raises(BadRequest, match=sentence):
        pruned(tiny, *heads)


def _otherwise(edit: Edit, what: str) -> Edit:
    """The same recipe, whose heads and factors say two things."""
    change, request = edit.changes[0], edit.request
    match what:
        case "another head is named":
            return replace(edit, request=request.model_copy(update={"heads": ("1.1",)}))
        case "one more head is named":
            return replace(edit, request=request.model_copy(update={"heads": ("1.1", "1.2")}))
        case "a head of another layer is named":
            return replace(edit, request=request.model_copy(update={"heads": ("1.2", "2.0"), "layers": (1, 2)}))
        case "layers are named that are not its heads'":
            return replace(edit, request=request.model_copy(update={"layers": (1, 2)}))
        case "the factors reach other heads":
            right = np.roll(change.right, 1, axis=1)
            return replace(edit, changes=[replace(change, right=right)])
        case "a part of the head is left":
            return replace(edit, changes=[replace(change, left=change.left[:, 1:], right=change.right[1:])])
        case "the factors mix columns":
            return replace(edit, changes=[replace(change, right=change.right * 2)])
        case "it is scaled less than changed":
            return replace(edit, request=request.model_copy(update={"scale": 0.99}))
    raise ValueError(what)


@pytest.mark.parametrize(
    "what",
    [
        "another head is named", "one more head is named", "a head of another layer is named",
        "layers are named that are not its heads'", "the factors reach other heads", "a part of the head is left",
        "the factors mix columns", "it is scaled less than changed",
    ],
)  # fmt: skip
def test_a_recipe_whose_heads_are_not_those_of_its_factors_is_refused(tiny, what):
    edit = pruned(tiny, "1.2")
    assert faults(*recipe_of(edit)) == faults(*recipe_of(pruned(tiny, "0.1", "1.2", "1.3", scale=0.5))) == []
    (fault,) = faults(*recipe_of(_otherwise(edit, what)))
    assert fault == "Its factors change other heads than those it silences, or by more than it says."
