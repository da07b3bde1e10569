"""A piece of work done in a process of its own, which is begun for it and ends with it."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from analysis.errors import WorkbenchError
from app.jobs.processes.own_process import begin

Found = TypeVar("Found")
_methods = multiprocessing.get_all_start_methods()
_context = multiprocessing.get_context("forkserver" if "forkserver" in _methods else "spawn")
_context.set_forkserver_preload(["app.exports.recipe_archive", "editors.cases.files"])


def elsewhere(
    work: Callable[..., Found], *given: Any, seconds: float, memory: int | None, late: WorkbenchError,
    lost: WorkbenchError,
) -> Found:  # fmt: skip
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


def _answer(there: Connection, memory: int | None, work: Callable[..., Any], given: tuple) -> None:
    if memory is not None:
        _bounded(memory)
    try:
        there.send((True, work(*given)))
    except WorkbenchError as error:
        there.send((False, error))
    except MemoryError:
        there.close()


def _bounded(memory: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
