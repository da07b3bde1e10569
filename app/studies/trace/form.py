"""The form of a trace: prompt, subject, answer, and what to blur and repair.

Plain words lead; the request underneath keeps the field's terms.
"""

from typing import Any

import streamlit as st

from analysis import TraceRequest, WorkbenchError
from analysis.errors import SubjectAmbiguous, SubjectNotFound
from analysis.text.finding import occurrences
from analysis.text.tokens import Tokens, subject_range
from app.components import token_strip
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import chat_form
from app.session.boundary_field import boundary_field
from app.session.fields import field, seed, slot, spec, take_fill
from app.session.permalinks import validated
from app.session.prompt_field import prompt_field
from app.session.run_flow import go, refusal
from app.studies.trace import fields
from app.studies.trace.view import METRIC_WORDS

PAGE = "trace"
BLUR_WORDS = {"noise": "Noise", "subject": "Another subject", "text": "Own text"}
FIELDS = ("prompt", "subject", "answer", "foil", "kinds", "window", "replacement", "noise", "sigma", "samples", "seed",
          "occurrence", "severing_noise", "boundary", "chat")  # fmt: skip


def defaults() -> dict[str, Any]:
    """A fact to begin with."""
    example = TraceRequest(
        prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower", kinds=("state", "mlp", "attn")
    )
    return {**{name: getattr(example, name) for name in FIELDS}, "kinds": list(example.kinds), "corruption": "noise"}


def prepare() -> None:
    """Fill the form's fields before any of them is drawn."""
    for name, value in (take_fill(PAGE) or {}).items():
        st.session_state[slot(PAGE, name)] = value
        st.session_state.pop(slot(PAGE, "blur"), None)
    seed(PAGE, defaults(), TraceRequest)
    state = st.session_state
    if slot(PAGE, "blur") not in state:
        given = bool(state[slot(PAGE, "replacement")])
        replaces = state[slot(PAGE, "corruption")] == "replace"
        state[slot(PAGE, "blur")] = ("text" if given else "subject") if replaces else "noise"
    if wish := state.pop(f"{PAGE}.wish", None):
        state[slot(PAGE, "subject")], state[slot(PAGE, "occurrence")] = wish


def values() -> dict[str, Any]:
    """The fields as they stand."""
    state = st.session_state
    held = {name: state[slot(PAGE, name)] for name in FIELDS} | {"chat": chat_form.value(PAGE)}
    blur = state[slot(PAGE, "blur")] or "noise"
    held["corruption"] = "noise" if blur == "noise" else "replace"
    held["replacement"] = held["replacement"] if blur == "text" else None
    held["kinds"] = tuple(held["kinds"] or ())
    return held


def request() -> TraceRequest:
    """The form as a request; raises `BadRequest` naming the field."""
    return validated(TraceRequest, values())


def draw() -> bool:
    """Draw the form; True when Trace was pressed."""
    with st.container(border=True, key="trace-form"):
        prompt_field(st, PAGE, "Prompt", "subject", placeholder="A sentence that ends just before its answer")
        subject, answer, button = st.columns([3, 3, 2.8], vertical_alignment="bottom")
        subject.text_input("Subject", **field(PAGE, "subject"), on_change=_any_occurrence)
        answer.text_input(
            "Answer",
            **field(PAGE, "answer"),
            placeholder="the model’s own",
            help="The word to follow. Left empty, it is what the model says by itself.",
        )
        pressed = go(
            button,
            PAGE,
            STUDIES["trace"],
            "Trace",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            shortcut="Mod+Enter",
            key="trace-go",
        )
        _strip()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(
                "Blur the subject with",
                list(BLUR_WORDS),
                format_func=BLUR_WORDS.__getitem__,
                **field(PAGE, "blur"),
                required=True,
                wrap=True,
            )
            fields.repaired(PAGE)
            chat_form.draw(PAGE)
            with st.popover("More settings", icon=":material/tune:"):
                _more()
        if st.session_state[slot(PAGE, "blur")] == "text":
            st.text_input(
                "Text in the subject’s place",
                **field(PAGE, "replacement"),
                placeholder="as many tokens as the subject has",
            )
    return pressed


