"""How long Cancel takes: typical runs in the process of their own, given up at random moments."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis import ModelSpec
from analysis.errors import BadRequest
from analysis.study import Report, silent
from app.bench.form import Bench
from app.bench.server.estimates import requests
from app.jobs.job import Job
from app.jobs.processes.run_apart import RunApart
from app.jobs.store import ResultStore
from app.jobs.worker import Worker
from app.registry.studies import STUDIES

LATEST = 12.0
"""Seconds after its beginning by which a run is given up: searches and scoring have begun by then."""
END = 120.0
"""Seconds a run may take to stop before it counts as hanging."""
OWNER = "bench"


def add_cancels(bench: Bench, spec: ModelSpec, names: Sequence[str], each: int, report: Report = silent) -> None:
    """Put down `cancel.NAME` and `cancel.longest`: seconds from Cancel until the run has stopped, at most.

    Each run is asked in a store of its own, so that it begins at its beginning; one that came to its end before it was
    given up says nothing, and is left out.
    """
    draw = np.random.default_rng(0)
    longest = 0.0
    with tempfile.TemporaryDirectory() as around:
        worker = Worker(RunApart(), ResultStore(Path(around) / "warm"))
        try:
            _until(worker.submit(None, None, spec, OWNER), END)
            for turn, name in enumerate(names):
                report(turn, len(names), name)
                worker.store = ResultStore(Path(around) / name)
                study, request = requests()[name]
                if STUDIES[study].on_edits and study != "edit":
                    continue  # it looks at edits, and there are none here
                took = []
                for _ in range(each):
                    job = worker.submit(STUDIES[study], request, spec, OWNER)
                    _until_begun(job)
                    time.sleep(draw.uniform(0.2, LATEST))
                    if job.over:
                        continue
                    pressed = time.monotonic()
                    worker.leave(job, OWNER)
                    _until(job, END)
                    took.append(time.monotonic() - pressed)
                if took:
                    bench.add(f"cancel.{name}", max(took), "s at most", len(took))
                    longest = max(longest, *took)
        finally:
            worker.close()
    bench.add("cancel.longest", longest, "s at most", len(names))


def _until_begun(job: Job) -> None:
    while job.state == "waiting":
        time.sleep(0.01)


def _until(job: Job, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not job.over:
        if time.monotonic() > end:
            raise BadRequest("A run that was given up does not stop.")
        time.sleep(0.005)
    if job.state == "failed":
        raise BadRequest(f"A run failed that was to be given up: {job.error}")
