"""Who may speak to the server: names, origins, what is closed, what every answer says, the visitor's cookie."""

import asyncio
import re
from typing import Any

import pytest

from analysis.errors import BadRequest
from app.cli import serve
from app.doors.callers import Callers
from app.doors.names import host_of, is_name, names_of, origin_of
from app.doors.told import Told, policy
from app.doors.visitor_cookie import VisitorCookie
from app.shell import page_html

LOCAL, EVERYWHERE = names_of("127.0.0.1"), names_of("0.0.0.0", ["learn.example.org", "*.class.example"])


def answered(door: Any, path: str = "/", kind: str = "http", scheme: str = "http", **headers: str) -> tuple[int, dict]:
    """Status and headers behind one door; 200 where it lets pass."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": kind, "path": path, "method": "GET", "scheme": scheme, "extensions": {"websocket.http.response": {}},
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
    }  # fmt: skip
    asyncio.run(door(scope, None, send))
    return sent[0]["status"], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}


async def inside(scope: dict, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("known", "host", "origin", "status"),
    [
        (LOCAL, "localhost:8501", None, 200),
        (LOCAL, "LOCALHOST:8501", "http://localhost:8501", 200),
        (LOCAL, "127.0.0.1:8501", "http://127.0.0.1:8501", 200),
        (LOCAL, "[::1]:8501", "http://[::1]:8501", 200),
        (LOCAL, "evil.example", "http://evil.example", 421),
        (LOCAL, "localhost.evil.example", None, 421),
        (LOCAL, "192.168.1.7:8501", None, 421),
        (LOCAL, "localhost:8501", "http://localhost:3000", 403),
        (LOCAL, "localhost:8501", "http://evil.example", 403),
        (LOCAL, "localhost:8501", "null", 403),
        (EVERYWHERE, "192.168.1.7:8501", "http://192.168.1.7:8501", 200),
        (EVERYWHERE, "learn.example.org", "https://learn.example.org", 200),
        (EVERYWHERE, "127.0.0.1:8501", "https://learn.example.org", 200),  # a proxy that says its own name for it
        (EVERYWHERE, "a.class.example", "https://a.class.example", 200),
        (EVERYWHERE, "class.example", None, 421),
        (EVERYWHERE, "evil.example", "http://evil.example", 421),
    ],
)
def test_only_its_own_names_and_pages_reach_the_server(kind, known, host, origin, status):
    door = Callers(inside, public=False, known=known)
    assert answered(door, kind=kind, host=host, **({"origin": origin} if origin else {}))[0] == status


def test_a_request_without_a_name_is_refused():
    assert answered(Callers(inside, public=False, known=LOCAL))[0] == 400


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/interact", "/_stcore/agent/mcp"])
def test_a_public_server_does_not_tell_of_its_sessions(path):
    assert answered(Callers(inside, public=True, known=LOCAL), path, host="localhost")[0] == 404
    assert answered(Callers(inside, public=False, known=LOCAL), path, host="localhost")[0] == 200
    assert answered(Callers(inside, public=True, known=LOCAL), "/_stcore/health", host="localhost")[0] == 200


@pytest.mark.parametrize(
    "said", ["", " ", "a@localhost", "localhost:99999", "localhost:a", "localhost/x", "local\thost", "[::1", "é", "a b"]
)
def test_what_is_no_name_of_a_host(said):
    assert host_of(said) is None


@pytest.mark.parametrize("said", ["null", "file://", "http://", "http://a/x", "http://a@b", "http://[::1", "a.example"])
def test_what_is_no_origin(said):
    assert origin_of(said) is None


def test_names_can_be_given():
    assert serve._hosts(serve_flags("--host", "example.org", "--host", "*.example.org", "--host", "10.0.0.1")) == [
        "example.org", "*.example.org", "10.0.0.1",
    ]  # fmt: skip
    for wrong in ("https://example.org", "example.org:80", "*", "a b", "a" * 300):
        assert not is_name(wrong)
        with pytest.raises(BadRequest, match="not a name"):
            serve._hosts(serve_flags("--host", wrong))


def serve_flags(*words: str) -> Any:
    from app.cli import parser_for

    return parser_for(["serve"]).parse_args(["serve", *words])


def test_every_answer_tells_the_browser_what_to_hold_to():
    status, headers = answered(Told(inside, page_html.document()))
    assert status == 200
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    scripts = re.search("script-src ([^;]*)", headers["content-security-policy"])[1]  # type: ignore[index]
    assert "unsafe" not in scripts
    assert scripts.count("sha256-") == page_html.document().count("<script>") == 2
    assert "frame-ancestors 'self'" in policy("")


def test_a_page_brings_a_cookie_that_no_script_can_read_and_renews_it():
    door = VisitorCookie(inside, frozenset({"/trace"}))
    _, headers = answered(door, "/trace")
    said = headers["set-cookie"]
    assert re.fullmatch(r"palimpsest_visitor=[0-9a-f]{32}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", said)
    name = said.split(";")[0]
    assert answered(door, "/trace", cookie=f"a=b; {name}")[1]["set-cookie"] == said
    assert answered(door, "/media/x")[1] == {}
    assert answered(door, "/trace", scheme="https")[1]["set-cookie"].endswith("; Secure")
    assert answered(door, "/trace", x_forwarded_proto="https")[1]["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("planted", ["palimpsest_visitor=../x", "palimpsest_visitor=" + "0" * 33])
def test_a_cookie_of_another_form_is_replaced(planted):
    door = VisitorCookie(inside, frozenset({"/"}))
    assert planted not in answered(door, cookie=planted)[1]["set-cookie"]
    two = f"palimpsest_visitor={'a' * 32}; palimpsest_visitor={'b' * 32}"
    assert not re.search("a{32}|b{32}", answered(door, cookie=two)[1]["set-cookie"])
