"""A run under way or ended, as pages see it and as whoever runs it writes to it."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from analysis import ModelSpec
from analysis.study import Request, Study
from app.jobs.turns import Turn
from editors.edit.edit import Edit

State = Literal["waiting", "running", "done", "stopped", "failed"]


@dataclass(eq=False)
class Job:
    """A run under way or ended. Only the worker writes to it, but for `owners` and `cancelled`."""

    study: Study | None  # None: only load the model
    request: Request | None
    spec: ModelSpec
    owners: set[str]
    edits: tuple[Edit, ...] = ()  # on while it runs
    asked_by: set[str] = field(default_factory=set)
    left_by: set[str] = field(default_factory=set)  # sessions that gave it up: a page does not join it for them again
    state: State = "waiting"
    key: str | None = None
    done: int = 0
    total: int = 0
    share: float = 0.0
    note: str = ""
    partial: Any = None
    result: Any = None
    error: str | None = None
    started: float = 0.0
    seconds: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)
    turn: Turn = field(default_factory=lambda: Turn("", None, 1, 0))
    whole: bool = False  # it was computed from its beginning to its end, so that its time says something
    part: bool = False  # what it found is what there was when it ended early

    @property
    def asked(self) -> tuple:
        """What was asked for: equal jobs are the same."""
        return asked_of(self.study, self.request, self.spec, self.edits)

    @property
    def over(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.state in ("done", "stopped", "failed")

    @property
    def seconds_left(self) -> float | None:
        """From the share of the work done, before that from what was expected; None where there is nothing to go by."""
        if self.state != "running":
            return None
        elapsed = time.monotonic() - self.started
        if self.share >= 0.02:
            return elapsed * (1 - self.share) / self.share
        return None if self.turn.seconds is None else max(0.0, self.turn.seconds - elapsed)


def asked_of(study: Study | None, request: Request | None, spec: ModelSpec, edits: tuple[Edit, ...]) -> tuple:
    """What makes two jobs the same."""
    return study, request, spec, tuple(edit.key for edit in edits)


def kept_of(job: Job) -> str:
    """What is left of a run that the end of the process stopped."""
    asked = job.study.name if job.study is not None else "load"
    if not job.over:
        return f"{asked}: was stopped at a place where nothing could be kept."
    if job.state == "done":
        return f"{asked}: came to its end; the result is stored."
    if job.result is None:
        return f"{asked}: was stopped before anything was computed."
    return f"{asked}: was stopped after {job.done} of {job.total} {job.note or 'steps'}; asked again, it goes on there."
