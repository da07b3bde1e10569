"""The runs of a person, newest first: what the rail in the margin shows.

SQLite in WAL mode, one table, numbered migrations. A run points to its result by key; the
result itself lies in the store.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.cache_home import cache_home

MIGRATIONS = (
    """create table runs (
        id integer primary key, key text not null, study text not null, owner text not null, title text not null,
        note text not null, request text not null, model text not null, thumbnail text, complete integer not null,
        seconds real not null, created_at text not null, unique (key, owner))""",
    "create index runs_by_owner on runs (owner, created_at)",
)


@dataclass(frozen=True)
class Run:
    """One run as the rail shows it."""

    key: str
    study: str
    title: str
    note: str
    request: dict[str, Any]
    model: str
    thumbnail: list[list[float]] | None
    complete: bool
    seconds: float
    created_at: datetime


class History:
    """Runs in a SQLite file; every call opens its own connection, so any thread may call."""

    def __init__(self, path: Path | None = None):
        self.path = path or cache_home() / "history.sqlite3"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as db:
            db.execute("pragma journal_mode = wal")
            db.execute("begin immediate")
            applied = db.execute("pragma user_version").fetchone()[0]
            for number, migration in enumerate(MIGRATIONS[applied:], start=applied + 1):
                db.execute(migration)
                db.execute(f"pragma user_version = {number}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=10)
        try:
            with db:
                yield db
        finally:
            db.close()

    def add(self, owner: str, run: Run) -> None:
        """Put a run on top; the same request of the same owner moves up instead of standing twice."""
        with self._open() as db:
            db.execute("delete from runs where key = ? and owner = ?", (run.key, owner))
            db.execute(
                "insert into runs (key, study, owner, title, note, request, model, thumbnail, complete, seconds,"
                " created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.key, run.study, owner, run.title, run.note, json.dumps(run.request), run.model,
                    json.dumps(run.thumbnail), run.complete, run.seconds, run.created_at.isoformat(),
                ),
            )  # fmt: skip

    def recent(self, owner: str, limit: int = 12) -> list[Run]:
        """The latest runs of an owner."""
        columns = "key, study, title, note, request, model, thumbnail, complete, seconds, created_at"
        with self._open() as db:
            rows = db.execute(
                f"select {columns} from runs where owner = ? order by created_at desc, id desc limit ?", (owner, limit)
            ).fetchall()
        return [_run(row) for row in rows]

    def find(self, owner: str, key: str) -> Run | None:
        """One run of an owner."""
        return next((run for run in self.recent(owner, 1000) if run.key == key), None)

    def forget(self, owner: str, key: str) -> None:
        """Take a run off the rail."""
        with self._open() as db:
            db.execute("delete from runs where key = ? and owner = ?", (key, owner))


def _run(row: tuple) -> Run:
    key, study, title, note, request, model, thumbnail, complete, seconds, created_at = row
    return Run(
        key, study, title, note, json.loads(request), model, json.loads(thumbnail), bool(complete), seconds,
        datetime.fromisoformat(created_at),
    )  # fmt: skip


def now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)
