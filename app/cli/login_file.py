"""The file of a login, seen to be whole before the server starts: Streamlit itself says so when somebody signs in."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from analysis.errors import BadFile, BadRequest

NEEDED = ("client_id", "client_secret", "server_metadata_url")
WHO = re.compile(r"[^@,\s]*@[^@,\s]+")
SECRET = 32
"""Characters of the secret that cookies are signed with, at least."""


def login_hosts(file: Path | None, admitted: list[str]) -> list[str]:
    """The name in the address that the provider leads back to; none without a login.

    `BadRequest` or `BadFile` where the file, or the list of who is let in, cannot be worked with.
    """
    if file is None:
        if admitted:
            raise BadRequest("--admit says who is let in after a login. Give --login FILE, too.")
        return []
    if wrong := [who for who in admitted if not WHO.fullmatch(who.strip())]:
        raise BadRequest(f"--admit is “{wrong[0]}”; it is an e-mail address, or @ and a domain.")
    if find_spec("authlib") is None:
        raise BadRequest("A login needs the package Authlib: pip install 'palimpsest[login]'")
    return [_host(file, _auth(file))]


def _auth(file: Path) -> dict[str, Any]:
    try:
        held = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadFile(f"{file} cannot be read as TOML ({reason}). It is Streamlit's secrets.toml.") from error
    auth = held.get("auth")
    if not isinstance(auth, dict):
        raise BadFile(f"{file} has no section [auth]. docs/howto/threats.md shows one.")
    named = [value for value in auth.values() if isinstance(value, dict) and "client_id" in value]
    for one in named or [auth]:
        if absent := [name for name in NEEDED if not isinstance(one.get(name), str) or not one[name].strip()]:
            raise BadFile(f"{file}: [auth] lacks {', '.join(absent)}. docs/howto/threats.md shows what is needed.")
    if len(str(auth.get("cookie_secret") or "")) < SECRET:
        raise BadFile(
            f"{file}: cookie_secret has fewer than {SECRET} characters. A good one is what "
            "`python -c 'import secrets; print(secrets.token_hex(32))'` prints."
        )
    return auth


def _host(file: Path, auth: dict[str, Any]) -> str:
    back = auth.get("redirect_uri")
    parts = urlsplit(back) if isinstance(back, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadFile(f"{file}: redirect_uri is the address of this server and /oauth2callback.")
    if not parts.path.endswith("/oauth2callback"):
        raise BadFile(f"{file}: redirect_uri is “{back}”; it ends in /oauth2callback.")
    return parts.hostname
