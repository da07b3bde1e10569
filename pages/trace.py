"""Where is the fact kept? Causal tracing of one prompt."""

import streamlit as st

from analysis import TraceRequest, WorkbenchError
from analysis.text.tokens import Tokens
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import chat_form, run_flow
from app.session.export_row import table_twin
from app.session.fields import say
from app.session.fields import spec as session_spec
from app.studies.trace import form as trace_form
from app.studies.trace import view as trace_view

STUDY = STUDIES["trace"]
PAGE = trace_form.PAGE

trace_form.prepare()
st.title("Where is the fact kept?")
st.markdown(
    ":gray[Blur the subject, then repair one hidden state at a time. The cells that bring the answer back show where "
    "the fact can be read (causal tracing).]"
)
pressed = trace_form.draw()
request = None
try:
    request = trace_form.request()
    say(PAGE, request)
    if pressed:
        run_flow.start(PAGE, STUDY, request)
        run_flow.first_part(PAGE)
        st.session_state[f"{PAGE}.request"] = request
except WorkbenchError as error:
    if pressed:
        run_flow.refusal(error)
if opened := st.session_state.pop(f"{PAGE}.open", None):
    st.session_state[f"{PAGE}.request"] = request
    st.session_state["shown"] = opened


def tokens_of(shown: TraceRequest | None) -> Tokens | None:
    """What the axes of a map to come will say, where that is known."""
    try:
        return chat_form.read(shown.prompt, shown.chat) if shown else None
    except WorkbenchError:  # told by the form
        return None


def outcome() -> None:
    """Progress and figure; redrawn by itself while a run goes on."""
    shown = st.session_state.get(f"{PAGE}.request") or request
    result = run_flow.follow(PAGE, STUDY, shown, "cells", preview=True)
    if result is None:
        card = services().card(session_spec())
        trace_view.empty(shown, tokens_of(shown), card["layers"] if card else None)
        return
    metric = st.session_state.get(f"{PAGE}.metric") or "probability"
    trace_view.show(result, metric, request)
    table_twin(result)


run_flow.watch(PAGE, outcome)
