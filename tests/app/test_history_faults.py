"""The run history on a disk that misbehaves: runs stand in memory until it is written again."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs import history as module
from app.jobs.history import NOT_KEPT, History
from tests.app.test_history import RUN, run
from tests.kit.faults import AT_FAULT


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module, "GLANCE", 0.1)


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "home" / "history.sqlite3"


def held(number: int):
    return replace(run(number), note=RUN.note + NOT_KEPT)


def test_a_file_where_the_folder_should_be(place):
    place.parent.write_text("mine")
    history = History(place)
    assert history.recent("me") == []
    assert "is not a folder" in history.disk.said()
    history.add("me", run(1))
    history.add("me", run(2))
    history.add("you", run(3))
    assert history.recent("me") == [held(2), held(1)]
    history.forget("me", "k1")
    assert history.recent("me") == [held(2)]
    assert place.parent.read_text() == "mine"
    place.parent.unlink()
    history.settle()
    assert history.disk.said() is None
    assert History(place).recent("me") == [run(2)]


def test_a_folder_that_is_taken_away_while_the_workbench_runs(place):
    history = History(place)
    history.add("me", run(1))
    place.parent.rename(place.parent.with_name("gone"))
    assert history.recent("me") == []
    history.add("me", run(2))
    assert history.recent("me") == [run(2)]


def test_another_program_that_holds_the_file(place):
    history = History(place)
    history.add("me", run(1))
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("begin immediate")
    history.add("me", run(2))
    assert history.recent("me") == [held(2), run(1)]
    assert "is held by another program" in history.disk.said()
    other.execute("rollback")
    other.close()
    history.settle()
    assert history.recent("me") == [run(2), run(1)]
    assert history.disk.said() is None


def test_a_run_whose_result_is_in_memory_alone_waits_for_it(place):
    history = History(place)
    history.add("me", run(1), kept=False)
    assert history.recent("me") == [held(1)]
    assert History(place).recent("me") == []
    history.settle()
    assert History(place).recent("me") == [run(1)]


@pytest.mark.parametrize("damage", [name for name in AT_FAULT if name != "empty"])
def test_a_file_that_is_no_history_is_set_aside_whole(place, damage):
    history = History(place)
    for number in range(200):
        history.add("me", run(number))
    db = sqlite3.connect(place)
    db.execute("pragma wal_checkpoint(truncate)")
    db.execute("pragma journal_mode = delete")
    db.close()
    broken = AT_FAULT[damage](place.read_bytes())
    place.write_bytes(broken)
    history.add("me", run(1000))
    if damage == "a bit flipped":  # one that only a row has, or none
        assert "k1000" in {one.key for one in history.recent("me", 300)}
        return
    history.settle()
    assert history.recent("me", 1) == [run(1000)]
    assert place.with_name("history.sqlite3.broken").read_bytes() == broken
    assert History(place).recent("me", 1) == [run(1000)]


def test_a_row_that_is_none_is_passed_over(place):
    history = History(place)
    for number in range(4):
        history.add("me", run(number))
    db = sqlite3.connect(place)
    for number, (column, text) in enumerate((("request", "{"), ("created_at", "soon"), ("thumbnail", "[" * 100_000))):
        db.execute(f"update runs set {column} = ? where key = ?", (text, f"k{number}"))
    db.commit()
    db.close()
    assert history.recent("me") == [run(3)]


def test_a_read_only_disk_shows_what_was_kept(place, monkeypatch):
    history = History(place)
    history.add("me", run(1))
    db = sqlite3.connect(place)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    real = sqlite3.connect

    def connect(path, *args, **options):
        if options.get("uri"):
            return real(path, *args, **options)
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    monkeypatch.setattr(sqlite3, "connect", connect)
    history.add("me", run(2))
    assert history.recent("me") == [held(2), run(1)]
    assert "cannot be opened" in history.disk.said()


FULL = """
import resource, signal, sys
from pathlib import Path
from app.jobs.history import History
from tests.app.test_history import run
history = History(Path(sys.argv[1]))
history.add("me", run(0))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
for number in range(1, 50):
    history.add("me", run(number))
assert {one.key for one in history.recent("me", 100)} == {f"k{number}" for number in range(50)}
assert history.disk.said()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
history.settle()
assert history.disk.said() is None
"""


def test_a_full_disk_loses_no_run(place):
    subprocess.run([sys.executable, "-c", FULL, str(place)], check=True)
    assert {one.key for one in History(place).recent("me", 100)} == {f"k{number}" for number in range(50)}
