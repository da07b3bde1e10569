"""A button pressed over an empty field, or over a subject that is not in its prompt: what is wanted is said."""

import pytest

from app.jobs.services import Services
from tests.kit.visiting import fine, press, text, visit
from tests.studies.test_pages_drift import with_edit

EMPTY = [
    ("trace", "trace.prompt", "trace-go", "The prompt is empty."),
    ("trace", "trace.subject", "trace-go", "The subject is empty."),
    ("trace", "trace.kinds", "trace-go", "choose at least one (what to repair"),
    ("lens", "lens.prompt", "lens-go", "The prompt is empty."),
    ("average", "average.kinds", "average-go", "choose at least one (what to repair"),
    ("drift", "drift.prompt", "drift-go", "The prompt is empty."),
    ("drift", "drift.subject", "drift-go", "The subject is empty."),
    ("conflict", "heads.prompt", "heads-go", "Write the sentence that contradicts"),
    ("conflict", "heads.subject", "heads-go", "The subject is empty."),
    ("conflict", "heads.context", "heads-go", "The page’s answer is empty."),
    ("neurons", "neurons.prompt", "neurons-go", "The prompt is empty."),
    ("edit", "edit.prompt", "edit-go", "The fact is empty."),
    ("edit", "edit.subject", "edit-go", "The subject is empty."),
    ("edit", "edit.target", "edit-go", "The new answer is empty."),
    ("generate", "generate.prompt", "generate-go", "Write at least one beginning."),
    ("models", "model-source", "model-plan", "No model is named."),
    ("models", "model-source", "model-load", "No model is named."),
]
SUBJECTS = ["trace", "drift", "conflict", "edit"]


def opened(page, tiny):
    return with_edit(tiny) if page == "drift" else fine(visit(page))


def emptied(at, key):
    kinds = (at.text_input, at.text_area, at.pills)
    field = next(one for kind in kinds for one in kind if one.key == key)
    return fine(field.set_value([] if isinstance(field.value, list) else " ").run())


@pytest.mark.parametrize(("page", "key", "button", "wanted"), EMPTY)
def test_an_empty_field_is_named_when_the_button_is_pressed(ready, tiny, page, key, button, wanted):
    at = press(emptied(opened(page, tiny), key), button)
    assert wanted in text(at)
    assert f"{button.removesuffix('-go')}.job" not in at.session_state


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("page", SUBJECTS)
def test_a_subject_that_is_not_in_the_prompt_is_refused_before_it_waits_in_line(
    ready: Services, tiny, page: str, loaded: bool
):
    name = "heads" if page == "conflict" else page
    at = opened(page, tiny)
    if not loaded:
        ready.models.tokenizers.clear()
    fine(at.text_input(key=f"{name}.subject").set_value("nowhere").run())
    press(at, f"{name}-go")
    assert "nowhere” is not in the prompt" in text(at)
    assert f"{name}.job" not in at.session_state
