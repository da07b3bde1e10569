"""What belongs to one visitor: their model, their form, the run they look at.

Widget values live in the session under `<page>.<field>`; the address of the page says the same
thing, so a link, a reload and a page switch all lead back to the same form.
"""

import uuid
from dataclasses import replace
from typing import Any, Literal, TypedDict

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from analysis import ModelSpec
from analysis.study import Request
from app.components import say_address
from app.jobs.services import default_spec, services
from app.session import arrived
from app.session.permalinks import read, to_query
from app.session.visitor import visitor


def session_id() -> str:
    """A name for this browser session, made at its first run."""
    if "session" not in st.session_state:
        st.session_state["session"] = uuid.uuid4().hex
        if (context := get_script_run_ctx()) is not None:
            services().connections[st.session_state["session"]] = context.session_id
            services().people[st.session_state["session"]] = visitor(st.session_state["session"])
    return st.session_state["session"]


def spec() -> ModelSpec:
    """The model this visitor works with."""
    return st.session_state.setdefault("spec", default_spec())


def choose_spec(new: ModelSpec) -> None:
    """Work with another model from now on."""
    st.session_state["spec"] = new


def slot(page: str, name: str) -> str:
    """Session key of a form field."""
    return f"{page}.{name}"


class Field(TypedDict):
    """What every widget of a form is given: where its value lies, and that it outlives other pages."""

    key: str
    persist_state: Literal["session"]


def field(page: str, name: str) -> Field:
    """A form field's widget: its value stays when it is not drawn, however the run that left it out ended."""
    return lasting(slot(page, name))


def lasting(key: str) -> Field:
    """The same of a widget that no request names."""
    return {"key": key, "persist_state": "session"}


def seed(page: str, defaults: dict[str, Any], kind: type[Request]) -> None:
    """Fill the form's fields: from the address when it says something new, else from the session, else from `defaults`.

    An address need not say everything: what a request cannot do without comes from `defaults`. What cannot be read of
    it is left out, and told of until a field changes. Call before any widget of the page is made.
    """
    arrived.told_by_form()
    query, strange = arriving(page, kind), _strange(page, kind)
    values = {name: st.session_state.get(slot(page, name), value) for name, value in defaults.items()}
    if query or strange:
        needed = {name: defaults[name] for name, info in kind.model_fields.items() if info.is_required()}
        link = read(kind, query, needed)
        link = replace(link, faults={**link.faults, **strange})
        values = {**defaults, **loose(link.request)} if query else values
        st.session_state[f"{page}.misread"] = (link.sentence(), values)
    match st.session_state.get(f"{page}.misread"):
        case sentence, beside if sentence and beside == values:
            arrived.tell(sentence)
        case _:
            st.session_state.pop(f"{page}.misread", None)
    for name, value in values.items():
        st.session_state[slot(page, name)] = value
    if query:
        st.session_state[f"{page}.link"] = query


def arriving(page: str, kind: type[Request]) -> dict[str, str]:
    """What the address says of the form; empty where a link said it before, or the form did."""
    query = {name: value for name, value in arrived.query().items() if name in kind.model_fields}
    return {} if query in (st.session_state.get(f"{page}.link"), st.session_state.get(f"{page}.address")) else query


def _strange(page: str, kind: type[Request]) -> dict[str, str]:
    """What the address says that the page's form cannot take, once."""
    found = arrived.at_fault(kind.model_fields)
    if found == st.session_state.get(f"{page}.strange", {}):
        return {}
    st.session_state[f"{page}.strange"] = found
    return found


def loose(request: Request) -> dict[str, Any]:
    """A request as widget values, those it does not say at their defaults."""
    said, fields = request.model_dump(), type(request).model_fields
    values = {name: said.get(name, info.get_default()) for name, info in fields.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def fill(page: str, request: Request) -> None:
    """Put a request into a page's form at its next run."""
    st.session_state[f"{page}.fill"] = loose(request)


def adopt(page: str) -> None:
    """Take over values that were filled in, and forget which run was opened: for pages without more to do about it."""
    for name, value in (take_fill(page) or {}).items():
        st.session_state[slot(page, name)] = value
    if opened := st.session_state.pop(f"{page}.open", None):
        st.session_state["shown"] = opened


def take_fill(page: str) -> dict[str, Any] | None:
    """Values somebody asked to fill in, once."""
    return st.session_state.pop(f"{page}.fill", None)


def say(page: str, request: Request) -> None:
    """Let the address of the page say the request."""
    query = st.session_state[f"{page}.address"] = to_query(request)
    say_address(st.session_state["page"], query)
