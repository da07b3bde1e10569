"""The document a browser is given for each page: Streamlit's own, told where its server is, with a ring for the focus.

By itself it looks for its server under the address of the page first, so that each page but the first began with two
requests for what is not there. All pages lie in one folder with their server, behind whatever proxy.

Its own rings are a faint shade on links, fields and switches. This one can be seen in both lights, in lists and
popovers too, which lie outside the app's element and know nothing of its light.
"""

from functools import cache
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.registry.pages import names

HEAD = "<head>"
SERVER = "window.__streamlit = {BACKEND_BASE_URL: location.origin + location.pathname.replace(/[^/]*$/, '')}"
RING = """
:focus-visible, label:has(input:focus-visible) { outline: 2px solid #6c69d8 !important; outline-offset: 1px !important }
input:focus-visible, textarea:focus-visible, main:focus-visible { outline-offset: -2px !important }
"""


def routes() -> list[Route]:
    """The routes of the pages; other addresses are Streamlit's."""
    return [Route(f"/{page}", _page) for page in ("", *names())]


@cache
def document() -> str:
    """The document."""
    told = f"{HEAD}<script>{SERVER}</script><style>{RING}</style>"
    index = Path(streamlit.__file__).parent / "static" / "index.html"
    return index.read_text(encoding="utf-8").replace(HEAD, told, 1)


async def _page(request: Request) -> Response:
    return HTMLResponse(document(), headers={"Cache-Control": "no-cache"})
