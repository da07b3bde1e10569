"""What the model in memory cannot do stands greyed on its page, with the reason, and is refused by name when asked."""

import pytest

from analysis import ModelSpec
from analysis.model.capabilities import CAPABILITIES, SLOWER, Capability
from tests.kit.visiting import fine, text, visit

REASON = "something stands in between."
BUTTONS = {
    ("trace", "trace-go"): "parts",
    ("average", "average-go"): "parts",
    ("edit", "edit-go"): "memory",
    ("neurons", "neurons-go"): "neurons",
    ("conflict", "heads-go"): "heads",
    ("generate", "generate-go"): "generation",
}


def lacking(ready, *names: str) -> None:
    card = ready.models.cards[ModelSpec()]
    gone = {name: Capability(name, None, REASON) for name in names}
    ready.models.cards[ModelSpec()] = card | {"capabilities": card["capabilities"] | gone}


@pytest.mark.parametrize(("page", "key"), BUTTONS)
def test_a_study_the_model_cannot_run_is_greyed_with_the_reason(ready, page, key):
    query = {"prompt": "the old tower", "kinds": "state,mlp"} if page == "trace" else {}
    assert not fine(visit(page, **query)).button(key=key).disabled
    lacking(ready, BUTTONS[page, key])
    at = fine(visit(page, **query))
    assert at.button(key=key).disabled
    assert f"which needs {CAPABILITIES[BUTTONS[page, key]]}: {REASON}" in text(at)


def test_the_lens_needs_nothing_of_it(ready):
    lacking(ready, *CAPABILITIES)
    assert not fine(visit("lens")).button(key="lens-go").disabled


def test_what_only_saves_time_bars_nothing(ready):
    lacking(ready, *SLOWER)
    for page, key in BUTTONS:
        assert not fine(visit(page)).button(key=key).disabled


def test_a_form_bars_only_what_its_settings_ask_for(ready):
    lacking(ready, "parts")
    assert not fine(visit("trace", kinds="state")).button(key="trace-go").disabled


def test_the_models_page_tells_what_the_model_can_do(ready):
    lacking(ready, "neurons")
    at = fine(visit("models"))
    rows = dict(at.table[1].value.itertuples(index=False, name=None))
    assert rows[CAPABILITIES["neurons"]] == f"refused: {REASON}"
    assert rows[CAPABILITIES["memory"]].startswith("exact")
