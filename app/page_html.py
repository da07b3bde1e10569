"""The document a browser is given for each page: Streamlit's own, told where its server is.

By itself it looks for its server under the address of the page first, so that each page but the first began with two
requests for what is not there. All pages lie in one folder with their server, behind whatever proxy.
"""

from functools import cache
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

HERE = Path(__file__).resolve().parent
HEAD = "<head>"
TOLD = (
    f"{HEAD}<script>window.__streamlit = "
    "{BACKEND_BASE_URL: location.origin + location.pathname.replace(/[^/]*$/, '')}</script>"
)


def routes() -> list[Route]:
    """The routes of the pages; other addresses are Streamlit's."""
    pages = sorted(file.stem for file in (HERE.parent / "pages").glob("*.py"))
    return [Route(f"/{page}", _page) for page in ("", *pages)]


@cache
def _html() -> str:
    index = Path(streamlit.__file__).parent / "static" / "index.html"
    return index.read_text(encoding="utf-8").replace(HEAD, TOLD, 1)


async def _page(request: Request) -> Response:
    return HTMLResponse(_html(), headers={"Cache-Control": "no-cache"})