def told(fault: WorkbenchError) -> bool:
    """Whether this fault stands beside the words of the prompt already."""
    return st.session_state.get(f"{PAGE}.told") == str(fault)


def _tell(fault: WorkbenchError) -> None:
    st.session_state[f"{PAGE}.told"] = str(fault)
    refusal(fault)


def _any_occurrence() -> None:
    st.session_state[slot(PAGE, "occurrence")] = None


def _more() -> None:
    st.selectbox(
        "Measure shown in the maps", list(METRIC_WORDS), format_func=METRIC_WORDS.__getitem__, **field(PAGE, "metric")
    )
    boundary_field(PAGE)
    fields.noise(PAGE)
    st.number_input("σ of subject embeddings", 0.0, format="%.4f", **field(PAGE, "sigma"), placeholder="measured")
    fields.seed_and_window(PAGE)
    st.text_input("Compare the answer with (foil)", **field(PAGE, "foil"), placeholder="the blurred run’s favourite")
    st.segmented_control(
        "Noise of severed modules",
        ["equal", "published"],
        **field(PAGE, "severing_noise"),
        required=True,
        help="The published code draws other noise for the values that severed modules are held to.",
    )


def _strip() -> None:
    state = st.session_state
    state.pop(f"{PAGE}.told", None)
    try:
        tokens = chat_form.read(state[slot(PAGE, "prompt")] or "", chat_form.value(PAGE))
    except WorkbenchError as error:
        _tell(error)
        return
    if tokens is None:
        if services().models.tokenizers.get(spec()) is None:
            st.markdown(":gray[:small[The words appear here as tokens once the model is there.]]")
        return
    place: tuple[int, int] | None = None
    fault: WorkbenchError | None = None
    if named := (state[slot(PAGE, "subject")] or "").strip():
        try:
            place = subject_range(tokens, named, state[slot(PAGE, "occurrence")])
        except WorkbenchError as error:
            fault = error
    st.markdown("Subject: click a word; shift-click to extend")
    cell = state.get(f"{PAGE}.cell")
    selected = cell[1] if cell else None
    change = token_strip(tokens.labels, subject=place, selected=selected, roles=tokens.roles, key="trace-strip")
    if fault is not None:
        _tell(fault)
        _remedy(fault)
    if change is None:
        return
    layer = cell[0] if cell else None
    if layer is not None:
        state[f"{PAGE}.cell"] = (layer, change["selected"])
    if change["subject"] is not None and change["subject"] != place:
        state[f"{PAGE}.wish"] = _named(tokens, change["subject"])
        st.rerun()


def _named(tokens: Tokens, chosen: tuple[int, int]) -> tuple[str, int | None]:
    """Subject text and occurrence of a range of tokens."""
    spans = [span for span in tokens.spans[chosen[0] : chosen[1]] if span[1] > span[0]]
    if not spans:
        return "", None
    start, end = max(spans[0][0], tokens.begin), min(spans[-1][1], tokens.begin + len(tokens.prompt))
    while start < end and tokens.text[start].isspace():
        start += 1
    text = tokens.text[start:end].rstrip()
    places = [tokens.begin + place for place, _ in occurrences(tokens.prompt, text)]
    return text, places.index(start) if len(places) > 1 and start in places else None


def _remedy(fault: WorkbenchError) -> None:
    """The fix as a button, where there is one."""
    if isinstance(fault, SubjectNotFound) and fault.suggestion:
        st.button("Use it", key="trace-use", on_click=_use, args=(fault.suggestion, None))
    if isinstance(fault, SubjectAmbiguous):
        with st.container(horizontal=True):
            for index in range(min(fault.occurrences, 6)):
                subject = st.session_state[slot(PAGE, "subject")]
                st.button(f"The {index + 1}.", key=f"trace-occurrence-{index}", on_click=_use, args=(subject, index))


def _use(subject: str, occurrence: int | None) -> None:
    st.session_state[slot(PAGE, "subject")] = subject
    st.session_state[slot(PAGE, "occurrence")] = occurrence
