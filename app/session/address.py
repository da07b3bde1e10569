"""Where a result is found again: the address of its page with the form filled in, or of the stored result itself."""

from typing import Any

import streamlit as st

from analysis import ConflictRequest, HopsResult, KnockoutRequest, NeuronsRequest
from analysis.study import Request, Study
from app.exports.heading import key_of, study_of
from app.jobs.services import services
from app.registry.studies import STUDIES
from app.session.fields import fill
from app.session.permalinks import link
from app.session.run_flow import opened
from app.studies.edit.form import form_of
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.layer_sweep.result import LayersResult

PAGES = {
    "trace": "trace",
    "average": "average",
    "lens": "lens",
    "edit": "edit",
    "layers": "edit",
    "drift": "drift",
    "drifts": "drift",
    "neurons": "neurons",
    "hops": "neurons",
    "reach": "neurons",
    "heads": "conflict",
    "conflict": "conflict",
    "knockout": "conflict",
    "evaluate": "evaluate",
    "lifelong": "evaluate",
    "quiz": "evaluate",
    "generate": "generate",
    "facts": "models",
}
FORMS = ("trace", "average", "lens", "drift", "neurons", "heads", "generate")
"""Studies whose request is what the form of their page says."""
LONGEST = 4000
"""Characters of an address that servers and programs take."""


def address(result: Any) -> str:
    """Address, relative to the server: of the form where it says the request, else of the result on this server."""
    study = study_of(result)
    said = _said(study, result)
    return said if said and len(said) <= LONGEST else link_to(study, key_of(result))


def _said(study: str, result: Any) -> str:
    page = PAGES[study]
    if study in FORMS:
        return link(page, result.request)
    if isinstance(result, Edit) and result.request.method != "prune":
        return link(page, form_of(result.request))
    if isinstance(result, LayersResult):
        first, method = result.request.facts[0], result.request.method
        return link(page, form_of(EditRequest(facts=(first,), method=method, seed=result.request.seed)))
    if isinstance(result, HopsResult) and len(result.chains) == 1:
        return link(page, NeuronsRequest(prompt=result.chains[0].whole()))
    return ""


def link_to(study: str, key: str) -> str:
    """Address of a stored result on this server."""
    return f"/{PAGES[study]}?study={study}&result={key}"


def follow() -> None:
    """Open the stored result that the page's address names: once, and before the page is drawn."""
    query = st.query_params.to_dict()
    study, key = STUDIES.get(query.get("study", "")), query.get("result", "")
    if study is None or not key or st.session_state.get("followed") == (study.name, key):
        return
    st.session_state["followed"] = (study.name, key)
    result = services().store.load(study, key) if key.isalnum() else None
    if result is None:
        st.error("The link leads to a result that is not on this server.", icon=":material/link_off:")
        return
    arrive(study, result.request, key)


def arrive(study: Study, request: Request, key: str) -> None:
    """Have the page of a study show a stored result with its form filled in."""
    st.session_state["shown"] = key
    fill(study.name, request)
    if isinstance(request, KnockoutRequest):  # its form is that of the facts it is about
        fill("conflict", ConflictRequest(relations=request.relations, form=request.form, wording=request.wording))
    opened(study.name, request, key)
    st.session_state[f"{study.name}.open"] = key
    st.session_state.pop(f"{study.name}.job", None)
