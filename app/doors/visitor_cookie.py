"""Who comes back to a public server: a random name in a cookie that no script can read, renewed with every page.

The name is the only key to what is kept under it, so it is long, random and never shown. It comes and goes with the
document of a page: a connection has it from its handshake on.
"""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE, DAYS = "palimpsest_visitor", 30
_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)


def is_name(said: str) -> bool:
    """Whether a cookie holds a name such as are given here."""
    return _NAME.fullmatch(said) is not None


class VisitorCookie:
    """Gives the documents of pages the cookie: the name the browser came with, or a new one."""

    def __init__(self, app: ASGIApp, pages: frozenset[str]) -> None:
        self.app, self.pages = app, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; a page that is answered brings the cookie."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self.pages:
            await self.app(scope, receive, send)
            return
        name = _brought(scope) or secrets.token_hex(16)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message).append("Set-Cookie", _cookie(name, secure=is_secure(scope)))
            await send(message)

        await self.app(scope, receive, named)


def _brought(scope: Scope) -> str | None:
    """The name of a request's cookie; None for nonsense, and for several, one of which somebody planted."""
    said = [part.strip() for header in Headers(scope=scope).getlist("cookie") for part in header.split(";")]
    names = {value for name, _, value in (part.partition("=") for part in said) if name == COOKIE}
    return names.pop() if len(names) == 1 and all(map(is_name, names)) else None


def is_secure(scope: Scope) -> bool:
    """Whether the browser speaks https: to this server, or to a proxy that says so."""
    return scope["scheme"] == "https" or Headers(scope=scope).get("x-forwarded-proto", "").strip().lower() == "https"


def _cookie(name: str, *, secure: bool) -> str:
    """The header's value. `Lax`: a link from elsewhere brings the name along instead of having it replaced."""
    ends = "; Secure" if secure else ""
    return f"{COOKIE}={name}; Path=/; Max-Age={DAYS * 24 * 3600}; HttpOnly; SameSite=Lax{ends}"
