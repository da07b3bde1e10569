"""Files from outside are read in a process of their own, which has a minute and a bound of memory.

Some kilobytes may open to what takes the interpreter for a minute and half a gigabyte; in the server's own process
every page and every run would wait, and pay. One is read at a time, whoever brought it.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from analysis.errors import BadFile
from app.jobs.processes.elsewhere import elsewhere

Read = TypeVar("Read")
SMALL = 200_000
"""Bytes that are read where they are: that takes less than beginning a process."""
SECONDS = 60.0
"""Time to read a file in."""
MEMORY = 1 << 30
"""Bytes the reading may take."""
_one = threading.Semaphore(1)


def apart(read: Callable[..., Read], *given: Any, size: int, seconds: float = SECONDS) -> Read:
    """What `read(*given)` gives, or raises of `WorkbenchError`; `BadFile` where it takes too long or too much.

    `read` is a function of a module that needs no model; `size`: bytes of the files it reads.
    """
    if size <= SMALL:
        return read(*given)
    with _one:
        return elsewhere(
            read, *given, seconds=seconds, memory=MEMORY,
            late=BadFile(f"The file was given up: it took more than {seconds:.0f} seconds to read. Give fewer."),
            lost=BadFile("The file was given up: it takes more memory to read than there is for it."),
        )  # fmt: skip
