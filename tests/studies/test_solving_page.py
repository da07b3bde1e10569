"""Edits that are on, piled up or solved together: the page's switch, undo, a reload, what runs under them."""

from pathlib import Path

import numpy as np

from analysis.cache_home import cache_home
from app.session import edit_stack
from editors.edit.solved import solved
from tests.kit.visiting import FACT, LINK, fine, press, run, text, until, visit, wrote

RLS = FACT | {"method": "rls"}
SWITCH = "edit-solved"


def two() -> object:
    at = wrote(fine(visit("edit", **RLS)))
    assert not [one for one in at.button_group if one.key == SWITCH]
    fine(at.text_input(key="edit.target").set_value("tower").run())
    return wrote(at)


def test_two_edits_are_solved_together_and_piled_up_again(ready, tiny):
    at = two()
    layers = at.session_state["written"].layers
    assert "what one does to another" in text(at)
    fine(at.button_group(key=SWITCH).set_value("Solved together").run())
    assert at.session_state["written"].solved
    assert "2 edits are solved" in text(at)
    (whole,) = solved([layer.edit for layer in layers])

    traced = run(fine(visit("trace", **LINK)))  # a reload: the stack is found as it was put down
    assert traced.session_state["written"].solved
    assert traced.session_state["trace.job"].result.model["edits"] == [whole.id]

    press(at, "written-undo")
    assert not at.session_state["written"].solved
    press(at, "written-redo")
    fine(at.toggle(key=f"written-{layers[0].edit.id}").set_value(False).run())
    assert [edit.id for edit in at.session_state["written"].on] == [layers[1].edit.id]
    fine(at.toggle(key=f"written-{layers[0].edit.id}").set_value(True).run())
    assert [edit.id for edit in at.session_state["written"].on] == [whole.id]
    fine(at.button_group(key=SWITCH).set_value("Piled up").run())
    assert len(at.session_state["written"].on) == 2


def test_the_solution_becomes_an_edit_like_any_other(ready, tiny):
    at = two()
    fine(at.button_group(key=SWITCH).set_value("Solved together").run())
    parts = {layer.edit.id for layer in at.session_state["written"].layers}
    (whole,) = at.session_state["written"].on
    press(at, "edit-make-one-0")
    until(lambda: at.session_state["solved.job"].over)
    fine(at.run())
    (layer,) = at.session_state["written"].layers
    assert layer.edit.id == whole.id
    assert set(layer.edit.parts) == parts
    assert layer.edit.after.said
    assert "1 of 1 on" in text(at)
    press(at, "written-undo")
    assert {layer.edit.id for layer in at.session_state["written"].layers} == parts


def test_what_was_found_on_a_solved_stack_needs_it(ready, tiny):
    at = two()
    fine(at.button_group(key=SWITCH).set_value("Solved together").run())
    fine(at.text_input(key="edit.target").set_value("mother").run())
    fine(at.button_group(key="edit.targets").set_value("stacked").run())
    wrote(at)
    assert len(at.session_state["written"].layers) == 3
    fine(at.button_group(key=SWITCH).set_value("Piled up").run())
    assert "edits solved together, and needs just these on" in text(at)
    assert at.session_state["written"].solved


def test_a_stack_put_down_before_there_was_a_switch_is_piled_up(ready, tiny):
    at = two()
    place: Path = cache_home() / edit_stack.PLACE
    assert place.read_text(encoding="utf-8").startswith("[")
    again = fine(visit("edit", **RLS))
    assert not again.session_state["written"].solved
    ids = [layer.edit.id for layer in again.session_state["written"].layers]
    assert ids == [layer.edit.id for layer in at.session_state["written"].layers]
    assert np.isfinite([change.norm for edit in again.session_state["written"].on for change in edit.changes]).all()
