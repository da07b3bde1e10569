"""What is known of the disk under the home, so that a page can say once what cannot be kept.

Whoever writes or reads tells it how that went; a fault stands until the same kind of thing has succeeded.
"""

import errno
import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Literal

from analysis.whole_files import replacing

log = logging.getLogger(__name__)
What = Literal["results", "runs", "edits", "reading", "reading runs"]
EVERY = 5.0
"""Seconds between two looks whether a disk that failed can be written again."""
PROBE = b"\0" * 8192
REASONS = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "is full for this user",
    errno.EROFS: "is read-only",
    errno.EACCES: "may not be used by this user",
    errno.EPERM: "may not be used by this user",
    errno.ENOTDIR: "is not a folder",
    errno.EEXIST: "is not a folder",
    errno.ENOENT: "is gone",
    errno.EMFILE: "cannot be opened, since this process has too many files open",
    errno.ENFILE: "cannot be opened, since this machine has too many files open",
    errno.EIO: "has an error that the system reports",
}
HELD = "is held by another program"
SQLITE_REASONS = {
    sqlite3.SQLITE_FULL: "is full",
    sqlite3.SQLITE_READONLY: "is read-only",
    sqlite3.SQLITE_BUSY: HELD,
    sqlite3.SQLITE_LOCKED: HELD,
    sqlite3.SQLITE_IOERR: REASONS[errno.EIO],
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: REASONS[errno.EACCES],
}


def reason(error: OSError | sqlite3.Error) -> str:
    """What is wrong with a place, to follow its name."""
    if isinstance(error, TimeoutError):
        return HELD
    if isinstance(error, OSError):
        return REASONS.get(error.errno or 0, f"cannot be used ({error.strerror or error})")
    return SQLITE_REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, f"cannot be used ({error})")


def is_of_disk(error: OSError | sqlite3.Error) -> bool:
    """Whether the disk, or who else holds it, is at fault, and not what was asked of it."""
    if isinstance(error, OSError):
        return True
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        *SQLITE_REASONS,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CORRUPT,
    )


class Disk:
    """The faults of one home that have not passed yet."""

    def __init__(self, home: Path):
        self.home = home
        self._faults: dict[What, str] = {}
        self._looked = 0.0

    def failed(self, what: What, error: OSError | sqlite3.Error) -> None:
        """Something could not be written, or read; the log is told when that is new."""
        told = reason(error)
        if self._faults.get(what) != told:
            self._faults[what] = told
            log.warning("%s (%s)", self.said(), error)

    def fine(self, what: What) -> None:
        """The same has succeeded."""
        self._faults.pop(what, None)

    @property
    def takes_nothing(self) -> bool:
        """Whether something could not be written last time."""
        return bool(self._unwritten())

    def _unwritten(self) -> list[str]:
        return [told for what, told in self._faults.items() if not what.startswith("reading")]

    def look(self) -> bool:
        """Whether the home can be written: tried now, or taken from a look a moment ago."""
        now = time.monotonic()
        if self._looked and now - self._looked < EVERY:
            return not self.takes_nothing
        self._looked = now
        try:
            with replacing(self.home / f".probe-{os.getpid()}") as new:
                new.write_bytes(PROBE)
            (self.home / f".probe-{os.getpid()}").unlink()
        except OSError as error:
            self.failed("results", error)
            return False
        return True

    def said(self, *, place: bool = True) -> str | None:
        """The one sentence for a page, None while nothing is wrong; strangers need not know the `place`."""
        where = str(self.home) if place else "what this server keeps its results on"
        written = self._unwritten()
        first = "Make room" if "is full" in "".join(written[:1]) else "Mend that"
        remedy = f" {first}, or start again with PALIMPSEST_HOME set to another folder." if place else ""
        if written:
            return f"What you do now is not kept: {where} {written[0]}. It lasts until this workbench ends.{remedy}"
        for told in self._faults.values():
            return f"What is stored cannot be read now: {where} {told}. Nothing is lost; runs start anew.{remedy}"
        return None
