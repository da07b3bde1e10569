"""What the address of a page says, read in one place for every page: each parameter is taken by somebody, or named.

A page with a form takes its fields (`app.session.fields.seed`), others say what they take; what a stored result is
found by belongs to every page (`app.session.address`). Nothing is left out in silence.
"""

from collections.abc import Iterable, Mapping

import streamlit as st

from app.charts.marked import escape
from app.session.permalinks import left_out

EVERY_PAGE = ("study", "result")
TAKEN = "link.taken"
UNKNOWN, TWICE = "nothing this page asks for", "said more than once"


def query() -> dict[str, str]:
    """What the address says, but for what it says more than once."""
    return {name: value for name, value in st.query_params.to_dict().items() if name not in _twice()}


def at_fault(fields: Iterable[str]) -> dict[str, str]:
    """What the address says that a page with these fields cannot take, with why."""
    known = {*fields, *EVERY_PAGE}
    names = sorted(st.query_params.to_dict())
    return {**{name: UNKNOWN for name in names if name not in known}, **dict.fromkeys(_twice() & known, TWICE)}


def begin() -> None:
    """A page is about to be drawn: nothing of its address is taken yet."""
    st.session_state[TAKEN] = {}


def take(*names: str) -> dict[str, str]:
    """What the address says under these names, for a page without a form; whatever else it says is named."""
    _told(at_fault(names))
    return {name: value for name, value in query().items() if name in names}


def told_by_form() -> None:
    """The page has a form, which tells by itself what of the address it left out."""
    _told({})


def untaken() -> str:
    """The sentence about what the page just drawn left out and did not say; empty where nothing is."""
    return left_out(st.session_state[TAKEN].get("faults", at_fault(())))


def tell(sentence: str) -> None:
    """Say what is wrong with the address."""
    st.markdown(f":orange[:material/link_off: {escape(sentence)}]")


def _told(faults: Mapping[str, str]) -> None:
    st.session_state.setdefault(TAKEN, {})["faults"] = dict(faults)


def _twice() -> set[str]:
    return {name for name in st.query_params.to_dict() if len(st.query_params.get_all(name)) > 1}
