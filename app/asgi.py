"""What the server runs: the pages of main.py, and beside them the files that are too large for a page to give away."""

from streamlit.starlette import App

from app.downloads import routes

app = App("main.py", routes=routes())
