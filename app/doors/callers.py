"""The first door: a request under another name, from a page of another address, or for what is closed, gets a sentence.

It stands before Streamlit's own checks, which take a name and an origin for good when they are the same, whosever.
"""

import os
import re
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config

from app.doors.answer import refuse
from app.doors.names import Names, host_of, names_of, origin_of

HOSTS = "PALIMPSEST_HOSTS"
CLOSED = re.compile(r"/_stcore/(metrics|agent|script-health-check)(/|$)")
"""What tells strangers about others' sessions, or lets programs run pages."""
SHOWN = re.compile(r"[A-Za-z0-9.:_\[\]/-]{1,120}", re.ASCII)


@dataclass(frozen=True)
class Refusal:
    """A status and a sentence."""

    status: int
    sentence: str


def names() -> Names:
    """The names of this process's server."""
    given = [part.strip() for part in os.environ.get(HOSTS, "").split(",") if part.strip()]
    return names_of(config.get_option("server.address"), given)


class Callers:
    """Lets pass what is meant for this server and comes from its own pages, or from no page at all."""

    def __init__(self, app: ASGIApp, public: bool, known: Names | None = None) -> None:
        self.app, self.public, self.known = app, public, known or names()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer."""
        if scope["type"] in ("http", "websocket") and (refusal := self.refusal(scope)) is not None:
            await refuse(scope, send, refusal.status, refusal.sentence)
            return
        await self.app(scope, receive, send)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Why a request is not answered; None where it is."""
        hosts, origins = _said(scope, b"host"), _said(scope, b"origin")
        if len(hosts) != 1 or len(origins) > 1:
            return Refusal(400, "A request names its server once, and the page it comes from at most once.")
        host = host_of(hosts[0])
        if host is None or not self.known.answers(host):
            return Refusal(
                421,
                f"This server does not answer to {_shown(hosts[0])}. Open it under its own address; if this is a name "
                "of it, it has to be started with --host and that name.",
            )
        if origins and not self._own(origins[0], hosts[0]):
            return Refusal(
                403,
                f"A page of another address ({_shown(origins[0])}) may not speak to this server. If it is this "
                "server's own behind a proxy, it has to be started with --host and the name of that address.",
            )
        if self.public and CLOSED.search(scope["path"]):
            return Refusal(404, "This is closed on a server that is open to others.")
        return None

    def _own(self, origin: str, host: str) -> bool:
        place = origin_of(origin)
        name = host_of(place) if place else None
        return name is not None and (place == host.lower() or self.known.is_given(name))


def _said(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for held, value in scope["headers"] if held == name]


def _shown(text: str) -> str:
    return f"“{text}”" if SHOWN.fullmatch(text) else "that name"
