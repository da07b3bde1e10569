"""Files from outside are read in a process of their own, which has a minute and a bound of memory.

Some kilobytes may open to what takes the interpreter for a minute and half a gigabyte; in the server's own process
every page and every run would wait, and pay. One is read at a time, whoever brought it.
"""

import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from analysis.errors import BadFile, WorkbenchError
from app.jobs.own_process import begin

Read = TypeVar("Read")
SMALL = 200_000
"""Bytes that are read where they are: that takes less than beginning a process."""
SECONDS = 60.0
"""Time to read a file in."""
MEMORY = 1 << 30
"""Bytes the reading may take."""
_one = threading.Semaphore(1)
_methods = multiprocessing.get_all_start_methods()
_context = multiprocessing.get_context("forkserver" if "forkserver" in _methods else "spawn")
_context.set_forkserver_preload(["app.exports.recipe_archive", "editors.cases.files"])


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


def elsewhere(
    work: Callable[..., Read], *given: Any, seconds: float, memory: int | None, late: WorkbenchError,
    lost: WorkbenchError,
) -> Read:  # fmt: skip
    """What `work(*given)` gives or raises in a process of its own: `late` after its time, `lost` where it died."""
    here, there = _context.Pipe(duplex=False)
    process = begin(_context, _answer, there, memory, work, given)
    there.close()
    try:
        if not here.poll(seconds):
            raise late
        good, found = here.recv()
    except EOFError as error:
        raise lost from error
    finally:
        process.kill()
        process.join()
        here.close()
    if good:
        return found  # type: ignore[no-any-return]
    raise found


def _answer(there: Connection, memory: int | None, read: Callable[..., Any], given: tuple) -> None:
    if memory is not None:
        _bounded(memory)
    try:
        there.send((True, read(*given)))
    except WorkbenchError as error:
        there.send((False, error))
    except MemoryError:
        there.close()


def _bounded(memory: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
