"""A server whose run is killed under it, with the embedded model: it lives, says so, goes on, and ends when asked."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.bench.visits.family import family
from app.bench.visits.protocol import Visit, visiting
from app.bench.visits.served import Server, start_server
from app.bench.visits.threads import nice

TRACE = {
    "prompt": "The Eiffel Tower is located in the city of", "subject": "The Eiffel Tower", "kinds": "state",
    "samples": "40",
}  # fmt: skip
LONGEST = 300.0
"""Seconds until a server that hangs is given up: it loads a model first, which takes long on a busy machine."""


def runs_of(server: Server) -> int:
    """The process of its runs, which steps back."""
    (found,) = (one for one in family(server.process.pid) if nice(one) > nice(server.process.pid))
    return found


def maps(process: int) -> str:
    """What a process has read of libraries."""
    return Path(f"/proc/{process}/maps").read_text(encoding="utf-8")


def seen(visit: Visit, true: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < end, visit.text()
        time.sleep(0.3)
        visit.again()
    assert "Traceback" not in visit.text()


@pytest.mark.real
def test_a_killed_run_is_told_and_gone_on_with_and_the_server_ends_when_asked(tmp_path):
    server = start_server(tmp_path / "home")
    try:
        with visiting(server.url) as visit, visiting(server.url) as other:
            visit.open("trace", TRACE)
            visit.press("trace-go")
            seen(visit, lambda: " of 300 cells" in visit.text())
            first = runs_of(server)
            os.kill(first, signal.SIGKILL)
            seen(visit, lambda: "The run was lost, since its process ended" in visit.text())
            other.open("lens", {"prompt": "The capital of France is"})
            other.press("lens-go")
            seen(other, lambda: not other.has("lens-cancel"))
            assert "lost" not in other.text()
            visit.press("trace-continue")
            seen(visit, lambda: " of 300 cells" in visit.text() and visit.has("trace-cancel"))
            second = runs_of(server)
            assert "libtorch" in maps(second)
            assert "libtorch" not in maps(server.process.pid)  # no weights are held twice
            assert second != first
        assert server.stop() == 0
        assert any((tmp_path / "home" / "results").glob("*.stopped"))
        with pytest.raises(ProcessLookupError):
            os.kill(second, 0)
    finally:
        server.process.kill()
