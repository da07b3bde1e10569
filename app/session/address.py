"""Where a result is found again: the address of its page with the form filled in, or of the stored result itself."""

from typing import Any

import streamlit as st

from analysis.errors import WorkbenchError
from analysis.study import Request, Study
from app.charts.marked import escape
from app.exports.heading import is_key, key_of
from app.jobs.services import services
from app.registry.pages import scripts
from app.registry.studies import ENTRIES, STUDIES, entry_of
from app.session import arrived
from app.session.fields import fill
from app.session.permalinks import link
from app.session.run_flow import opened

PAGES = {name: entry.page for name, entry in ENTRIES.items() if entry.page}
LONGEST = 4000
"""Characters of an address that servers and programs take."""


def address(result: Any) -> str:
    """Address, relative to the server: of the form where it says the request, else of the result on this server."""
    entry = entry_of(result)
    request = entry.read("form")(result) if entry.form else None
    said = "" if request is None else link(entry.page, request)
    return said if said and len(said) <= LONGEST else link_to(entry.name, key_of(result))


def link_to(study: str, key: str) -> str:
    """Address of a stored result on this server."""
    return f"/{PAGES[study]}?study={study}&result={key}"


def follow() -> None:
    """Open the stored result that the page's address names, on its own page: once, and before the page is drawn."""
    query = arrived.query()
    name, key = query.get("study"), query.get("result")
    if name is None and key is None:
        return
    try:
        study = STUDIES.get(name or "") if name in PAGES else None
    except WorkbenchError as error:
        _dead(f"cannot be shown: {escape(str(error))}")
        return
    if study is None or key is None:
        _dead("is not named whole" if name is None or key is None else "is of a study that this server has no page for")
    elif st.session_state.get("followed") != (study.name, key):
        result = services().store.load(study, key) if is_key(key) else None
        if result is None:
            _dead("is not on this server")
            return
        st.session_state["followed"] = (study.name, key)
        arrive(study, result.request, key)
        if st.session_state["page"] != PAGES[study.name]:
            st.switch_page(scripts()[study.name])


def _dead(why: str) -> None:
    st.error(f"The link leads to a result that {why.rstrip('.')}.", icon=":material/link_off:")


def arrive(study: Study, request: Request, key: str) -> None:
    """Have the page of a study show a stored result with its form filled in."""
    st.session_state["shown"] = key
    fill(study.name, request)
    entry = ENTRIES[study.name]
    for name, further in (entry.read("fills")(request) if entry.fills else {}).items():
        fill(name, further)
    opened(study.name, request, key)
    st.session_state[f"{study.name}.open"] = key
    st.session_state.pop(f"{study.name}.job", None)
