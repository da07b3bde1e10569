"""Where is the fact kept? Causal tracing of one prompt."""

import streamlit as st

from analysis import TraceRequest, TraceResult, WorkbenchError
from analysis.text.tokens import Tokens
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session import chat_form, page, run_flow
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


def begun(request: TraceRequest) -> None:
    """Hold on to what the figure is of, while the form may go on to say something else."""
    run_flow.first_part(PAGE)
    st.session_state[f"{PAGE}.request"] = request


def told(error: WorkbenchError) -> bool:
    """Whether a fault stands in the form, or is one that nobody has asked for yet."""
    return not pressed or trace_form.told(error)


request = page.asked(PAGE, STUDY, trace_form.request, pressed, begun=begun, told=told)
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
    page.outcome(PAGE, STUDY, shown, "cells", show, lambda: empty(shown), preview=True)


def show(result: TraceResult) -> None:
    """The maps, in the measure that was chosen."""
    trace_view.show(result, st.session_state.get(f"{PAGE}.metric") or "probability", request)


def empty(shown: TraceRequest | None) -> None:
    """The axes of the maps to come."""
    card = services().card(session_spec())
    trace_view.empty(shown, tokens_of(shown), card["layers"] if card else None)


run_flow.watch(PAGE, outcome)
