"""The names a server answers to: those of the address it is served on, and those it was told with `--host`.

A page of another address can have its own name lead to this machine, and would then read and steer a workbench that
listens on it alone (DNS rebinding). Its name is what gives it away: browsers say it with every request.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("", "0.0.0.0", "::")
"""Addresses that stand for all of a machine's."""
NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
LONGEST = 253


@dataclass(frozen=True)
class Names:
    """Names of one server; `given` are those somebody chose, which may also stand in front of it as a proxy's."""

    own: frozenset[str]
    given: frozenset[str]
    any_address: bool

    def answers(self, name: str) -> bool:
        """Whether the server is called so; `name` as `host_of` gives it."""
        return name in self.own or self.is_given(name) or (self.any_address and _is_address(name))

    def is_given(self, name: str) -> bool:
        """Whether somebody chose this name."""
        return any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in self.given)


def names_of(address: str | None, given: Iterable[str] = ()) -> Names:
    """The names of a server that listens on `address`; a machine's own, where others can reach it."""
    address = (address or "").strip("[]").lower()
    own = set(LOOPBACK)
    if address not in LOOPBACK:
        machine = socket.gethostname().lower().rstrip(".")
        own |= {address, machine, f"{machine.split('.')[0]}.local"} - {*EVERYWHERE, ".local"}
    return Names(frozenset(own), frozenset(map(str.lower, given)), address in EVERYWHERE)


def is_name(text: str) -> bool:
    """Whether `text` can be given as a name: of a host, of all hosts below one (`*.example.org`), or an address."""
    return len(text) <= LONGEST and (_is_address(text) or NAME.fullmatch(text.lower()) is not None)


def host_of(said: str) -> str | None:
    """The name in a `Host` header, in small letters and without its port; None for what is no name."""
    try:
        parts = urlsplit(f"//{said}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if not name or parts.netloc != said or "@" in said or any(not " " < char < "\x7f" for char in said):
        return None
    return name.rstrip(".") or None


def origin_of(said: str) -> str | None:
    """What stands behind the scheme of an `Origin` header; None for what is no address of a page."""
    try:
        parts = urlsplit(said)
    except ValueError:
        return None
    whole = parts.scheme in ("http", "https") and not (parts.path or parts.query or parts.fragment)
    return parts.netloc.lower() if whole and host_of(parts.netloc) else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
