"""A server that asks for a login: nothing of it without one, and only for those it was told to admit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.responses import Response

from analysis.errors import BadFile, BadRequest
from app.bench.hostile.headers import Sent, answer, handshake
from app.bench.visits.served import free_port, start_server
from app.cli.login_file import login_hosts
from app.doors import link_kept
from app.doors.login import admits
from app.doors.sign_in_page import sign_in_page
from tests.kit.provider import CLIENT, SECRET, Provider, provider

CLOSED = (
    "/media/x.png",
    "/_stcore/upload_file/a/b",
    "/_stcore/host-config",
    "/take/x",
    "/static/x.js",
    "/_stcore/stream",
)
AUTH = """[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "{secret}"
client_id = "{client}"
client_secret = "{client_secret}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


def secrets_file(folder: Path, url: str, provider_url: str = "http://127.0.0.1:1", secret: str = "s" * 32) -> Path:
    file = folder / "secrets.toml"
    said = AUTH.format(url=url, provider=provider_url, client=CLIENT, client_secret=SECRET, secret=secret)
    file.write_text(said, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Provider]]:
    with provider() as made:
        folder, port = tmp_path_factory.mktemp("closed"), free_port()
        file = secrets_file(folder, f"http://127.0.0.1:{port}", made.url)
        flags = ["--public", "--login", str(file), "--admit", "ada@example.org", "--admit", "@class.example"]
        server = start_server(folder, flags, port)
        yield server.url, made
        assert server.stop() == 0


def signed_in(url: str, made: Provider, **user: Any) -> tuple[httpx.Client, httpx.Response]:
    made.user = user
    client = httpx.Client(follow_redirects=True, trust_env=False)
    return client, client.get(f"{url}/sign-in/default")


def test_without_a_login_there_is_the_way_to_one_and_nothing_else(closed):
    url, _ = closed
    page = httpx.get(f"{url}/trace", trust_env=False)
    assert page.status_code == 200
    assert "sign-in/default" in page.text
    assert "<script" not in page.text
    for path in CLOSED:
        assert httpx.get(url + path, trust_env=False).status_code == 401, path
    assert httpx.put(f"{url}/_stcore/upload_file/a/b", trust_env=False).status_code == 401
    port = int(url.rsplit(":", 1)[1])
    got = answer(port, Sent(handshake(("Host", f"127.0.0.1:{port}"), ("Origin", url)), frozenset()))
    assert got.startswith(b"HTTP/1.1 401")
    assert httpx.get(f"{url}/_stcore/health", trust_env=False).status_code == 200


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@example.org", "bo@class.example"])
def test_who_is_on_the_list_is_let_in(closed, email):
    client, page = signed_in(*closed, email=email, email_verified=True)
    assert page.status_code == 200
    assert '<div id="root">' in page.text
    assert client.get(f"{closed[0]}/_stcore/host-config").status_code == 200
    assert client.get(f"{closed[0]}/_stcore/metrics").status_code == 404
    client.get(f"{closed[0]}/auth/logout")
    assert client.get(f"{closed[0]}/_stcore/host-config").status_code == 401


def test_a_link_opened_before_signing_in_is_followed_afterwards_and_once(closed):
    url, made = closed
    link = f"{url}/trace?prompt=a+b%3B+%22c%22+%C3%A9&subject=b&answer="
    made.user = {"email": "ada@example.org", "email_verified": True}
    client = httpx.Client(follow_redirects=True, trust_env=False)
    assert "sign-in/default" in client.get(link).text
    page = client.get(f"{url}/sign-in/default")
    assert (page.status_code, str(page.url)) == (200, link)
    assert str(client.get(f"{url}/").url) == f"{url}/"
    other = httpx.Client(follow_redirects=True, trust_env=False)
    other.get(f"{url}/")
    assert str(other.get(f"{url}/sign-in/default").url) == f"{url}/"


@pytest.mark.parametrize(
    "planted",
    ["//evil.example", "https://evil.example/trace", "/\\evil.example", "/trace/../media/x", "/media/x", ".", "",
     "//evil.example/trace?a", "/trace\r\nX: y?a", "%2Ftrace", "\x00"],
)  # fmt: skip
def test_a_planted_link_leads_nowhere_else(closed, planted):
    client, _ = signed_in(*closed, email="ada@example.org", email_verified=True)
    client.cookies.set(link_kept.COOKIE, quote(planted, safe=""))
    page = client.get(f"{closed[0]}/", follow_redirects=False)
    assert page.status_code == 200
    assert "location" not in page.headers


def test_a_link_that_is_too_long_is_not_kept():
    answer = Response()
    link_kept.keep(answer, {"path": "/trace", "query_string": b"prompt=" + b"a" * 4000}, secure=True)
    assert 'palimpsest_link=""; expires=' in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "user",
    [
        {"email": "eve@example.org"},
        {"email": "ada@example.org", "email_verified": False},
        {"email": "ada@example.org.evil.example"},
        {"email": "eve@evil.example@class.example"},
        {"name": "ada@example.org"},
    ],
)
def test_who_is_not_on_the_list_is_told_so(closed, user):
    client, page = signed_in(*closed, **user)
    assert page.status_code == 403
    assert "is not on the list" in page.text
    assert client.get(f"{closed[0]}/_stcore/host-config").status_code == 401


def test_a_cookie_that_was_made_elsewhere_is_none(closed):
    url, _ = closed
    for name, value in (("_streamlit_user", "eyJpc19sb2dnZWRfaW4iOiB0cnVlfQ.a.b"), ("_streamlit_user", "é")):
        said = httpx.get(f"{url}/_stcore/host-config", headers={"Cookie": f"{name}={value}".encode()}, trust_env=False)
        assert said.status_code == 401


def test_a_name_on_the_page_is_text():
    assert "<img src=x" not in sign_in_page({}, "<img src=x onerror=alert(1)>")


def test_everybody_is_let_in_where_nobody_is_named():
    assert admits([]).lets_in({"sub": "1"})
    assert not admits(["@a.example"]).lets_in({"email": "x@b.a.example"})


def test_a_file_that_is_not_whole_is_refused_before_the_server_starts(tmp_path):
    whole = secrets_file(tmp_path, "https://learn.example.org")
    assert login_hosts(whole, ["a@b.example"]) == ["learn.example.org"]
    text = whole.read_text(encoding="utf-8")
    for broken, said in (
        ("", "no section"),
        ("[auth", "TOML"),
        (text.replace("client_id", "x"), "lacks client_id"),
        (text.replace("s" * 32, "short"), "fewer than 32"),
        (text.replace("/oauth2callback", "/"), "ends in /oauth2callback"),
        (text.replace("https://learn.example.org", "learn"), "address of this server"),
    ):
        whole.write_text(broken, encoding="utf-8")
        with pytest.raises(BadFile, match=said):
            login_hosts(whole, [])
    with pytest.raises(BadFile, match="cannot be read"):
        login_hosts(tmp_path / "none", [])
    with pytest.raises(BadRequest, match="--login"):
        login_hosts(None, ["a@b.example"])
    with pytest.raises(BadRequest, match="--admit"):
        login_hosts(whole, ["example.org"])
