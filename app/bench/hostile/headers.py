"""Requests and handshakes as no browser writes them, byte for byte over a socket.

A case is what is sent and the statuses that are right for it; whatever comes, the server neither fails nor tells of
its insides, and a page goes out under its own name only.
"""

import random
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from app.bench.hostile.kind import Kind

PATIENCE = 10.0
"""Seconds for an answer."""
MOST = 1 << 16
"""Bytes of an answer that are read."""
FOREIGN = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:80",
    "LOCALHOST.evil",
    "xn--lcalhost-0na",
)
ODD_HOSTS = (
    "",
    " ",
    "localhost@evil.example",
    "evil.example#localhost",
    "localhost/..",
    "localhost:99999",
    "localhost:a",
    "[::1",
    "\u00e9vil",
    "a" * 5000,
    "localhost,evil.example",
    "localhost\x00",
    "localhost evil",
)
ODD_ORIGINS = (
    "null",
    "file://",
    "http://",
    "http://localhost:{port}.evil.example",
    "http://localhost:{port}@evil.example",
    "http://evil.example#http://localhost:{port}",
    "http://localhost:1",
    "javascript:alert(1)",
    "http://[::1",
    "x" * 5000,
    "http://localhost:{port} http://evil.example",
)
PATHS = (
    "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/app/static/../main.py",
    "/app/static/..%2fmain.py", "/app/static/%2e%2e/.streamlit/config.toml", "/app/static/%252e%252e/main.py",
    "/app/static/..%5cmain.py", "/app/static//etc/passwd", "/static/../../main.py", "/media/../../etc/passwd",
    "/media/%00", "/trace%00", "/%00", "/%ff%fe", "/take/..%2f..", "/take/%2e%2e", "/component/x/../../main.py",
    "/_stcore/bidi-components/..%2f..%2fmain.py", "//evil.example/", "/\\evil.example", "/trace/..;/", "/%", "/%zz",
    "/trace?" + "a=1&" * 3000, "/" + "a" * 9000,
)  # fmt: skip
INSIDES = re.compile(rb"Traceback|File \"|root:x:|\[server\]|import streamlit as st|site-packages")
LEADS = re.compile(rb"\r\nlocation: *([^\r]*)")
OWN_PLACE = re.compile(rb"(\.\./)*\.\.|(\.\./)*[^/:\\][^:\\]*|/([^/\\].*)?", re.DOTALL)
"""A path of this server: neither another address nor one that browsers read as such."""
LEFT_OUT = "x-palimpsest-fuzz"


@dataclass(frozen=True)
class Sent:
    """Bytes of a request, and the statuses that may answer it; 0: the connection is closed without one."""

    raw: bytes
    right: frozenset[int]
    """Of those that lead elsewhere, only such as lead to a place of this very server are right."""


def kind(port: int) -> Kind:
    """Sent to a server on this machine; every one is answered as is right for it, so none is taken."""

    def judged(sent: Sent) -> bool:
        if wrong := judge(sent, answer(port, sent)):
            raise AssertionError(f"The server {wrong}.")
        return False

    return Kind("header", lambda draw: cases(int(draw.integers(2**32)), sys.maxsize, port), judged)


def cases(seed: int, count: int, port: int) -> Iterator[tuple[str, Sent]]:
    """So many cases with their labels: every kind in turn, each as the seed has it."""
    chance = random.Random(seed)
    for number in range(count):
        name, make = KINDS[number % len(KINDS)]
        yield f"{name} {number}", make(chance, port)


def answer(port: int, sent: Sent) -> bytes:
    """What a server on this machine answers, as far as it matters."""
    whole = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        with suppress(ConnectionError):
            line.sendall(sent.raw)
        with suppress(ConnectionError):
            while len(whole) < MOST and not _complete(whole) and (piece := line.recv(MOST)):
                whole += piece
    return whole


def judge(sent: Sent, got: bytes) -> str | None:
    """What is wrong with an answer; None where nothing is."""
    status = int(got[9:12]) if got.startswith(b"HTTP/1.") and got[9:12].isdigit() else 0
    if status not in sent.right:
        return f"answered {status or 'nothing'} where {', '.join(map(str, sorted(sent.right)))} is right"
    if found := INSIDES.search(got):
        return f"tells of its insides: {found[0].decode()}"
    head = got.partition(b"\r\n\r\n")[0].lower()
    if (leads := LEADS.search(head)) and not OWN_PLACE.fullmatch(leads[1]):
        return f"leads to {leads[1].decode(errors='replace')}"
    if LEFT_OUT.encode() in head:
        return "gives a header back that it was sent"
    return None


def _complete(got: bytes) -> bool:
    """Whether the head and the body it announces have come; a switch of protocols has no body."""
    head, ends, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(ends) and (head[9:12] in (b"101", b"304") or (length is not None and len(body) >= int(length[1])))


