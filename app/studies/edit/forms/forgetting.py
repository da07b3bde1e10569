"""Making a model forget: the same edit, with an answer that tells nothing. What that is, and what it is not."""

import streamlit as st

from app.charts.words import percent
from app.session.run_flow import escape
from editors.edit.edit import Edit

SILENT = ("unknown", "a secret", "not known")
"""Answers that tell nothing. They are short: whole sentences of refusal are seldom reached on small models."""
LIMIT = (
    "The fact is overwritten at this prompt and at wordings like it. It is not deleted: asked another way, or by "
    "someone who looks inside the model, it may still be found."
)


def note(edit: Edit) -> None:
    """Of an edit that makes forget: how far the old answer has gone, and what that does not mean."""
    hidden = [index for index, probe in enumerate(edit.probes) if probe.kind == "rewrite" and probe.new in SILENT]
    if not hidden:
        return
    gone = "; ".join(
        f":blue[{escape(edit.probes[index].old)}] went from {percent(float(edit.before.old[index]))} to "
        f"{percent(float(edit.after.old[index]))}"
        for index in hidden[:5]
    )
    st.markdown(f"{gone}. :gray[{LIMIT}]")
