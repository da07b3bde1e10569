"""Texts put before a prompt are written once, and read from the cache by later runs."""

import json

import pytest

from editors.methods.search import token_rows
from editors.methods.search.token_rows import contexts
from tests.kit.edits import asked


@pytest.fixture
def place(monkeypatch, tmp_path, tiny):
    monkeypatch.setattr(token_rows, "cache_home", lambda: tmp_path)
    tiny.memo.clear()
    return tmp_path


def test_what_is_read_is_what_was_written(tiny, place, monkeypatch):
    request = asked(contexts=3)
    written = contexts(tiny, request)
    assert len(written) == 3
    tiny.memo.clear()
    monkeypatch.setattr(token_rows, "continuations", lambda *_, **__: pytest.fail("written again"))
    assert contexts(tiny, request) == written


@pytest.mark.parametrize("bytes_", [b"", b"[1, 2]", b'{"openings": [], "texts": ["a"]}', b"\xff", b"[" * 9999])
def test_what_does_not_lie_there_whole_is_written_anew(tiny, place, bytes_):
    request = asked(contexts=2)
    written = contexts(tiny, request)
    (file,) = place.rglob("*.json")
    whole = json.loads(file.read_text())
    for broken in (bytes_, json.dumps(whole | {"texts": ["a {} b", "c"]}).encode()):
        file.write_bytes(broken)
        tiny.memo.clear()
        assert contexts(tiny, request) == written
        assert json.loads(file.read_text()) == whole


def test_a_disk_that_takes_nothing_is_no_fault(tiny, place, monkeypatch):
    monkeypatch.setattr(token_rows, "cache_home", lambda: place / "file")
    (place / "file").write_text("")
    assert len(contexts(tiny, asked(contexts=2))) == 2