def request(path: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def handshake(*headers: tuple[str, str]) -> bytes:
    """The bytes of a handshake on the connection that runs pages."""
    upgrade = (
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    )  # fmt: skip
    lines = ["GET /_stcore/stream HTTP/1.1", *(f"{name}: {value}" for name, value in (*headers, *upgrade)), "", ""]
    return "\r\n".join(lines).encode("utf-8")


def _own(port: int) -> tuple[str, str]:
    return "Host", f"localhost:{port}"


def _foreign_host(chance: random.Random, port: int) -> Sent:
    host = ("Host", chance.choice(FOREIGN))
    claims = chance.choice([(), (("X-Forwarded-Host", f"localhost:{port}"),), (("Forwarded", "host=localhost"),)])
    if chance.random() < 0.5:
        return Sent(handshake(host, ("Origin", f"http://{host[1]}"), *claims), frozenset({421}))
    return Sent(request(chance.choice(("/", "/trace", "/_stcore/health", "/media/x")), host, *claims), frozenset({421}))


def _odd_host(chance: random.Random, port: int) -> Sent:
    hosts = [("Host", chance.choice(ODD_HOSTS))] * chance.choice((1, 1, 2)) if chance.random() < 0.9 else []
    make = chance.choice([lambda *all_: request("/", *all_), handshake])
    return Sent(make(*hosts), frozenset({0, 400, 403, 421, 431}))


def _foreign_origin(chance: random.Random, port: int) -> Sent:
    origin = chance.choice([f"http://{name}" for name in FOREIGN] + [odd.format(port=port) for odd in ODD_ORIGINS])
    make: Callable[..., bytes] = chance.choice([lambda *all_: request("/_stcore/host-config", *all_), handshake])
    return Sent(make(_own(port), ("Origin", origin)), frozenset({400, 403}))


def _odd_path(chance: random.Random, port: int) -> Sent:
    method = chance.choice(("GET", "GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "TRACE", "x" * 300))
    return Sent(
        request(chance.choice(PATHS), _own(port), method=method),
        frozenset({0, 200, 204, 301, 307, 308, 400, 403, 404, 405, 414, 431}),
    )


def _odd_cookie(chance: random.Random, port: int) -> Sent:
    junk = chance.choice(
        ("a" * 32, "../../x", "é" * 32, "0" * 4000, "\\u0000", "%00", "2|x|y|z", '"', ";;;;=;=",
         "0" * 32 + "; palimpsest_visitor=" + "1" * 32)
    )  # fmt: skip
    name = chance.choice(("palimpsest_visitor", "_streamlit_xsrf", "_streamlit_user", "_streamlit_session", "x"))
    make = chance.choice([lambda *all_: request("/", *all_), handshake])
    return Sent(make(_own(port), ("Cookie", f"{name}={junk}")), frozenset({101, 200, 400}))


def _forwarded(chance: random.Random, port: int) -> Sent:
    name = chance.choice(
        ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Original-URL", "X-Rewrite-URL", "Forwarded")
    )
    value = chance.choice(("evil.example", "https", "javascript:", "127.0.0.1", "a, b, c", "é", "x" * 3000))
    return Sent(request("/", _own(port), (name, value), (LEFT_OUT, "1")), frozenset({200, 400}))


def _oversized(chance: random.Random, port: int) -> Sent:
    headers = chance.choice([[("X-Long", "a" * 100_000)], [(f"X-{n}", "a" * 100) for n in range(2000)]])
    return Sent(request("/", _own(port), *headers), frozenset({0, 200, 400, 431}))


def _upload(chance: random.Random, port: int) -> Sent:
    session = chance.choice(("0" * 36, "00000000-0000-0000-0000-000000000000", "..%2f..", "a" * 2000, "%00"))
    method = chance.choice(("PUT", "DELETE"))
    token = chance.choice([(), (("X-Xsrftoken", "2|0|0|0"), ("Cookie", "_streamlit_xsrf=2|0|0|0"))])
    body = b"--x\r\nContent-Disposition: form-data; name=f; filename=../../f\r\n\r\nx\r\n--x--\r\n"
    path = f"/_stcore/upload_file/{session}/{chance.choice(('1', '..%2f1', 'a' * 300))}"
    kind = ("Content-Type", "multipart/form-data; boundary=x")
    return Sent(request(path, _own(port), kind, *token, method=method, body=body), frozenset({0, 400, 403, 404, 405}))


def _no_request(chance: random.Random, port: int) -> Sent:
    raw = chance.choice(
        (
            b"\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET\r\n\r\n",
            bytes(chance.randbytes(400)) + b"\r\n\r\n",
        )
    )
    return Sent(raw, frozenset({0, 400, 421, 505}))


KINDS: tuple[tuple[str, Callable[[random.Random, int], Sent]], ...] = (
    ("foreign host", _foreign_host),
    ("odd host", _odd_host),
    ("foreign origin", _foreign_origin),
    ("odd path", _odd_path),
    ("odd cookie", _odd_cookie),
    ("forwarded", _forwarded),
    ("oversized", _oversized),
    ("upload", _upload),
    ("no request", _no_request),
)
