"""A chapter of the documentation, which other pages lead to."""

import streamlit as st

from app.chapters.chapter import CONTENTS, address, chapter, there, title
from app.charts.marked import escape
from app.session import arrived

name = arrived.take("chapter").get("chapter", CONTENTS)
if name in there():
    with st.container(width=860):
        st.markdown(chapter(name))
else:
    st.title("Read more")
    st.markdown(f"There is no chapter “{escape(name)}”.")
if CONTENTS in there() and name != CONTENTS:
    st.divider()
    around = " · ".join(f"[{title(one)}]({address(one)})" for one in (CONTENTS, "glossary.md") if one in there())
    st.markdown(f":gray[:small[Read on: {around}]]")
