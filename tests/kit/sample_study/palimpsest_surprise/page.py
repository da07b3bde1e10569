"""Which words surprise it? Drawn as pages of the workbench are: a form, the run, its figure."""

import streamlit as st

from app.charts.palette import live
from app.registry.studies import STUDIES
from app.session import page, run_flow
from app.session.export_row import take_away
from app.session.fields import adopt, field, seed, slot
from app.session.permalinks import validated
from palimpsest_surprise.figure import surprise_panels
from palimpsest_surprise.result import SurpriseRequest, SurpriseResult

PAGE, STUDY = "surprise", STUDIES["surprise"]

adopt(PAGE)
seed(PAGE, {"prompt": "The Eiffel Tower is located in the city of", "base": 2.0}, SurpriseRequest)
st.title("Which words surprise it?")
st.text_input("Prompt", **field(PAGE, "prompt"))
st.number_input("Base", **field(PAGE, "base"), min_value=1.1)
pressed = run_flow.go(st, PAGE, STUDY, "Read", type="primary", key="surprise-go")


def form() -> SurpriseRequest:
    """The fields as they stand."""
    return validated(SurpriseRequest, {name: st.session_state[slot(PAGE, name)] for name in ("prompt", "base")})


def show(result: SurpriseResult) -> None:
    """A bar a token."""
    for panel in surprise_panels(result, live()):
        st.plotly_chart(panel.figure, alt=f"{panel.title}: a bar a token")
    take_away(result)


request = page.asked(PAGE, STUDY, form, pressed)
run_flow.watch(PAGE, lambda: page.outcome(PAGE, STUDY, request, "forwards", show, "Nothing read yet. Press **Read**."))
