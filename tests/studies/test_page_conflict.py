"""The conflict page, run in process on the tiny model."""

import json

import numpy as np
import pytest

from analysis.internals.head_names import parse_head
from app.jobs import services as shared
from app.studies.conflict import view as conflict_view
from tests.kit.conflicts import readable
from tests.kit.visiting import charts, fine, numbers, offered, press, run, text, until, visit

LINK = {"prompt": "the w24 stands in old. the w24 stands in a", "subject": "w24", "context": "old", "most": "3"}


@pytest.fixture
def page(ready, tiny):
    """The page with a prompt that the tiny model can read, asked."""
    with readable(tiny):
        at = fine(visit("conflict", **LINK))
        assert "No heads found yet" in text(at)
        yield run(at, "heads-go", "heads")


def result_of(at):
    return at.session_state["heads.job"].result


def test_the_map_is_the_result_and_the_card_its_strongest_head(page):
    result = result_of(page)
    drawn = numbers(charts_of(page, "heads-map")["data"][0]["z"])
    balance = result.scores.memory - result.scores.context
    top = np.percentile(np.abs(balance), 99.3)
    assert np.allclose(drawn, np.clip(balance, -top, top).T, atol=1e-6)
    layer, head = page.session_state["heads.head"]
    assert f"Head {layer}·{head}" in text(page)
    assert "our reading" in text(page)
    assert all(chart.alt for chart in charts(page))


def charts_of(at, key):
    return next(json.loads(chart.spec) for chart in charts(at) if key in chart.id)


def test_sliders_move_the_answer_without_a_run(page):
    result = result_of(page)
    side = "memory" if result.memory_heads else "context"
    before = shared.services().worker.jobs()
    at = fine(page.slider(key=f"heads-silence-{side}").set_value(1).run())
    cell = (1, 0) if side == "memory" else (0, 1)
    said = result.spans(result.grid_top_ids[cell])[0].strip()
    assert f"it says **{said}**" in text(at)
    assert shared.services().worker.jobs() == before


def test_a_head_is_chosen_by_its_numbers_and_kept_silent_as_an_edit(page):
    at = fine(page.number_input(key="heads.layer").set_value(1).run())
    at = fine(at.number_input(key="heads.number").set_value(2).run())
    assert "Head 1·2" in text(at)
    press(at, "heads-keep-one")
    job = at.session_state["prune.job"]
    until(lambda: job.over)
    at = fine(fine(at.run()).run())
    (layer,) = at.session_state["written"].layers
    assert layer.on and layer.edit.request.heads == ("1.2",)
    assert "Head 1·2" in text(at) and "silent" in text(at)
    assert conflict_view.pruned((layer.edit,)) == [parse_head("1.2")]
    assert conflict_view.others((layer.edit,)) == ()
    assert at.button(key="heads-keep-one").disabled
    assert charts(at)  # the map stays: it is of the model without the silenced head


def test_other_facts_are_asked_from_the_page(page, monkeypatch):
    at = page
    for key, name in (("conflict-go", "conflict"), ("knockout-go", "knockout")):
        press(at, key)
        job = at.session_state[f"{name}.job"]
        until(lambda job=job: job.over)
        at = fine(at.run())
        assert job.state in ("done", "failed"), job.error
        assert offered(at, "heads") == ["CSV", "JSON", "HTML", "Notebook"]
        assert offered(at, name) == (["CSV", "JSON", "HTML", "Notebook"] if job.state == "done" else [])
        if job.state == "failed":
            assert job.error in text(at).replace("\\", "")


def test_nonsense_gets_a_sentence(ready, tiny):
    with readable(tiny):
        at = fine(visit("conflict", **(LINK | {"subject": "w99"})))
        at = press(at, "heads-go")
        assert "is not in the prompt" in text(at)
        assert "heads.job" not in at.session_state
