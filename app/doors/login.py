"""The second door, where a server has one: nobody without a login, and of those only whom it was told to admit.

Streamlit speaks to the provider (OIDC) and signs a cookie; it is asked for with every page, file and handshake here,
since by itself it would be looked at by a page alone, when the connection and its session are there already.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.doors import link_kept
from app.doors.answer import refuse
from app.doors.sign_in_page import sign_in_page
from app.doors.visitor_cookie import is_secure

FILE, ADMIT = "PALIMPSEST_LOGIN", "PALIMPSEST_ADMIT"
OPEN = ("/auth/login", "/auth/logout", "/oauth2callback", "/_stcore/health", "/app/static/")
"""What somebody needs who is not in yet: the way to the provider and back, the sign of life, fonts."""
SIGN_IN = "/sign-in/"


def asked() -> bool:
    """Whether this server asks for a login."""
    return bool(os.environ.get(FILE))


@dataclass(frozen=True)
class Admits:
    """E-mail addresses, and domains as `@example.org`; everybody the provider knows where there are none."""

    who: frozenset[str]

    def lets_in(self, user: dict[str, Any]) -> bool:
        """Whether a user is admitted; an address that the provider says is not verified is nobody's."""
        if not self.who:
            return True
        email = str(user.get("email") or "").strip().lower()
        if email.count("@") != 1 or user.get("email_verified", True) not in (True, "true"):
            return False
        return email in self.who or f"@{email.split('@')[1]}" in self.who


def admits(words: Iterable[str]) -> Admits:
    """The list as it was given."""
    return Admits(frozenset(word.strip().lower() for word in words if word.strip()))


def said() -> Admits:
    """The list of this process."""
    return admits(os.environ.get(ADMIT, "").split(","))


class Login:
    """Lets pass whoever has signed in and is admitted; everybody else gets the way to do so."""

    def __init__(self, app: ASGIApp, admitted: Admits, pages: frozenset[str]) -> None:
        self.app, self.admitted, self.pages = app, admitted, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer."""
        if scope["type"] not in ("http", "websocket") or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        cookies = HTTPConnection(scope).cookies
        user = user_of(cookies)
        if user is not None and self.admitted.lets_in(user):
            way_on = link_kept.follow(scope, cookies, self.pages) if scope["type"] == "http" else None
            await (way_on or self.app)(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in self.pages:
            answer = _page(user)
            if user is None:
                link_kept.keep(answer, scope, secure=is_secure(scope))
            await answer(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(SIGN_IN):
            await _to_provider(scope["path"].removeprefix(SIGN_IN))(scope, receive, send)
        else:
            await refuse(scope, send, 401, "Sign in first: open the start page of this server.")


def user_of(cookies: dict[str, str]) -> dict[str, Any] | None:
    """Who has signed in, by the cookie that Streamlit has signed; None for nobody, and for a cookie of elsewhere."""
    from streamlit.auth_util import get_origin_from_redirect_uri
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
    from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

    try:
        signed = _get_signed_cookie_with_chunks(cookies, USER_COOKIE_NAME)
        user = json.loads(signed) if signed else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(user, dict) or user.get("origin") != get_origin_from_redirect_uri():
        return None
    return user if user.get("is_logged_in") is True else None


def providers() -> list[str]:
    """The names of the providers in the file, “default” for one without a name."""
    from streamlit.auth_util import get_secrets_auth_section

    section = get_secrets_auth_section()
    held = section.to_dict() if section is not None else {}
    named = [name for name, value in held.items() if isinstance(value, dict) and "client_id" in value]
    return named or ["default"]


def _is_open(path: str) -> bool:
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN)


def _page(user: dict[str, Any] | None) -> Response:
    """The page that leads to the providers; of somebody who is not admitted the way out."""
    ways = {
        f"sign-in/{quote(name)}": "Sign in" if name == "default" else f"Sign in with {name}" for name in providers()
    }
    known = None if user is None else str(user.get("email") or user.get("name") or "This account")
    return HTMLResponse(sign_in_page(ways, known), 200 if user is None else 403, {"Cache-Control": "no-store"})


def _to_provider(name: str) -> Response:
    """Streamlit's own way to a provider; its token lasts for minutes, so it is made when somebody goes."""
    from streamlit.auth_util import encode_provider_token

    if name not in providers():
        return RedirectResponse("../", 303)
    return RedirectResponse(f"../auth/login?provider={quote(encode_provider_token(name))}", 303)
