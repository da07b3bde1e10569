"""What a model thought before it answered, told apart from the answer in a text it wrote."""

import streamlit as st

from analysis.text.thinking import bare, parts
from app.session.run_flow import escape


def draw(text: str) -> str:
    """Fold the thoughts away, greyed and named as what they are; the rest of the text, to be shown as an answer."""
    for part in parts(text):
        if part.thought and (thought := bare(text[part.begin : part.end])):
            with st.expander(":gray[Thinking]", icon=":material/psychology:"):
                st.markdown("\n\n".join(f":gray[{escape(line)}]" for line in thought.splitlines() if line.strip()))
    return "".join(text[part.begin : part.end] for part in parts(text) if not part.thought)
