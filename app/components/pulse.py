"""A heartbeat: the part of a page it stands in is drawn once more after a time told anew at every drawing.

Streamlit's own `run_every` keeps the pace a part began with. What is drawn while a run goes on may cost more than the
run, and how much is known only once it has been drawn.
"""

import streamlit as st

from app.components.element import element

_pulse = element("pulse")


def pulse(seconds: float, *, key: str) -> None:
    """Have the fragment around this drawn again in so many seconds."""
    number = st.session_state[f"{key}.beats"] = st.session_state.get(f"{key}.beats", 0) + 1
    _pulse(key=key, data={"after": round(1000 * seconds), "number": number}, on_beat_change=lambda: None)
