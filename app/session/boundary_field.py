"""The field that says what stands between a prompt and its answer."""

import streamlit as st

from analysis.text.boundary import Boundary
from app.session.fields import field

WORDS: dict[Boundary, str] = {"auto": "as the prompt ends", "space": "a space", "none": "nothing"}
HELP = (
    "As the prompt ends: nothing after an opening quotation mark, a bracket, a currency sign or a line break, nor in "
    "scripts without spaces; else a space. Shown words have ␣ before them where they begin with a space that none "
    "expects, and ‿ where they begin without one. An answer can be typed so, too."
)


def boundary_field(page: str) -> None:
    """Draw it, among the settings of a page's form."""
    st.segmented_control(
        "Before the answer", list(WORDS), format_func=WORDS.__getitem__, **field(page, "boundary"), required=True,
        wrap=True, help=HELP,
    )  # fmt: skip
