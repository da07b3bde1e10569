"""How does it go on? One's own prompts, before and after the edits that are on; a link leads here."""

import streamlit as st

from app.session import run_flow
from app.studies.generate import view as generate_view
from app.studies.generate.view import PAGE

generate_view.prepare()
st.title("How does it go on?")
st.markdown(":gray[As the model was trained, and with the edits that are on in the margin.]")
wanted = generate_view.asked(generate_view.draw())
if opened := st.session_state.pop(f"{PAGE}.open", None):
    st.session_state["shown"] = opened
run_flow.watch(PAGE, lambda: generate_view.outcome(wanted))
