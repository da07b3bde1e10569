"""Who comes back to a public server, as the connection says it: the name that its page was given (`app.doors`)."""

import streamlit as st

from app.doors.visitor_cookie import COOKIE, is_name


def visitor(fresh: str) -> str:
    """The name the browser came with, or `fresh` where it brought none, or nonsense."""
    said = st.context.cookies.get(COOKIE, "")
    return said if isinstance(said, str) and is_name(said) else fresh
