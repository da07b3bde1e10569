"""Begins a process that knows nothing of the script its parent runs.

A process that is not forked runs the parent's main script first, so that what is defined there can be named. In a
server of pages that script is a page: it must not be drawn once more, by a process that nobody visits.
"""

import threading
from collections.abc import Callable
from multiprocessing import spawn
from multiprocessing.process import BaseProcess
from typing import Any

_one = threading.Lock()
_told = spawn.get_preparation_data
OF_MAIN = ("init_main_from_path", "init_main_from_name")


def begin(context: Any, target: Callable[..., Any], *given: Any, daemon: bool = True) -> BaseProcess:
    """A process of a context, begun, which calls `target` of a module.

    `daemon`: it ends with its parent, and begins no others; else both are its own concern.
    """
    process: BaseProcess = context.Process(target=target, args=given, daemon=daemon)
    with _one:
        spawn.get_preparation_data = _without_main
        try:
            process.start()
        finally:
            spawn.get_preparation_data = _told
    return process


def _without_main(name: str) -> dict[str, Any]:
    return {what: value for what, value in _told(name).items() if what not in OF_MAIN}
