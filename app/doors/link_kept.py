"""The link somebody came with before signing in: kept in a cookie for minutes, followed once they are in.

The provider leads back to the start page, and says nothing of where they were going. Whatever the cookie holds, it
leads to a page of this server and nowhere else.
"""

from collections.abc import Collection
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

COOKIE, SECONDS = "palimpsest_link", 600
LONGEST = 3500
"""Characters of a cookie that browsers take, with some room."""


def keep(answer: Response, scope: Scope, *, secure: bool) -> None:
    """Have the page that leads to the provider bring along where it was asked for; the start page itself is none."""
    query = scope["query_string"].decode("latin-1")
    if scope["path"] == "/" and not query:
        return
    said = quote(f"{scope['path']}?{query}", safe="")
    if len(said) <= LONGEST:
        answer.set_cookie(COOKIE, said, SECONDS, httponly=True, samesite="lax", secure=secure)
    else:
        answer.delete_cookie(COOKIE)


def follow(scope: Scope, cookies: dict[str, str], pages: Collection[str]) -> Response | None:
    """The way on from the start page for somebody who has just signed in; None where nothing was kept."""
    if COOKIE not in cookies or scope["path"] != "/" or scope["query_string"] or scope["method"] != "GET":
        return None
    place, _, query = unquote(cookies[COOKIE], errors="replace").partition("?")
    if place not in pages or len(query) > LONGEST:
        return None
    said = urlencode(parse_qsl(query, keep_blank_values=True, errors="replace"))
    answer = RedirectResponse(f".{place}{'?' if said else ''}{said}", 303, {"Cache-Control": "no-store"})
    answer.delete_cookie(COOKIE)
    return answer
