"""Files that are whole or not there, whoever else writes at the same place and whenever the process is killed.

A file is written beside its place under a name nobody else has, settled on the disk, and renamed into it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

ENDING = ".new"
LEFT_OVER_SECONDS = 3600
"""Age from which a file under such a name is one that a killed process has left."""


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """A path to write to; what lies there when the context ends takes the place of `place`.

    Folders are made. Where anything fails, `place` is as it was, and the error goes on to the caller.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in place.parent.glob(f".{place.name}-*{ENDING}"):
        if long_left(old):
            with suppress(OSError):
                old.unlink()
    new = place.with_name(f".{place.name}-{uuid4().hex}{ENDING}")
    try:
        yield new
        settle(new)
        new.replace(place)
    finally:
        with suppress(OSError):
            new.unlink()
    settle(place.parent)


def long_left(path: Path) -> bool:
    """Whether something was last written to so long ago that nobody is at it now."""
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > LEFT_OVER_SECONDS
    return False


def there(path: Path) -> bool:
    """Whether something lies at a path, as far as the system tells."""
    with suppress(OSError):
        return path.exists()
    return False


def settle(path: Path) -> None:
    """Have the disk hold a file's bytes, or a folder's names where the system lets a folder be asked."""
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        if not folder:
            raise
