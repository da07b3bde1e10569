"""Who moved, on the edit page: the button, the slider over protection, a card, a weight for the form."""

import json

import numpy as np

from app.exports.json_csv import to_json
from app.exports.tables import table
from app.studies.moved.summary import moved_summary as summary
from tests.kit.visiting import FACT, fine, press, text, until, visit, wrote

HELD = FACT | {"must_not_move": "the old {Brin Corvo} stands in a", "protect_weight": "0.5"}


def looked() -> object:
    at = wrote(fine(visit("edit", **HELD)))
    assert "Who else moved?" in text(at)
    press(at, "moved-go")
    until(lambda: at.session_state["moved.job"].over)
    return fine(at.run())


def test_the_map_its_slider_and_a_subjects_card(ready, tiny):
    at = looked()
    found = at.session_state["moved.job"].result
    assert found.weights[0] == 0.5
    slider = at.select_slider(key="moved-weight")
    assert len(slider.options) == len(found.weights)
    assert not [one for one in at.button if one.key == "moved-take"]
    last = found.order[-1]
    fine(slider.set_value(last).run())
    assert f"β = {found.weights[last]:g}" in text(at)
    place = found.subjects.index("Brin Corvo")
    fine(at.selectbox(key="moved-pick").set_value(place).run())
    assert found.probes[place].prompt in text(at)


def test_a_weight_is_taken_for_the_form(ready, tiny):
    at = looked()
    found = at.session_state["moved.job"].result
    fine(at.select_slider(key="moved-weight").set_value(found.order[-1]).run())
    press(at, "moved-take")
    assert at.session_state["edit.protect_weight"] == found.weights[found.order[-1]]
    assert "{Brin Corvo}" in at.session_state["edit.must_not_move"]


def test_every_weight_leaves_the_page(ready, tiny):
    found = looked().session_state["moved.job"].result
    data = json.loads(to_json(found))
    assert np.allclose(data["shift"], found.shift, atol=1e-6)
    assert data["protect_weights"] == found.weights.tolist()
    assert len(table(found)) == found.shift.size
    assert f"{found.weights[0]:g} (as written)" in summary(found)
