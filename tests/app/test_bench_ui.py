"""The benchmark of pages, without a browser: whose processor time it was, and what becomes of what was seen."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from analysis.errors import BadRequest
from app.bench import ui as bench_ui
from app.bench.form import Bench
from app.bench.ui import Seen, UiOptions, put
from app.bench.visits import visitors
from app.bench.visits.family import family, memory
from app.bench.visits.threads import Spent, spent
from app.jobs.run_here import step_back

STEPS_BACK = """
import os, time
os.nice(10)
held = bytearray(os.urandom(1)) * 100_000_000
while time.process_time() < 0.3:
    pass
print("done", flush=True)
time.sleep(600)
"""


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def ended(thread: threading.Thread) -> None:
    """Wait for the system's thread too: it ends a little after Python's, and until then its time is the run's."""
    thread.join()
    while Path(f"/proc/self/task/{thread.native_id}").exists():
        time.sleep(0.001)


def test_a_thread_that_stepped_back_is_the_run_and_all_others_are_pages():
    def run() -> None:
        step_back()
        busy(0.3)
        done.set()
        leave.wait()

    done, leave = threading.Event(), threading.Event()
    before, worker = spent(os.getpid()), threading.Thread(target=run)
    worker.start()
    page = threading.Thread(target=busy, args=(0.2,))  # it ends, and is counted
    page.start()
    page.join()
    done.wait()
    found = spent(os.getpid()).since(before)
    leave.set()
    ended(worker)
    assert found.run == pytest.approx(0.3, abs=0.06)
    assert found.pages == pytest.approx(0.2, abs=0.15)


def test_a_process_that_stepped_back_is_the_run_too():
    """Runs of a server have one of their own, which holds the model: its memory counts as the server's."""
    before, held = spent(os.getpid()), memory(os.getpid())
    begun = subprocess.Popen([sys.executable, "-c", STEPS_BACK], stdout=subprocess.PIPE)
    assert begun.stdout.readline() == b"done\n"
    found, with_it = spent(os.getpid()).since(before), memory(os.getpid())
    assert family(os.getpid())[:1] == [os.getpid()]
    assert begun.pid in family(os.getpid())
    begun.kill()
    begun.wait()
    assert found.run >= 0.25  # clocks of processes have steps
    assert with_it - held > 100e6
    assert begun.pid not in family(os.getpid())


def test_elsewhere_it_is_said_that_threads_cannot_be_told_apart(tmp_path):
    with pytest.raises(BadRequest, match="Only Linux"):
        spent(1, tmp_path)


def test_figures_of_what_was_seen():
    bench = Bench({}, {})
    put(bench, 8, Seen(Spent(20.0, 2.4), 30.0, (2.0, 1.0, 9.0), tuple(range(101)), (0.5,) * 4))
    assert {one.name: one.value for one in bench.figures} == {
        "sessions8.redraw_share": pytest.approx(0.08),
        "sessions8.run_share": pytest.approx(2 / 3),
        "sessions8.first_picture_s": 2.0,
        "sessions8.switch_p50": 50.0,
        "sessions8.switch_p95": 95.0,
        "sessions8.idle_switch_p50": 0.5,
        "sessions8.idle_switch_p95": 0.5,
    }


def test_what_is_missing_is_named_before_a_server_is_started(monkeypatch):
    monkeypatch.setattr(visitors, "find_chromium", lambda: None)
    monkeypatch.setattr(bench_ui, "start_server", None)
    with pytest.raises(BadRequest, match=r"playwright and a Chromium.*pip install.*--install"):
        bench_ui.ui(None, UiOptions(quick=True))
