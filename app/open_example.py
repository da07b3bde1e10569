"""Opening an example: its form is filled in, its stored result shown, nothing is run."""

import streamlit as st

from app.flow import opened
from app.gallery import Example
from app.services import services
from app.session import fill, spec
from app.shell import PAGES


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
