"""Files from outside: read in a process of their own within bounds, or refused; a session holds so many."""

import asyncio
import io
import json
import os
import sys
from types import ModuleType
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from analysis.errors import BadFile
from app.doors import uploads
from app.doors.uploads import MOST_FILES, MOST_PUBLIC, Uploads
from app.exports.recipe_archive import LARGEST_RECIPE, WHATEVER, brought
from app.jobs.processes.apart import MEMORY, SMALL, apart
from editors.cases.files import case_file

LARGE = SMALL + 1


def who() -> int:
    return os.getpid()


def refuses() -> None:
    raise BadFile("Two faults.", ("row 1", "row 2"))


def dies() -> None:
    os._exit(7)


def takes_all() -> int:
    return len(bytearray(2 * MEMORY))


def never_ends() -> None:
    while True:
        pass


def test_what_is_large_is_read_in_another_process_and_what_is_small_here():
    assert apart(who, size=LARGE) != os.getpid()
    assert apart(who, size=SMALL) == os.getpid()


def test_faults_come_back_as_they_are():
    with pytest.raises(BadFile, match="Two faults") as refused:
        apart(refuses, size=LARGE)
    assert refused.value.problems == ("row 1", "row 2")


@pytest.mark.parametrize("ends", [dies, takes_all])
def test_a_reading_that_dies_takes_nothing_with_it(ends):
    with pytest.raises(BadFile, match="more memory to read than there is"):
        apart(ends, size=LARGE)


def test_a_reading_that_does_not_end_is_given_up():
    with pytest.raises(BadFile, match="more than 0 seconds"):
        apart(never_ends, size=LARGE, seconds=0.0)


def test_a_file_of_cases_is_the_same_read_here_and_there():
    data = json.dumps(
        [{"prompt": "{} is in", "subject": f"Tower {n}", "target_new": "Rome"} for n in range(3)]
    ).encode()
    assert apart(case_file, "a.json", data, {}, None, size=LARGE) == case_file("a.json", data, {}, None)


def zipped(inside: bytes) -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as archive:
        archive.writestr("recipe.json", inside)
        archive.writestr("recipe.safetensors", b"")
    return held.getvalue()


@pytest.mark.parametrize(
    ("size", "said"), [(LARGEST_RECIPE + 1, "at most"), (LARGEST_RECIPE, "more than 100 times its size")]
)
def test_an_archive_that_opens_to_far_more_than_it_is_is_not_opened(size, said):
    data = zipped(b"[" + b" " * (size - 2) + b"]")
    assert len(data) < 20_000
    with pytest.raises(BadFile, match=said):
        brought([("a.zip", data)])


def test_small_contents_may_be_as_regular_as_they_like():
    with pytest.raises(BadFile) as refused:
        brought([("a.zip", zipped(b"[" + b" " * (WHATEVER - 2) + b"]"))])
    assert "times" not in str(refused.value)


def put(door: Uploads, length: int | None, method: str = "PUT") -> int:
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "method": method, "path": f"{uploads.PLACE}ada/1", "headers": headers, "extensions": {}}
    asyncio.run(door(scope, None, send))
    return sent[0]["status"]


async def taken(scope: dict, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


@pytest.mark.parametrize(
    ("there", "length", "status"),
    [
        ([], 1_000, 204),
        ([1] * MOST_FILES, 1_000, 413),
        ([MOST_PUBLIC - 999], 1_000, 413),
        ([MOST_PUBLIC - 1_000], 1_000, 204),
        ([], None, 411),
    ],
)
def test_a_session_holds_so_much_and_no_more(monkeypatch, there, length, status):
    monkeypatch.setattr(uploads, "held", lambda session: there if session == "ada" else [])
    assert put(Uploads(taken, public=True), length) == status
    assert put(Uploads(taken, public=True), 0, "DELETE") == 204


def test_files_that_are_on_their_way_count(monkeypatch):
    monkeypatch.setattr(uploads, "held", lambda session: [])
    seen: list[int] = []

    async def another(scope: dict, receive: Any, send: Any) -> None:
        if len(seen) <= MOST_FILES:
            seen.append(0)
            await door(scope, receive, send)
            return
        await taken(scope, receive, send)

    door = Uploads(another, public=True)
    assert put(door, 10) == 413
    assert len(seen) == MOST_FILES
    assert put(Uploads(taken, public=True), 10) == 204


def test_the_process_does_not_run_the_page_that_asked_for_it(tmp_path, monkeypatch):
    page = tmp_path / "page.py"
    page.write_text("raise SystemExit(3)", encoding="utf-8")
    script = ModuleType("__main__")
    script.__file__ = str(page)
    monkeypatch.setitem(sys.modules, "__main__", script)
    assert apart(len, b"x" * 300_000, size=300_000) == 300_000
