"""PNG and SVG of a result, drawn in the reader's browser: no browser is needed on the server.

A click asks for the sheet; the run that follows brings it, and the browser draws and saves it. So what is drawn
travels only when somebody wants it.
"""

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from app.components.element import element

_picture = element("picture", "dom")


def picture_buttons(sheet: Callable[[Literal["light", "dark"]], dict[str, Any]], *, key: str) -> None:
    """Draw the buttons PNG and SVG, and a switch for a dark ground; `sheet` says what is to be drawn on which."""
    slot = f"{key}.asked"

    def asked() -> None:
        st.session_state[slot] = st.session_state[key].asked

    wish = st.session_state.pop(slot, None) or {}
    data: dict[str, Any] = {}
    if wish.get("form") in ("PNG", "SVG"):
        ground: Literal["light", "dark"] = "dark" if wish.get("ground") == "dark" else "light"
        data = {"sheet": sheet(ground), "form": wish["form"], "asked": str(wish.get("at"))}
    _picture(key=key, data=data, width="content", on_asked_change=asked)
