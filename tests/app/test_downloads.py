"""A folder given away as a zip, piece by piece: whole, under its name, to who has the address."""

import asyncio
import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from starlette.applications import Starlette

from app.exports import downloads
from app.exports.downloads import PIECE, offer, routes, zip_pieces


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "model" / "inner").mkdir(parents=True)
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "inner" / "empty").write_bytes(b"")
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(range(256)) * 40_000)
    return tmp_path / "model"


def asked(path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body that a browser gets for a path."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0 if not sent else 60)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }
    with ThreadPoolExecutor(1) as thread:  # a browser driven by this one keeps a loop in it
        thread.submit(asyncio.run, Starlette(routes=routes())(scope, receive, send)).result()
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_a_folder_arrives_whole_under_its_name(folder):
    status, headers, body = asked("/" + offer(folder, "palimpsest-abc-model"))
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="palimpsest-abc-model.zip"'
    assert headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    wanted = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == wanted


def test_an_address_is_kept_and_cannot_be_guessed(folder):
    assert offer(folder, "a") == offer(folder, "a") != offer(folder, "b")
    assert len(offer(folder, "a")) > 30
    assert asked("/take/other")[0] == 404
    address = offer(folder, "gone")
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    assert asked(f"/{address}")[0] == 404


def test_no_more_than_pieces_of_a_file_are_held(tmp_path):
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / "weights").open("wb") as file:
        file.truncate(64 * PIECE)
    tracemalloc.start()
    sent = sum(len(piece) for piece in zip_pieces(tmp_path / "large"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 64 * PIECE
    assert peak < 8 * PIECE


def test_a_server_without_the_route_offers_no_address(monkeypatch):
    monkeypatch.setattr(downloads, "_served", False)
    assert not downloads.served()
    routes()
    assert downloads.served()
