"""Entry script: the pages and their shared margin.

It lies inside the package and the pages beside it, so that Streamlit's old `pages/` mode can
never serve a page without this script.
"""

from pathlib import Path

import streamlit as st

from app.chapters.chapter import read_more
from app.components import theme_light
from app.jobs.services import services
from app.registry.pages import listed
from app.session import arrived
from app.session.address import follow
from app.shell.margin import margin
from app.shell.not_kept import not_kept

HERE = Path(__file__).resolve().parent

st.set_page_config(page_title="Palimpsest", page_icon=str(HERE / "static" / "icon.svg"), layout="wide")
st.logo(str(HERE / "static" / "wordmark.svg"), size="large")
# No icons: with them two of the ten words fold away at 1280 pixels.
page = st.navigation(
    [
        st.Page("../pages/start.py", title="Start", default=True),
        *(
            st.Page(script, title=one.own_page.title, url_path=one.page, visibility=one.own_page.visibility)
            for one, script in listed()
            if one.own_page
        ),
        st.Page("../pages/compare.py", title="Side by side", url_path="compare", visibility="hidden"),
        st.Page("../pages/read.py", title="Read more", url_path="read", visibility="hidden"),
    ],
    position="top",
)
st.session_state["page"] = page.url_path
arrived.begin()
follow()
runs = margin()
with st.sidebar:
    theme_light()
with st.container(horizontal_alignment="center"), st.container(width=980):
    above = st.container()
    page.run()
    if chapters := read_more(page.url_path or "start"):
        st.markdown(f":gray[:small[Read more: {chapters}]]")
with above:
    not_kept()
    if unread := arrived.untaken():
        arrived.tell(unread)
runs()
services().begin()
