"""The prompt of a form: when it changes, fields that quote the old one are emptied, not left standing in red."""

from typing import Any

import streamlit as st

from app.session.fields import field, slot


def prompt_field(where: Any, page: str, label: str, *quoting: str, **options: Any) -> None:
    """Draw the field in `where`; `quoting` are fields that hold words of the prompt."""
    where.text_input(label, **field(page, "prompt"), on_change=_emptied, args=(page, quoting), **options)


def _emptied(page: str, quoting: tuple[str, ...]) -> None:
    state = st.session_state
    prompt = (state[slot(page, "prompt")] or "").casefold()
    for name in quoting:
        if (state.get(slot(page, name)) or "").casefold() not in prompt:
            state[slot(page, name)] = ""
    if slot(page, "occurrence") in state:
        state[slot(page, "occurrence")] = None
