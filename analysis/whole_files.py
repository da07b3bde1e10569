"""Files that are whole or not there, whoever else writes at the same place and whenever the process is killed.

A file is written beside its place under a name nobody else has, settled on the disk, and renamed into it.
"""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

ENDING = ".new"
LEFT_OVER_SECONDS = 3600
"""Age from which a file of another machine, or of an unknown process, counts as one that it has left."""
_HOST = sha256(socket.gethostname().encode()).hexdigest()[:8]
_MARK = re.compile(rf"-{_HOST}\.(\d+)-")


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """A path to write to; what lies there when the context ends takes the place of `place`.

    Folders are made. Where anything fails, `place` is as it was, and the error goes on to the caller.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in place.parent.glob(f".{escape(place.name)}-*{ENDING}"):
        if left_over(old):
            with suppress(OSError):
                old.unlink()
    new = place.with_name(f".{place.name}{mark()}{uuid4().hex}{ENDING}")
    try:
        yield new
        settle(new)
        new.replace(place)
    finally:
        with suppress(OSError):
            new.unlink()
    settle(place.parent)


def mark() -> str:
    """Who is writing: stands in the name of what is not whole yet."""
    return f"-{_HOST}.{os.getpid()}-"


def left_over(path: Path) -> bool:
    """Whether nobody is at something any more that is not whole: its process is gone.

    Where that cannot be asked, of another machine or a system without, whether it was last written to long ago; a clock
    that jumps would else take away what is being written.
    """
    if os.name == "posix" and (said := _MARK.search(path.name)):
        return not _lives(int(said[1]))
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > LEFT_OVER_SECONDS
    return False


def _lives(pid: int) -> bool:
    try:
        with suppress(PermissionError):  # another person's process
            os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


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
