"""The process of a worker's runs is killed: the worker lives and says so, and asked again a run gives the same bits."""

import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from analysis import ModelSpec
from analysis.errors import BadRequest
from analysis.model.language_model import LanguageModel
from analysis.study import Report, silent
from app.bench.form import Bench
from app.bench.server.kills import asked, model, plain
from app.jobs.job import Job
from app.jobs.processes.run_apart import RunApart
from app.jobs.store import ResultStore
from app.jobs.worker import Worker
from app.registry.studies import STUDIES

SPEC = ModelSpec(source="tiny")
END = 120.0
"""Seconds a run may take before it counts as hanging."""


def load(spec: ModelSpec, report: Report) -> LanguageModel:
    """The tiny model; called in the process of the runs."""
    return model()


def add_run_kills(bench: Bench, each: int = 20, seed: int = 0, report: Report = silent) -> list[str]:
    """Put down `kills.run_tried` and `kills.run_survived`: kills of a trace, each in a store of its own.

    Returns a sentence for each after which something was lost or wrong.
    """
    runner, lost = RunApart(load), list[str]()
    with tempfile.TemporaryDirectory() as around:
        worker = Worker(runner, ResultStore(Path(around) / "whole"))
        try:
            _run(worker, "lens")  # reads the model
            began = time.monotonic()
            whole = plain(_run(worker, "trace").result)
            seconds = time.monotonic() - began
            for turn, share in enumerate(np.random.default_rng(seed).uniform(0, 1, each)):
                report(turn, each, "kills of a run's process")
                worker.store = ResultStore(Path(around) / str(turn))
                if fault := _killed(worker, runner, share * seconds, whole):
                    lost.append(f"the process of a run, killed after {share * seconds:.3f} s: {fault}")
        finally:
            worker.close()
    bench.add("kills.run_tried", each, "kills", each)
    bench.add("kills.run_survived", each - len(lost), "kills", each)
    return lost


def _killed(worker: Worker, runner: RunApart, after: float, whole: Any) -> str | None:
    """Kill the process under a run, have another run go on, ask again; what is not as it should be."""
    _run(worker, "lens")
    job, pid = _begun(worker, "trace"), runner.pid
    time.sleep(after)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    _over(job)
    if job.state != "done" and "its process ended" not in (job.error or ""):
        return f"it says “{job.error}”"
    if (other := _run(worker, "lens")).state != "done":
        return f"the next run says “{other.error}”"
    again = _run(worker, "trace")
    if again.state != "done" or plain(again.result) != whole:
        return f"asked again, it is not the same: {again.error or 'other numbers'}"
    return None


def _begun(worker: Worker, study: str) -> Job:
    (unit,) = asked(study)
    return worker.submit(STUDIES[study], unit.request, SPEC, "bench")


def _run(worker: Worker, study: str) -> Job:
    return _over(_begun(worker, study))


def _over(job: Job) -> Job:
    end = time.monotonic() + END
    while not job.over:
        if time.monotonic() > end:
            raise BadRequest("A run in a process of its own that was to be killed does not end.")
        time.sleep(0.005)
    return job
