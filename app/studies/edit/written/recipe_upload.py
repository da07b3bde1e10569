"""Opening a recipe on the edit page: the field for its files, and what is said when they are refused."""

import streamlit as st

from analysis.errors import WorkbenchError
from app.exports.recipe_archive import KINDS, brought, refuse_other_weights
from app.jobs.processes.apart import SMALL, apart
from app.jobs.run_entry import run_of
from app.jobs.services import public, rail_owner, services
from app.registry.studies import STUDIES
from app.session import edit_stack
from app.session.fields import fill, session_id, spec
from app.session.run_flow import escape
from editors.edit.edit import Edit
from editors.edit.matrices import refuse_other_matrices

PAGE, STUDY = "edit", STUDIES["edit"]
LARGEST, LARGEST_PUBLIC = 64, 5
"""Megabytes a file may have."""


def draw() -> None:
    """The field for the files, and its button."""
    number = st.session_state.get(f"{PAGE}.bring", 0)
    files = st.file_uploader(
        "The .json and the .safetensors of a recipe, or the .zip of both",
        [kind.removeprefix(".") for kind in (*KINDS, ".zip")],
        accept_multiple_files=True,
        max_upload_size=LARGEST_PUBLIC if public() else LARGEST,
        key=f"edit-files-{number}",
    )
    st.button(
        "Write it over",
        icon=":material/edit_note:",
        key="edit-bring",
        disabled=not files,
        on_click=_take,
        args=(number,),
    )
    _told()


def _told() -> None:
    """Why a recipe was refused, every fault of it, beside its files: until others are tried."""
    if (refusal := st.session_state.get(f"{PAGE}.refusal")) is None:
        return
    first, *others = (escape(line) for line in refusal.splitlines())
    st.error("\n".join([first, "", *(f"- {line}" for line in others)]), icon=":material/gpp_bad:")


def _refuse_misfit(edit: Edit) -> None:
    """`BadRequest` where the model, once it was loaded, has not the matrices the recipe changes."""
    if (there := services().models.matrices.get(spec())) is not None:
        refuse_other_matrices(there, edit)


def _take(number: int) -> None:
    """Read the files, put the edit on the stack and show it; or keep the refusal to be told."""
    files = [(file.name, file.getvalue()) for file in st.session_state[f"edit-files-{number}"]]
    st.session_state.pop(f"{PAGE}.refusal", None)
    try:
        zipped = any(name.lower().endswith(".zip") for name, _ in files)  # what is small may open to what is not
        edit = apart(brought, files, size=SMALL + 1 if zipped else sum(len(data) for _, data in files))
        refuse_other_weights(edit, services().card(spec()))
        _refuse_misfit(edit)
        edit_stack.write_over(edit)
    except WorkbenchError as error:
        st.session_state[f"{PAGE}.refusal"] = str(error)
        return
    services().history.add(rail_owner(session_id()), run_of(STUDY, edit.whole_id, edit))
    fill(PAGE, edit.request)
    st.session_state[f"{PAGE}.bring"] = number + 1
    st.session_state[f"{PAGE}.open"] = edit.whole_id
    st.session_state.pop(f"{PAGE}.job", None)
