"""Who comes back to a public server: a random name in a cookie, set once the visitor has something to find again.

The name is the only key to what is kept under it, so it is long, random and never shown.
"""

import re

import streamlit as st

from app.components.element import element

COOKIE, DAYS = "palimpsest_visitor", 30
_NAME = re.compile(r"[0-9a-f]{32}")
_visitor = element("visitor_name")


def visitor(fresh: str) -> str:
    """The name the browser came with, or `fresh` where it brought none, or nonsense."""
    said = st.context.cookies.get(COOKIE, "")
    return said if _NAME.fullmatch(said) else fresh


def remember(name: str) -> None:
    """Let the browser keep the name, from its last visit on."""
    _visitor(key=COOKIE, data={"cookie": COOKIE, "name": name, "seconds": DAYS * 24 * 3600}, width="content")
