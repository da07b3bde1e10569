"""The run history: what stands on the rail, and files of every age."""

import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.jobs.history import MIGRATIONS, History, Run

MOMENT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RUN = Run(
    key="k0",
    study="trace",
    title="The Eiffel Tower",
    note="trace",
    request={"prompt": "Où est “Paris”?", "subject": "Paris"},
    model="tiny",
    thumbnail=[[0.0, 1.0]],
    complete=True,
    seconds=1.5,
    created_at=MOMENT,
)


def run(number: int) -> Run:
    return replace(RUN, key=f"k{number}", created_at=MOMENT + timedelta(minutes=number))


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path / "deep" / "history.sqlite3")


def version(path) -> int:
    db = sqlite3.connect(path)
    try:
        return db.execute("pragma user_version").fetchone()[0]
    finally:
        db.close()


def test_a_run_comes_back_as_it_went(history):
    history.add("me", RUN)
    assert history.recent("me") == [RUN]
    assert history.find("me", "k0") == RUN


def test_newest_first_and_only_so_many_whatever_the_clock_says(history):
    history.add("me", replace(run(0), created_at=MOMENT + timedelta(days=400)))  # it had jumped forwards
    for number in (1, 2):
        history.add("me", run(number))
    assert [r.key for r in history.recent("me")] == ["k2", "k1", "k0"]
    assert [r.key for r in history.recent("me", limit=1)] == ["k2"]


def test_the_same_request_moves_up(history):
    for number in (0, 1):
        history.add("me", run(number))
    history.add("me", replace(run(0), created_at=MOMENT + timedelta(hours=1)))
    assert [r.key for r in history.recent("me")] == ["k0", "k1"]


def test_people_do_not_see_each_other(history):
    history.add("me", RUN)
    history.add("you", RUN)
    history.forget("me", "k0")
    assert history.recent("me") == []
    assert history.find("me", "k0") is None
    assert history.recent("you") == [RUN]


def test_without_a_picture(history):
    history.add("me", replace(RUN, thumbnail=None, complete=False))
    found = history.recent("me")[0]
    assert found.thumbnail is None
    assert found.complete is False


def test_write_ahead_log(history):
    db = sqlite3.connect(history.path)
    assert db.execute("pragma journal_mode").fetchone()[0] == "wal"
    db.close()


@pytest.mark.parametrize("age", range(len(MIGRATIONS) + 1))
def test_files_of_every_age_are_brought_up_to_date(tmp_path, age):
    path = tmp_path / "history.sqlite3"
    db = sqlite3.connect(path)
    for migration in MIGRATIONS[:age]:
        db.execute(migration)
    db.execute(f"pragma user_version = {age}")
    if age:
        columns = "key, study, owner, title, note, request, model, thumbnail, complete, seconds, created_at"
        values = ("old", "trace", "me", "t", "n", "{}", "m", "null", 1, 2.0, MOMENT.isoformat())
        db.execute(f"insert into runs ({columns}) values ({','.join('?' * len(values))})", values)
    db.commit()
    db.close()
    history = History(path)
    assert version(path) == len(MIGRATIONS)
    assert [r.key for r in history.recent("me")] == (["old"] if age else [])
    history.add("me", RUN)
    assert history.find("me", "k0") == RUN


def test_opening_twice_changes_nothing(history):
    history.add("me", RUN)
    assert History(history.path).recent("me") == [RUN]


def test_a_migration_that_fails_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "history.sqlite3"
    monkeypatch.setattr("app.jobs.history.MIGRATIONS", (*MIGRATIONS, "create table more (id integer)", "no sql at all"))
    with pytest.raises(sqlite3.OperationalError):
        History(path)
    monkeypatch.undo()
    assert version(path) == 0
    assert History(path).recent("me") == []


def test_many_openers_and_writers_at_once(tmp_path):
    path, faults = tmp_path / "history.sqlite3", []

    def work(number: int) -> None:
        try:
            history = History(path)
            for turn in range(5):
                history.add("me", run(10 * number + turn))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(History(path).recent("me", limit=100)) == 30
