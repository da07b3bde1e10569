"""The server's own process: Streamlit, begun once everything that pages are made of has been read.

Otherwise the first visitor waits for pandas and Plotly. Torch is not among it: it is read when the model is loaded.
"""

import atexit
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn


def warm() -> None:
    """Import what the pages import, without running any of them, and what studies name; not what runs a model."""
    import ast
    from importlib import import_module

    from analysis.errors import WorkbenchError
    from app.registry.pages import OURS
    from app.registry.studies import ENTRIES

    for page in [Path(__file__).with_name("main.py"), *sorted(OURS.glob("*.py"))]:
        for node in ast.parse(page.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                module = import_module(node.module)
                for name in node.names:
                    if not hasattr(module, name.name):
                        import_module(f"{node.module}.{name.name}")
    for entry in ENTRIES.values():
        for field in entry.named():
            if field not in ("run", "bench", "shown"):
                with suppress(WorkbenchError):  # of another package; whoever asks for it is told
                    entry.read(field)


def end(code: int) -> NoReturn:
    """End the process once every exit function has run, without taking the interpreter apart.

    A page may be at work on another thread, which Python can neither stop nor outrun: on a busy machine taking apart
    what it has read takes longer than a host waits between its request to end and its kill.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_when_asked() -> None:
    """End as after any other run when a host or Ctrl-C asks for it.

    The server shuts down first and then raises the signal once more: by default that kills the process, and what a
    run had found so far would not be kept.
    """
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: sys.exit(0))


if __name__ == "__main__":
    from streamlit.web.cli import main

    warm()
    end_when_asked()
    try:
        main(prog_name="streamlit")
    except SystemExit as asked:
        end(asked.code if isinstance(asked.code, int) else int(asked.code is not None))
