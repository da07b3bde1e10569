"""What the server runs: the pages of main.py, and beside them the files that are too large for a page to give away."""

from streamlit.starlette import App

from app.exports import downloads
from app.shell import page_html

app = App("main.py", routes=[*page_html.routes(), *downloads.routes()])
