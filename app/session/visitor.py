"""Who comes back to a public server, as the connection says it: the name that its page was given (`app.doors`)."""

from hashlib import sha256

import streamlit as st

from app.doors import login
from app.doors.visitor_cookie import COOKIE, is_name


def visitor(fresh: str) -> str:
    """The name the browser came with, or `fresh` where it brought none, or nonsense; of who has signed in their own."""
    if login.asked() and st.user.is_logged_in:
        return sha256(f"{st.user.get('iss')}|{st.user.get('sub')}".encode()).hexdigest()[:32]
    said = st.context.cookies.get(COOKIE, "")
    return said if isinstance(said, str) and is_name(said) else fresh
