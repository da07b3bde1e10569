"""How edits that keep their pairs are put together: piled up as each was found, or solved as one."""

import streamlit as st

from analysis.errors import WorkbenchError
from app.session import edit_stack, run_flow
from app.studies.edit.written.solved_job import ASK, SolvedRequest
from editors.edit.edit import Edit

PAGE = "solved"

PILED, SOLVED = "Piled up", "Solved together"
WORDS = {
    PILED: "Each change is added to those below it as it was found; what one does to another’s subject stands.",
    SOLVED: "One change is computed for all of them at once, so that none writes over another and their order does not "
    "matter; what became of the facts under it has to be asked anew.",
}


def draw() -> None:
    """The switch, with what its position does; nothing where there are not two edits that can be solved together."""
    stack = edit_stack.stack()
    if not (stack.solved or stack.solvable):
        return
    st.session_state["edit-solved"] = SOLVED if stack.solved else PILED
    st.markdown("### How the edits that are on are put together")
    st.segmented_control(
        "How the edits that are on are put together", [PILED, SOLVED], key="edit-solved", required=True,
        label_visibility="collapsed", on_change=_chosen,
    )  # fmt: skip
    st.markdown(f":gray[{WORDS[SOLVED if stack.solved else PILED]}]")
    count = sum(len(edit.parts) for edit in stack.on)
    if count:
        st.markdown(f":gray[:small[{count} edits are solved; the switches in the margin take each in or out.]]")
        run_flow.watch(PAGE, _make_one)


def _chosen() -> None:
    edit_stack.solve(st.session_state["edit-solved"] == SOLVED)


def _make_one() -> None:
    """A button for each that edits are solved to: one edit, asked and to be taken away like any other."""
    run_flow.settle(PAGE)
    run_flow.progress(PAGE, None)
    run_flow.ended(PAGE)
    job = run_flow.job_of(PAGE)
    if job is not None and job.state == "done" and st.session_state.pop("solved.fresh", False):
        try:
            edit_stack.make_one(job.result)
            st.rerun()
        except WorkbenchError as error:
            run_flow.refusal(error)
    if job is not None and not job.over:
        return
    for number, edit in enumerate(edit for edit in edit_stack.on() if not edit.before.said and edit.parts):
        st.button(
            f"Make these {len(edit.parts)} one edit", icon=":material/merge:", key=f"edit-make-one-{number}",
            help="Its facts are asked under it, and it can be taken away like any other. Undo takes it apart.",
            on_click=_asked, args=(edit,),
        )  # fmt: skip


def _asked(edit: Edit) -> None:
    st.session_state["solved.fresh"] = True
    run_flow.start(PAGE, ASK, SolvedRequest(edit=edit.id), (edit,))
