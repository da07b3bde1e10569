"""Edits that are solved together: what is on does not depend on order, and every way out says the same."""

from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

from analysis.errors import BadFile, BadRequest, UnknownArchitecture
from analysis.model.language_model import LanguageModel
from analysis.study import pack, unpack
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.solved import joint, solved
from editors.edit.stack import EditStack
from editors.methods.run import asked as ask_of
from editors.methods.run import write
from editors.recipes.peft_lora import save_lora
from editors.recipes.recipe import edit_of, faults, read_recipe, recipe_of, write_recipe
from tests.conftest import cached
from tests.kit.edits import CITY, LAST, POST_NORM, TOWER, asked, parameters, unchanged
from tests.kit.families import build
from tests.kit.recipes import IDS, edited_logits, logits_of, resealed, same


@cache
def three(family: str = "llama") -> tuple[Edit, ...]:
    return tuple(write(cached(family), asked("rls", fact, layers=(1,))) for fact in (TOWER, CITY, LAST))


@cache
def upon_each_other() -> tuple[Edit, ...]:
    made: list[Edit] = []
    for fact in (TOWER, CITY, LAST):
        made.append(write(cached("llama"), asked("rls", fact, targets="stacked"), stack=made))
    return tuple(made)


@cache
def upon_two() -> Edit:
    """Found on top of the first two, solved."""
    return write(cached("llama"), asked("rls", LAST, layers=(1,), targets="stacked"), stack=solved(three()[:2]))


def stack_of(*edits: Edit, together: bool = True) -> EditStack:
    stack = EditStack(solved=together)
    for edit in edits:
        stack = stack.add(edit)
    return stack


def delta(*edits: Edit, layer: int = 1) -> np.ndarray:
    return sum(one.left.astype(float) @ one.right for edit in edits for one in edit.changes if one.layer == layer)


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def test_one_alone_is_memits(family: LanguageModel) -> None:
    if family.name in POST_NORM:
        with pytest.raises(UnknownArchitecture, match="normalises what the MLP of layer"):
            write(family, asked("rls"))
        return
    one, memit = (write(family, asked(method, TOWER, CITY)) for method in ("rls", "memit"))
    assert one.built_on == []
    for layer in (0, 1):
        assert far(delta(one, layer=layer), delta(memit, layer=layer)) < 1e-6
    assert solved([one]) == (one,)
    assert far(delta(joint([one, write(family, asked("rls", LAST, layers=(0, 1)))])), delta(one)) > 1e-3


def test_the_joint_edit_is_that_of_all_facts_at_once(family: LanguageModel) -> None:
    """At one layer, where no key moves under the others' edits."""
    if family.name in POST_NORM:
        return
    edits = [write(family, asked("rls", fact, layers=(1,)), glance=False, probe=False) for fact in (TOWER, CITY)]
    (found,) = solved(edits)
    at_once = write(family, asked("rls", TOWER, CITY, layers=(1,)), glance=False, probe=False)
    assert far(delta(found), delta(at_once)) < 2e-3  # facts searched together differ in rounding
    assert found.changes[0].rank == 2
    before = parameters(family)
    with written_over(family, [found]):
        assert family.edits == (found.id,)
    assert unchanged(family, before)


def test_neither_order_nor_detours_matter() -> None:
    (whole,) = solved(three())
    assert {solved(order)[0].id for order in permutations(three())} == {whole.id}
    stack, last = stack_of(*three()), three()[2]
    assert [edit.id for edit in stack.on] == [whole.id]
    assert stack.switch(last.id, False).switch(last.id, True).on[0].id == whole.id
    assert stack.remove(last.id).add(last).move(last.id, 0).on[0].id == whole.id
    assert stack.switch(last.id, False).on[0].id == solved(three()[:2])[0].id
    assert stack.as_solved(False).on == three()
    assert stack.as_solved(False).as_solved(True).on[0].id == whole.id
    assert far(delta(whole), delta(*three())) > 1e-3


def test_each_key_gets_more_of_its_value_than_where_edits_are_piled_up() -> None:
    strong = [write(cached("llama"), asked("rls", fact, layers=(1,), moments_weight=1e-6)) for fact in (TOWER, CITY)]
    (found,) = solved(strong)
    pairs = found.changes[0].pairs
    assert pairs is not None
    assert far(delta(found) @ pairs.keys, pairs.residuals) < 1e-3
    assert far(delta(*strong) @ pairs.keys, pairs.residuals) > far(delta(found) @ pairs.keys, pairs.residuals)


def test_one_upon_the_other_is_all_together() -> None:
    edits = upon_each_other()
    assert [len(edit.built_on) for edit in edits] == [0, 1, 2]
    (found,) = solved(edits)
    for layer in (0, 1):
        assert far(delta(*edits, layer=layer), delta(found, layer=layer)) < 1e-5
    assert found.built_on == []


def test_others_are_left_as_they_are() -> None:
    rome, heavy = write(cached("llama"), asked()), write(cached("llama"), asked("rls", layers=(1,), moments_weight=2.0))
    heavier = write(cached("llama"), asked("rls", CITY, layers=(1,), moments_weight=2.0))
    light = three()
    found = solved([rome, light[0], heavy, light[1], heavier])
    assert [edit.id for edit in found] == [rome.id, joint(light[:2]).id, joint([heavy, heavier]).id]
    assert not stack_of(rome, light[0], heavy, together=False).solvable
    assert stack_of(rome, *light[:2], together=False).solvable


