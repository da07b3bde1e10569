"""The token strip: the prompt as the model reads it, in which a person marks the subject and a row of the map.

Python owns subject and row; the strip reports a wish once. The wish is taken up before the strip is drawn again, so
that quick clicks are not answered with the state of the run before.
"""

from collections.abc import Sequence
from typing import TypedDict

import streamlit as st

from app.charts.words import visible
from app.components.element import element

_strip = element("token_strip", "dom")


class StripChange(TypedDict):
    """What a person chose: `subject` as a half-open range of tokens, `selected` as one token."""

    subject: tuple[int, int] | None
    selected: int


def token_strip(
    tokens: Sequence[str], *, subject: tuple[int, int] | None, selected: int | None, key: str, roles: Sequence[str] = ()
) -> StripChange | None:
    """Draw `tokens` with `subject` (half-open) marked and `selected` ringed; return a change, once, or None.

    What cannot be seen is named, each token keeps its own direction, and the row runs from left to right in any script.
    Click marks one token, shift-click or shift-arrow extends, arrows, Home and End move the ring. A change made
    on other tokens than these (the prompt was edited meanwhile) is dropped. Not for use inside `st.form`.
    `roles`: in a chat, whose words each token is; a subject can be marked in the person's own alone, the others stand
    quietly beside them.
    """
    slot = f"{key}_wish"

    def keep() -> None:
        st.session_state[slot] = st.session_state[key].change

    change = _checked(st.session_state.pop(slot, None), len(tokens))
    if change is not None:
        if change == StripChange(subject=subject, selected=selected if selected is not None else -1):
            change = None
        else:
            subject, selected = change["subject"], change["selected"]
    _strip(
        key=key,
        data={
            "tokens": [visible(token) for token in tokens],
            "subject": list(subject) if subject else None,
            "selected": selected,
            "roles": list(roles),
        },
        on_change_change=keep,
    )
    return change


def _checked(wish: object, count: int) -> StripChange | None:
    """Return `wish` if the browser sent a well-formed change for `count` tokens."""
    match wish:
        case {"count": n, "selected": int(row), "subject": None} if n == count and 0 <= row < n:
            return StripChange(subject=None, selected=row)
        case {"count": n, "selected": int(row), "subject": [int(begin), int(end)]} if n == count:
            if 0 <= begin < end <= n and 0 <= row < n:
                return StripChange(subject=(begin, end), selected=row)
    return None
