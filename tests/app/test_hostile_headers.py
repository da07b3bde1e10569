"""A server that is open to others, spoken to byte for byte."""

from collections.abc import Iterator

import pytest

from app.bench.hostile import headers
from app.bench.hostile.headers import Sent, answer, cases, handshake, judge, request
from app.bench.visits.served import start_server


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    server = start_server(tmp_path_factory.mktemp("open"), ["--public"])
    yield int(server.url.rsplit(":", 1)[1])
    assert server.stop() == 0


def test_nothing_that_is_sent_makes_it_fail_or_tell_of_its_insides(port):
    wrong = {label: said for label, sent in cases(7, 200, port) if (said := judge(sent, answer(port, sent)))}
    assert wrong == {}


def test_the_same_seed_sends_the_same(port):
    assert list(cases(3, 40, port)) == list(cases(3, 40, port)) != list(cases(4, 40, port))


def test_a_refused_handshake_says_why(port):
    got = answer(port, Sent(handshake(("Host", "evil.example"), ("Origin", "http://evil.example")), frozenset()))
    assert got.startswith(b"HTTP/1.1 421")
    assert "does not answer to “evil.example”" in got.decode()


def test_a_page_has_its_cookie_and_its_headers(port):
    got = answer(port, Sent(request("/trace", ("Host", f"localhost:{port}")), frozenset())).decode()
    head = got.split("\r\n\r\n")[0].lower()
    assert "palimpsest_visitor=" in head
    assert "httponly" in head
    assert "content-security-policy: default-src 'self'" in head


@pytest.mark.parametrize(
    ("place", "own"),
    [("/trace", True), ("../trace", True), ("../..;", True), ("..", True), ("/", True), ("//evil.example", False),
     ("/\\evil.example", False), ("https://evil.example", False), ("\\\\evil", False), ("javascript:x", False)],
)  # fmt: skip
def test_a_redirect_leads_to_this_server_or_is_wrong(place, own):
    got = f"HTTP/1.1 301 Moved\r\nlocation: {place}\r\n\r\n".encode()
    assert (judge(Sent(b"", frozenset({301})), got) is None) == own


def test_the_judge_knows_what_is_wrong():
    sent = Sent(b"", frozenset({200}))
    assert judge(sent, b"HTTP/1.1 200 OK\r\n\r\n") is None
    assert judge(sent, b"HTTP/1.1 500 X\r\n\r\n")
    assert judge(sent, b"")
    assert judge(sent, b"HTTP/1.1 200 OK\r\n\r\nTraceback (most recent call last)")
    assert judge(sent, f"HTTP/1.1 200 OK\r\n{headers.LEFT_OUT}: 1\r\n\r\n".encode())
