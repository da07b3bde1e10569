"""Which light the reader sees. Switching the theme in the menu neither reruns the script nor recolours charts.

A hidden element compares its background with what Python last saw and reports a difference. The answer belongs in
the key of every Plotly chart, so that a chart is drawn anew in the other light.
"""

from typing import Literal

import streamlit as st

from app.components.element import element

Light = Literal["light", "dark"]

_KEY = "palimpsest_light"
_SLOT = "palimpsest_light_seen"
_probe = element("theme_probe")


def theme_seen() -> Light:
    """The light the reader sees, as last reported."""
    return st.session_state.get(_SLOT) or ("dark" if st.context.theme.type == "dark" else "light")


def theme_light() -> Light:
    """Draw the probe and return the light. Call once a run, in the entry script, before any chart is drawn."""
    seen = theme_seen()
    st.session_state[_SLOT] = seen
    _probe(key=_KEY, data={"seen": seen}, width="content", on_light_change=_keep)
    return seen


def _keep() -> None:
    reported = st.session_state[_KEY].light
    if reported in ("light", "dark"):
        st.session_state[_SLOT] = reported
