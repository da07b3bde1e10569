"""How edits that keep their pairs are put together: piled up as each was found, or solved as one."""

import streamlit as st

from app.session import edit_stack

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


def _chosen() -> None:
    edit_stack.solve(st.session_state["edit-solved"] == SOLVED)
