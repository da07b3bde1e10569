"""Opening an example: its form is filled in, its stored result shown, nothing is run."""

import streamlit as st

from app.jobs.services import services
from app.session.fields import fill, spec
from app.session.run_flow import opened
from app.shell.gallery import Example
from app.shell.margin import PAGES


def open_example(chosen: Example) -> None:
    """Go to the example's page with its form filled in."""
    fill(chosen.study, chosen.request)
    st.session_state.pop(f"{chosen.study}.job", None)
    st.session_state.pop(f"{chosen.study}.cell", None)
    key = services().key(chosen.request, spec())
    if key is not None:
        opened(chosen.study, chosen.request, key)
    st.session_state[f"{chosen.study}.open"] = key or "example"
    st.switch_page(PAGES[chosen.study])
