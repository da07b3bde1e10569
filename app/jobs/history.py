"""The runs of a person, newest first: what the rail in the margin shows.

SQLite in WAL mode, one table, numbered migrations. A run points to its result by key; the
result itself lies in the store. Runs that the disk does not take are in memory until it does; a file that is no
history is set aside, whole, under another name.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from analysis.cache_home import cache_home
from app.jobs.disk import Disk, What, is_of_disk

MIGRATIONS = (
    """create table runs (
        id integer primary key, key text not null, study text not null, owner text not null, title text not null,
        note text not null, request text not null, model text not null, thumbnail text, complete integer not null,
        seconds real not null, created_at text not null, unique (key, owner))""",
    "create index runs_by_owner on runs (owner, created_at)",
)
PATIENCE, GLANCE = 10.0, 1.0
"""Seconds to wait for another program that writes: when writing, and when a page is drawn."""
HELD = 200
"""Runs kept in memory while the disk takes none, the latest."""
COLUMNS = "key, study, title, note, request, model, thumbnail, complete, seconds, created_at"
NOT_KEPT = ", not kept"


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

    def __init__(self, path: Path | None = None, disk: Disk | None = None):
        self.path = path or cache_home() / "history.sqlite3"
        self.disk = disk or Disk(self.path.parent)
        self._held: dict[tuple[str, str], Run] = {}
        with self._minded(), self._open(PATIENCE):
            pass

    @contextmanager
    def _minded(self, what: What = "runs") -> Iterator[None]:
        """Tell of what the disk does not take; any other error is a bug, and is raised."""
        try:
            yield
            self.disk.fine(what)
        except (OSError, sqlite3.Error) as error:
            if not is_of_disk(error):
                raise
            self.disk.failed(what, error)
            if _no_history(error):
                with suppress(OSError, sqlite3.Error):
                    self._set_aside()

    @contextmanager
    def _open(self, patience: float) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            db = self._ready(patience)
        except sqlite3.DatabaseError as error:
            if not _no_history(error):
                raise
            self._set_aside()
            db = self._ready(patience)
        try:
            with db:
                yield db
        finally:
            db.close()

    def _ready(self, patience: float) -> sqlite3.Connection:
        """A connection to the file, made or brought up to date where it is absent or older."""
        db = sqlite3.connect(self.path, timeout=patience)
        try:
            if db.execute("pragma user_version").fetchone()[0] < len(MIGRATIONS):
                db.execute("pragma journal_mode = wal")
                with db:
                    db.execute("begin immediate")
                    applied = db.execute("pragma user_version").fetchone()[0]
                    for number, migration in enumerate(MIGRATIONS[applied:], start=applied + 1):
                        db.execute(migration)
                        db.execute(f"pragma user_version = {number}")
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self) -> None:
        """Give a file that is no history another name, in place of one that was set aside before."""
        with FileLock(f"{self.path}.lock", timeout=PATIENCE):
            if not self._whole():  # another process may have done it
                self.path.replace(self.path.with_name(f"{self.path.name}.broken"))
                for beside in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + beside).unlink(missing_ok=True)

    def _whole(self) -> bool:
        try:
            db = self._ready(PATIENCE)
        except sqlite3.DatabaseError as error:
            if not _no_history(error):
                raise
            return False
        try:
            return bool(db.execute("pragma quick_check").fetchone()[0] == "ok")
        except sqlite3.DatabaseError as error:
            if not _no_history(error):
                raise
            return False
        finally:
            db.close()

    def add(self, owner: str, run: Run, *, kept: bool = True) -> None:
        """Put a run on top; the same request of the same owner moves up instead of standing twice.

        Where the disk does not take it, or its result is not `kept`, it stands in memory until `settle`.
        """
        self._held.pop((owner, run.key), None)
        self._held[owner, run.key] = run
        for oldest in list(self._held)[:-HELD]:
            self._held.pop(oldest, None)
        if kept:
            with self._minded():
                self._write(owner, run)

    def settle(self) -> None:
        """Write what stands in memory."""
        with self._minded(), self._open(GLANCE):
            for (owner, _), run in list(self._held.items()):
                self._write(owner, run)
            self.disk.fine("reading runs")

    def _write(self, owner: str, run: Run) -> None:
        with self._open(PATIENCE) as db:
            db.execute("delete from runs where key = ? and owner = ?", (run.key, owner))
            db.execute(
                "insert into runs (key, study, owner, title, note, request, model, thumbnail, complete, seconds,"
                " created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.key, run.study, owner, run.title, run.note, json.dumps(run.request), run.model,
                    json.dumps(run.thumbnail), run.complete, run.seconds, run.created_at.isoformat(),
                ),
            )  # fmt: skip
        self._held.pop((owner, run.key), None)

    def recent(self, owner: str, limit: int = 12) -> list[Run]:
        """The latest runs of an owner, in the order they were put down: clocks jump."""
        held = [replace(run, note=run.note + NOT_KEPT) for (of, _), run in self._held.items() if of == owner][::-1]
        asked = f"select {COLUMNS} from runs where owner = ? order by id desc limit ?", (owner, limit)
        found: list[list[tuple]] = []
        with self._minded("reading runs"), self._open(GLANCE) as db:
            found.append(db.execute(*asked).fetchall())
        rows = found[0] if found else self._as_it_lies(*asked)
        keys = {run.key for run in held}
        kept = [run for row in rows if (run := _run(row)) is not None and run.key not in keys]
        return [*held, *kept][:limit]

    def _as_it_lies(self, *asked: Any) -> list[tuple]:
        """Rows of a file on a disk that is read-only, where SQLite cannot put down who reads."""
        with suppress(sqlite3.Error, OSError):
            db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            try:
                return db.execute(*asked).fetchall()
            finally:
                db.close()
        return []

    def find(self, owner: str, key: str) -> Run | None:
        """One run of an owner."""
        return next((run for run in self.recent(owner, 1000) if run.key == key), None)

    def forget(self, owner: str, key: str) -> None:
        """Take a run off the rail."""
        self._held.pop((owner, key), None)
        with self._minded(), self._open(GLANCE) as db:
            db.execute("delete from runs where key = ? and owner = ?", (key, owner))


def _no_history(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _run(row: tuple) -> Run | None:
    """A row as a run; None where its content is none."""
    key, study, title, note, request, model, thumbnail, complete, seconds, created_at = row
    with suppress(ValueError, TypeError, RecursionError):
        return Run(
            key, study, title, note, dict(json.loads(request)), model, json.loads(thumbnail), bool(complete), seconds,
            datetime.fromisoformat(created_at),
        )  # fmt: skip
    return None


def now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)
