"""The drift page, run in process on a tiny model: an edit is looked at, heads are set back, the edit is found again."""

import json

import numpy as np

from analysis import ModelSpec
from app.registry.studies import STUDIES
from app.session.fields import slot
from editors.attention_drift.result import DriftRequest
from editors.edit.stack import EditStack, Layer
from tests.app.test_cli_drift import PROBES
from tests.editors.test_drift import PROMPT, SUBJECT, edit_of
from tests.kit.visiting import address, charts, fine, numbers, offered, press, text, until, visit

LINK = {"prompt": PROMPT, "subject": SUBJECT, "answer": "city"}


def with_edit(tiny, **query: str):
    """A visitor with one edit on."""
    at = visit("drift", **query)
    at.session_state["written"] = EditStack((Layer(edit_of(tiny, layer=0, probes=PROBES), True),))
    return fine(at.run())


def looked(tiny, **query: str):
    at = press(with_edit(tiny, **(query or LINK)), "drift-go")
    job = at.session_state["drift.job"]
    until(lambda: job.over)
    assert job.state == "done", job.error
    return fine(at.run())


def test_without_an_edit_it_offers_one(ready):
    at = fine(visit("drift"))
    assert [title.value for title in at.title] == ["Where does it look now?"]
    assert "No edit is on" in text(at)
    assert at.button(key="drift-example")


def test_the_form_takes_what_tests_the_edit(ready, tiny):
    at = with_edit(tiny)
    assert (
        at.session_state[slot("drift", "prompt")]
        == "the old tower of Aldra stands in a river. the old Brin stands in a"
    )
    assert at.session_state[slot("drift", "answer")] == "city"


def test_a_link_is_not_overwritten(ready, tiny):
    at = with_edit(tiny, **LINK)
    assert at.session_state[slot("drift", "prompt")] == PROMPT
    assert address(at) == LINK


def test_the_map_shows_the_numbers(ready, tiny):
    at = looked(tiny)
    request = DriftRequest(**LINK)
    edits = (edit_of(tiny, layer=0, probes=PROBES),)
    result = ready.find(STUDIES["drift"], request, ModelSpec(), edits)
    chart = next(chart for chart in charts(at) if chart.alt.startswith("Attention drift"))
    heat = json.loads(chart.spec)["data"][0]
    assert np.allclose(numbers(heat["z"]), result.drift.T, atol=1e-7)
    twin = at.dataframe[0].value
    assert np.allclose(twin["drift"].dropna(), result.drift.ravel())
    assert {"drift"} == {run.study for run in ready.history.recent("local")}


def test_heads_are_set_back_and_leave_no_trace_on_the_rail(ready, tiny):
    at = looked(tiny)
    fine(at.toggle(key="drift-every").set_value(True).run())
    job = at.session_state["drift-patch.job"]
    until(lambda: job.over)
    at = fine(at.run())
    assert job.state == "done", job.error
    assert "With these heads set back" in text(at)
    assert [run.study for run in ready.history.recent("local")] == ["drift"]


def test_all_prompts_together(ready, tiny):
    at = press(looked(tiny), "drift-all-go")
    job = at.session_state["drift-all.job"]
    until(lambda: job.over)
    at = fine(at.run())
    assert job.state == "done", job.error
    assert any(chart.alt.startswith("Mean drift") for chart in charts(at))
    assert offered(at, "drift") == offered(at, "drifts") == ["CSV", "JSON", "HTML", "Notebook"]


def test_the_same_edit_held_back_stands_beside_it(ready, tiny):
    at = press(looked(tiny), "drift-hold")
    job = at.session_state["drift-cure.job"]
    until(lambda: job.over)
    assert job.state == "done", job.error
    assert job.result.request.sadr == 0.1
    at = fine(at.run())
    until(lambda: at.session_state["drift-cured.job"].over)
    at = fine(at.run())
    assert sum("Attention held back" in chart.alt for chart in charts(at)) == 1
    press(at, "drift-swap")
    (layer,) = at.session_state["written"].layers
    assert layer.edit.id == job.result.id


def test_nonsense_gets_a_sentence(ready, tiny):
    at = with_edit(tiny, prompt="a city", subject="the Louvre")
    at = press(at, "drift-go")
    assert "is not in the prompt" in text(at)
    assert "drift.job" not in at.session_state
