"""A worker whose runs are in a process of their own, with the tiny model and studies that end it."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis import ModelSpec
from app.jobs.job import Job
from app.jobs.processes.run_apart import RunApart
from app.jobs.store import ResultStore
from app.jobs.worker import Worker
from app.registry.studies import STUDIES
from tests.kit.families import language_model
from tests.kit.installing import DEATHS, Installed, declared
from tests.kit.steps import SPEC, over, until

ENDLESS = ModelSpec(source="endless")
BEGINNING = 180.0
"""Seconds a process may take to read torch on a busy machine."""


def load(spec: ModelSpec, report: Any) -> Any:
    """The tiny model, whatever is asked for but one without end; called in the other process."""
    torch.set_num_threads(1)
    report(1, 2, "weights")
    while spec == ENDLESS:
        time.sleep(1)
    return language_model("llama")


@pytest.fixture(scope="module")
def deaths(tmp_path_factory) -> Iterator[None]:
    """The package of runs that end as they are told to."""
    packages = Installed(tmp_path_factory.mktemp("packages") / "site")
    packages("palimpsest.studies", DEATHS, **declared(DEATHS)["palimpsest.studies"])
    yield
    packages.remove()


@pytest.fixture(scope="module")
def apart(deaths, tmp_path_factory) -> Iterator[Worker]:
    """One worker for all tests of a file, since each process reads torch anew."""
    made = Worker(RunApart(load), ResultStore(tmp_path_factory.mktemp("apart") / "results"))
    yield made
    made.close()


def ask(worker: Worker, end: str, *, owner: str = "me", **fields: Any) -> Job:
    study = STUDIES["deaths"]
    return worker.submit(study, study.request(end=end, **fields), SPEC, owner)


def ended(job: Job) -> Job:
    return over(job, BEGINNING)


def has_part(job: Job, done: int = 2) -> None:
    until(lambda: job.partial is not None and job.partial.done == done, "no progress", BEGINNING)


def process_of(worker: Worker) -> int | None:
    assert isinstance(worker.runner, RunApart)
    return worker.runner.pid


def main(root: str, named: Callable[..., Any]) -> None:
    """A server that is at a run without end; its process and the run's are said."""
    worker = Worker(RunApart(named), ResultStore(Path(root)))
    job = ask(worker, "never")
    has_part(job)
    print(process_of(worker), flush=True)  # noqa: T201
    job.cancelled.wait()


if __name__ == "__main__":
    from tests.kit.apart import load as named  # of a module: the script of this process is none to another

    main(sys.argv[1], named)
