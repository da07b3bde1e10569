"""How does it go on? One's own prompts, before and after the edits that are on; a link leads here."""

import streamlit as st

from app import flow, generate_view
from app.generate_view import PAGE
from app.session import say

generate_view.prepare()
st.title("How does it go on?")
st.markdown(":gray[As the model was trained, and with the edits that are on in the margin.]")
wanted = generate_view.asked(generate_view.draw())
if wanted is not None:
    say(PAGE, wanted)
if opened := st.session_state.pop(f"{PAGE}.open", None):
    st.session_state["shown"] = opened
flow.watch(PAGE, lambda: generate_view.outcome(wanted))