def test_an_edit_on_top_of_a_solved_stack_needs_it() -> None:
    a, b, c = three()
    top = upon_two()
    (below,) = solved((a, b))
    assert set(top.built_on) == {a.id, b.id, below.id}
    stack = stack_of(a, b, top)
    (whole,) = stack.on
    assert far(delta(whole), delta(below, top)) < 1e-5
    assert whole.built_on == []
    with pytest.raises(BadRequest, match="needs it on, below it"):
        stack.switch(a.id, False)
    with pytest.raises(BadRequest, match=r"2 edits solved together, and needs just these .* solved, not piled up"):
        stack.as_solved(False)
    with pytest.raises(BadRequest, match="and no other such"):
        stack.switch(top.id, False).add(c).move(c.id, 0).switch(top.id, True)
    assert stack.add(c).on[0].changes[0].rank == 4
    assert stack.switch(top.id, False).as_solved(False).on == (a, b)


def test_an_edit_of_another_method_on_top_of_a_solved_stack() -> None:
    lm, below = cached("llama"), solved(three()[:2])
    other = write(lm, asked("alphaedit", LAST, layers=(1,)), stack=below)
    stack = stack_of(*three()[:2], other)
    assert [edit.id for edit in stack.on] == [below[0].id, other.id]
    alone = write(lm, asked("alphaedit", LAST, layers=(1,)))
    assert far(delta(other), delta(alone)) > 1e-4


def test_the_joint_edit_says_that_nothing_was_asked(tmp_path: Path) -> None:
    lm, (found,) = cached("llama"), solved(three())
    assert "was not asked" in found.warnings[0]
    assert found.provenance["parts"] == sorted(edit.id for edit in three())
    with pytest.raises(BadRequest, match="solved from 3 edits"):
        recipe_of(found)
    known = ask_of(lm, found.request, found)
    assert known.id == found.id
    assert len(known.after.said) >= 3
    write_recipe(known, tmp_path / "joint.json")
    again = read_recipe(tmp_path / "joint.json")
    assert again.id == known.id
    assert again.parts == known.parts
    save_lora(again, tmp_path / "adapter")
    adapted = PeftModel.from_pretrained(build("llama"), tmp_path / "adapter")
    assert same(logits_of(adapted), edited_logits(lm, found))


def test_a_recipe_carries_what_it_takes(tmp_path: Path) -> None:
    edit = three()[0]
    recipe, payload = recipe_of(edit)
    again = edit_of(recipe, payload)
    assert again.id == edit.id
    assert np.array_equal(again.changes[0].pairs.whitened, edit.changes[0].pairs.whitened)
    assert solved([again, three()[1]])[0].id == solved(three()[:2])[0].id
    kept = recipe["artefact"]["tensors"][0]["solving"]
    assert kept["pairs"] == 1
    for name, value in (("pairs", 2), ("normal", "x"), ("weight", -1.0)):
        wrong = {**recipe, "artefact": {**recipe["artefact"], "tensors": [
            {**recipe["artefact"]["tensors"][0], "solving": {**kept, name: value}}
        ]}}  # fmt: skip
        assert faults(resealed(wrong, payload), payload)


def test_altered_pairs_are_refused() -> None:
    edit = three()[0]
    own = edit.changes[0].pairs
    forged = replace(own, whitened=-1e6 * own.whitened)
    wrong = replace(edit, changes=[replace(edit.changes[0], pairs=forged)])
    with pytest.raises(BadFile, match="a fault") as told:
        edit_of(*recipe_of(wrong))
    assert "has no solution" in told.value.problems[0]
    other = replace(edit, changes=[replace(edit.changes[0], pairs=replace(own, residuals=2 * own.residuals))])
    with pytest.raises(BadFile, match="is not what it writes"):
        edit_of(*recipe_of(other))
    broken = replace(edit, changes=[replace(edit.changes[0], pairs=replace(own, whitened=own.whitened * np.nan))])
    with pytest.raises(BadRequest, match="does not fit together"):
        stack_of(broken, three()[1])


def test_what_was_stored_before_is_packed_as_it_was() -> None:
    rome = write(cached("llama"), asked())
    data, _ = pack(rome)
    assert "pairs" not in data["changes"][0]
    data, arrays = pack(three()[0])
    again = unpack(Edit, data, arrays)
    assert again.id == three()[0].id
    assert again.whole_id == three()[0].whole_id


def test_isolation_of_a_solved_stack() -> None:
    lm = cached("llama")
    before, logits = parameters(lm), lm.logits(IDS)
    with written_over(lm, stack_of(*three()).on), torch.no_grad():
        assert not torch.equal(lm.logits(IDS), logits)
    assert unchanged(lm, before)


def test_the_solution_is_of_the_matrices_as_they_are_without_edits() -> None:
    """Of edits found on top of each other, each says what the matrix was under those below."""
    (found,) = solved(upon_each_other())
    lowest = upon_each_other()[0]
    assert [change.base_hash for change in found.changes] == [change.base_hash for change in lowest.changes]
    assert [change.weight_norm for change in found.changes] == [change.weight_norm for change in lowest.changes]
