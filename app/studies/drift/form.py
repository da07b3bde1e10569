"""The form of the drift page: a prompt that names the edited subject, and the answer that should stand there."""

from typing import Any

import streamlit as st

from analysis.text.finding import occurrences
from app.registry.studies import STUDIES
from app.session import chat_form, edit_stack, run_flow
from app.session.boundary_field import boundary_field
from app.session.fields import adopt, arriving, field, seed, slot
from app.session.permalinks import validated
from app.session.prompt_field import prompt_field
from editors.attention_drift.result import DriftRequest
from editors.attention_drift.tasks import TaskPrompt, prompts_of
from editors.edit.edit import Edit

PAGE = "drift"
FIELDS = ("prompt", "subject", "answer", "boundary", "chat")
TASK_WORDS = {"relation": "same subject", "distracting": "neighbour after the edit"}


def prepare() -> None:
    """Fill the form's fields before any of them is drawn: from a link, else with what tests the uppermost edit."""
    state = st.session_state
    asked = bool(state.get(f"{PAGE}.fill")) or bool(arriving(PAGE, DriftRequest))
    adopt(PAGE)
    seed(PAGE, dict.fromkeys(FIELDS, "") | {"answer": None, "boundary": "auto", "chat": None}, DriftRequest)
    edits = edit_stack.on()
    top = edits[-1].id if edits else None
    picked = state.pop(f"{PAGE}.picked", None)
    if picked is not None:
        _take(prompts_of(edits)[picked])
    elif top is not None and state.get(f"{PAGE}.of") != top and not asked and not _own():
        _take(_telling(edits[-1]))
    state[f"{PAGE}.of"] = top


def _own() -> bool:
    """Whether a prompt came before any edit: with a link."""
    return st.session_state.get(f"{PAGE}.of") is None and bool(st.session_state[slot(PAGE, "prompt")])


def _telling(edit: Edit) -> TaskPrompt | None:
    """The prompt that shows most: a neighbour behind the edit, else another fact of the subject."""
    prompts = prompts_of([edit])
    by_task = {prompt.task: prompt for prompt in reversed(prompts)}
    return by_task.get("distracting") or by_task.get("relation")


def _take(prompt: TaskPrompt | None) -> None:
    state = st.session_state
    if prompt is None:
        fact = edit_stack.on()[-1].request.facts[0]
        state[slot(PAGE, "prompt")], state[slot(PAGE, "subject")] = fact.text, fact.subject
        state[slot(PAGE, "answer")] = None
        return
    state[slot(PAGE, "prompt")], state[slot(PAGE, "subject")] = prompt.probe.prompt, prompt.subject
    state[slot(PAGE, "answer")] = prompt.probe.old


def request() -> DriftRequest:
    """The fields as they stand; raises `BadRequest` naming the field."""
    values: dict[str, Any] = {name: st.session_state[slot(PAGE, name)] for name in FIELDS}
    subject = values["subject"] or ""
    several = len(occurrences(values["prompt"] or "", subject)) > 1
    return validated(
        DriftRequest,
        {
            **values,
            "answer": values["answer"] or None,
            "chat": chat_form.value(PAGE),
            "occurrence": 0 if several else None,
        },
    )


def draw() -> bool:
    """Draw the form; True when Look was pressed."""
    with st.container(border=True, key="drift-form"):
        prompt_field(st, PAGE, "Prompt", "subject", placeholder="A sentence that names the edited subject")
        subject, answer, button = st.columns([3, 3, 2.8], vertical_alignment="bottom")
        subject.text_input("Edited subject", **field(PAGE, "subject"))
        answer.text_input("Answer that should stand", **field(PAGE, "answer"), placeholder="the model’s own, before")
        pressed = run_flow.go(
            button,
            PAGE,
            STUDIES["drift"],
            "Look",
            type="primary",
            icon=":material/visibility:",
            width="stretch",
            shortcut="Mod+Enter",
            key="drift-go",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            chat_form.draw(PAGE)
            _pick()
            with st.popover("More settings", icon=":material/tune:"):
                boundary_field(PAGE)
    return pressed


def _pick() -> None:
    prompts = prompts_of(edit_stack.on())
    if not prompts:
        return
    with st.popover("Prompts that test this edit", icon=":material/list:"):
        st.selectbox(
            "Other facts of the subject, and neighbours after the edit as a sentence",
            range(len(prompts)),
            index=None,
            format_func=lambda place: (
                f"{TASK_WORDS[prompts[place].task]}: {prompts[place].probe.prompt} … {prompts[place].probe.old}"
            ),
            key=f"{PAGE}-pick",
            placeholder="Type to search",
            on_change=_picked,
        )


def _picked() -> None:
    st.session_state[f"{PAGE}.picked"] = st.session_state[f"{PAGE}-pick"]
