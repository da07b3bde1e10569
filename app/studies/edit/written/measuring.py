"""“Measure here”: a brought edit asked anew on this machine, as a job, and put in the place of what its recipe says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from pydantic import Field

from analysis.errors import WorkbenchError
from analysis.study import Report, Request, Study, silent
from app.session import edit_stack, run_flow
from editors.edit.edit import Edit

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

PAGE = "measure"


class MeasureRequest(Request):
    """Ask this edit anew."""

    edit: str = Field(description="hash of all the edit says")


def measure(
    lm: "LanguageModel", request: MeasureRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> Edit:
    """The uppermost edit of `stack`, measured on top of the others."""
    from editors.methods.measure_again import measure_again

    *below, edit = stack
    return measure_again(lm, edit, report, stack=below)


MEASURE = Study("measure", MeasureRequest, Edit, measure, on_edits=True, kept=False)


def draw(edit: Edit) -> None:
    """The button for an edit whose answers were brought; how far it is, and what has come of it."""
    job = run_flow.job_of(PAGE)
    if job is not None and job.state == "done" and job.request == MeasureRequest(edit=edit.whole_id):
        st.session_state.pop(f"{PAGE}.job", None)
        try:
            edit_stack.write_over(job.result)
        except WorkbenchError as error:
            run_flow.refusal(error)
            return
        st.session_state["shown"] = job.result.whole_id
        st.rerun()
    if edit.measured:
        return
    if (job is None or job.over) and st.button("Measure here", icon=":material/straighten:", key="edit-measure"):
        try:
            run_flow.start(PAGE, MEASURE, MeasureRequest(edit=edit.whole_id), (*edit_stack.found_on(edit), edit))
        except WorkbenchError as error:
            run_flow.refusal(error)
        st.rerun()
    run_flow.progress(PAGE, None)
    run_flow.ended(PAGE)
