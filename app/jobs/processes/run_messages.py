"""What the server and the process of its runs say to each other over a pipe: plain data, studies by their names."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis import ModelSpec
from analysis.study import Request
from app.jobs.job import Job, State
from app.jobs.known_models import Look
from app.jobs.store import Held, ResultStore
from app.registry.studies import STUDIES
from editors.edit.edit import Edit

Carried = tuple[str, str, Any, bool]
"""A result that is in memory alone: study, key, itself, and whether it is a stopped one."""


@dataclass(frozen=True)
class Run:
    """Down: run this; one at a time."""

    study: str | None
    request: Request | None
    spec: ModelSpec
    edits: tuple[Edit, ...]
    root: Path
    shipped: Path
    held: list[Carried]
    """Results that the disk has not taken."""


@dataclass(frozen=True)
class Cancel:
    """Down: end the run that is on."""


@dataclass(frozen=True)
class Loaded:
    """Up: a model came into memory."""

    spec: ModelSpec
    look: Look


@dataclass(frozen=True)
class Told:
    """Up: how far the run is."""

    key: str | None
    computing: bool
    """Whether the model is there, and the result was not."""
    done: int
    total: int
    note: str
    share: float
    partial: Any
    """The result so far; None where that is as it was."""

    def put(self, job: Job, now: float) -> None:
        """Write it to the job."""
        if self.computing and job.key is None:
            job.started = now
        job.key, job.done, job.total, job.note, job.share = self.key, self.done, self.total, self.note, self.share
        if self.partial is not None:
            job.partial = self.partial


@dataclass(frozen=True)
class Ended:
    """Up: what came of the run."""

    state: State
    result: Any
    error: str | None
    whole: bool
    part: bool
    held: list[Carried]
    """Results that the disk did not take in this run."""
    leaving: bool
    """Whether the process ends with it."""


def carried(held: Iterable[Held]) -> list[Carried]:
    """What a store holds, to be sent."""
    return [(study.name, key, result, stopped) for study, key, result, stopped in held]


def store_of(run: Run) -> ResultStore:
    """The store of the server, with what it holds in memory."""
    store = ResultStore(run.root, run.shipped)
    store.hold((STUDIES[name], key, result, stopped) for name, key, result, stopped in run.held)
    return store


def new_in(store: ResultStore, run: Run) -> list[Carried]:
    """What a store has come to hold since the run began."""
    before = {id(result) for _, _, result, _ in run.held}
    return carried(held for held in store.all_held() if id(held[2]) not in before)
