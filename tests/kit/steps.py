"""A study whose every step waits for a test's leave, and what waits for a worker that runs it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from analysis import ModelSpec
from analysis.study import Request, Study
from app.jobs.job import Job
from app.jobs.worker import Worker

SPEC = ModelSpec(source="one")
WAIT = 20.0


class StepsRequest(Request):
    name: str
    steps: int = 1


@dataclass
class StepsResult:
    request: StepsRequest
    done: int


class Steps:
    """A study whose every step waits for the test's leave."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.begun: dict[str, threading.Event] = {}
        self.go = threading.Semaphore(0)
        self.study = Study("steps", StepsRequest, StepsResult, self.run, resumable=True)

    def run(
        self, lm: Any, request: StepsRequest, report: Any, *, resume_from: StepsResult | None = None
    ) -> StepsResult:
        self.ran.append(request.name)
        self.begun.setdefault(request.name, threading.Event()).set()
        result = resume_from or StepsResult(request, 0)
        while result.done < request.steps:
            while not self.go.acquire(timeout=0.01):
                report(result.done, request.steps, "steps")
            result = StepsResult(request, result.done + 1)
            report(result.done, request.steps, "steps", result)
        return result

    def has_begun(self, name: str) -> bool:
        return self.begun.setdefault(name, threading.Event()).wait(WAIT)

    def allow(self, steps: int) -> None:
        self.go.release(steps)


def until(true: Callable[[], bool], what: str, seconds: float = WAIT) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def over(job: Job, seconds: float = WAIT) -> Job:
    until(lambda: job.over, "the job does not end", seconds)
    return job


@pytest.fixture
def steps() -> Steps:
    return Steps()


def submit(worker: Worker, steps: Steps, name: str, count: int = 1, owner: str = "me") -> Job:
    return worker.submit(steps.study, StepsRequest(name=name, steps=count), SPEC, owner)
