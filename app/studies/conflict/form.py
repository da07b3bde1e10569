"""The form of the conflict page: a prompt that contradicts, and the two answers."""

from typing import Any

import streamlit as st

from analysis import ConflictRequest, HeadsRequest, KnockoutRequest, read_facts
from analysis.knowledge_conflict.prompts import Format
from analysis.study import Request
from app.registry.studies import STUDIES
from app.session import chat_form, run_flow
from app.session.boundary_field import boundary_field
from app.session.fields import field, loose, seed, slot, take_fill
from app.session.permalinks import validated
from app.session.prompt_field import prompt_field

PAGE, MANY = "heads", "conflict"
CORRUPTION_WORDS = {
    "both": "another subject and a third answer",
    "context": "a third answer on the page",
    "subject": "another subject",
    "mean": "the mean of such prompts",
}
RANK_WORDS = {"probability": "change of probability", "logit_difference": "logit difference"}
FORM_WORDS: dict[Format, str] = {
    "sentence": "a sentence",
    "reworded": "a sentence in other words",
    "question": "a context before a question",
    "paragraph": "a paragraph",
    "memory_first": "both answers, the known one first",
    "page_first": "both answers, the page’s first",
    "irrelevant": "a sentence beside the point",
}
EXAMPLE = HeadsRequest(
    prompt="The capital of France is London. The capital of France is", subject="France", context="London"
)


def of_its_facts(request: KnockoutRequest) -> dict[str, Request]:
    """Roads are cut over the facts that the form for many of them names."""
    same = {name: getattr(request, name) for name in ("relations", "form", "wording")}
    return {"conflict": ConflictRequest(**same)}


def prepare() -> None:
    """Fill the form's fields before any of them is drawn."""
    for name, value in (take_fill(PAGE) or {}).items():
        st.session_state[slot(PAGE, name)] = value
    seed(PAGE, loose(EXAMPLE), HeadsRequest)


def request() -> HeadsRequest:
    """The form as a request; raises `BadRequest` naming the field."""
    values: dict[str, Any] = {name: st.session_state[slot(PAGE, name)] for name in HeadsRequest.model_fields}
    values["memory"] = values["memory"] if (values["memory"] or "").strip() else None
    values["chat"] = chat_form.value(PAGE)
    return validated(HeadsRequest, values)


def draw() -> bool:
    """Draw the form; True when Ask was pressed."""
    with st.container(border=True, key="heads-form"):
        prompt_field(
            st, PAGE, "Prompt", "subject", "context", placeholder="A sentence that contradicts, then a beginning"
        )
        subject, context, memory, button = st.columns([2.0, 2.0, 2.2, 3.2], vertical_alignment="bottom")
        subject.text_input("Subject", **field(PAGE, "subject"))
        context.text_input("The page says", **field(PAGE, "context"))
        memory.text_input("The model remembers", **field(PAGE, "memory"), placeholder="what it says itself")
        pressed = run_flow.go(
            button,
            PAGE,
            STUDIES["heads"],
            "Find the heads",
            type="primary",
            icon=":material/balance:",
            width="stretch",
            shortcut="Mod+Enter",
            key="heads-go",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            chat_form.draw(PAGE)
            _more()
    return pressed


def _more() -> None:
    with st.popover("More settings", icon=":material/tune:"):
        st.selectbox(
            "A head is given what it gives with",
            list(CORRUPTION_WORDS),
            format_func=CORRUPTION_WORDS.__getitem__,
            **field(PAGE, "corruption"),
        )
        st.segmented_control(
            "Heads are ordered by",
            list(RANK_WORDS),
            format_func=RANK_WORDS.__getitem__,
            **field(PAGE, "rank_by"),
            required=True,
        )
        boundary_field(PAGE)
        st.number_input("Heads of each kind to silence at most", 1, 12, **field(PAGE, "most"))
        st.number_input("Seed", 0, 2**32 - 1, **field(PAGE, "seed"))


def many_request() -> ConflictRequest:
    """The fields about other facts as a request; those that are not shown are the defaults, or of the run opened."""
    state = st.session_state
    held = {name: state[slot(MANY, name)] for name in ConflictRequest.model_fields if slot(MANY, name) in state}
    return validated(ConflictRequest, held | {"chat": chat_form.value(PAGE)})


def roads_request() -> KnockoutRequest:
    """The cut roads of the same facts."""
    many = many_request()
    return KnockoutRequest(
        relations=many.relations, form=many.form, wording=many.wording, modules=False, **many.framing()
    )


def draw_many() -> None:
    """Which other facts, and how the page puts its answer."""
    state = st.session_state
    state.setdefault(slot(MANY, "relations"), list(ConflictRequest().relations))
    state.setdefault(slot(MANY, "form"), ConflictRequest().form)
    left, right = st.columns([3, 2])
    left.multiselect(
        "Relations", sorted({fact.relation for fact in read_facts()}), **field(MANY, "relations"), placeholder="all"
    )
    right.selectbox("The page is", list(FORM_WORDS), format_func=FORM_WORDS.__getitem__, **field(MANY, "form"))
