"""One worker, one queue: every forward of the process goes through here.

Hooks and weights of a model are shared by all who use it, so runs never overlap. A job belongs
to the sessions that asked for it; it is cancelled when the last of them lets go. The worker
knows nothing of Streamlit; pages look at jobs, jobs never touch pages.
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from analysis import Cancelled, ModelSpec, WorkbenchError
from analysis.study import Request, Study, edited_hash
from app.jobs.compute import compute
from app.jobs.model_slot import ModelSlot
from app.jobs.store import ResultStore
from editors.edit.edit import Edit

log = logging.getLogger(__name__)
State = Literal["waiting", "running", "done", "stopped", "failed"]
KEPT = 200
"""Ended jobs remembered; their results lie in the store."""
NICE = 10
"""How far the worker steps back, where the system knows priorities of threads."""
AWAY = 15.0
"""Seconds a session may be gone, a page being loaded anew, before its runs count as left."""
LOOK = 1.0
"""Seconds between two looks for who is there."""


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

    @property
    def asked(self) -> tuple:
        """What was asked for: equal jobs are the same."""
        return _asked(self.study, self.request, self.spec, self.edits)

    @property
    def over(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.state in ("done", "stopped", "failed")

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the share of the work done; None while there is nothing to go by."""
        elapsed = time.monotonic() - self.started
        if self.state != "running" or self.share < 0.02:
            return None
        return elapsed * (1 - self.share) / self.share


def _asked(study: Study | None, request: Request | None, spec: ModelSpec, edits: tuple[Edit, ...]) -> tuple:
    return study, request, spec, tuple(edit.id for edit in edits)


def _written_over(lm: Any, edits: tuple[Edit, ...]) -> AbstractContextManager:
    from editors.edit.apply import written_over  # a loaded model has fetched torch already

    return written_over(lm, edits)


@contextmanager
def _interruptible(lm: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before every block: a wave over a long prompt takes longer than a person waits for Cancel."""
    handles = [block.register_forward_pre_hook(lambda *_: check()) for block in lm.blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _step_back() -> None:
    """Let pages and a browser on this machine go first: this thread, and those torch starts from it, wait for them."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class Worker:
    """Runs jobs one after another on a thread of its own."""

    def __init__(
        self,
        models: ModelSlot,
        store: ResultStore,
        *,
        finished: Callable[[Job], None] = lambda job: None,
        there: Callable[[str], bool] = lambda owner: True,
    ):
        """`there` says whether a session is still connected: a run nobody looks at gives way to those who wait."""
        self.models, self.store, self._finished, self._there = models, store, finished, there
        self._seen: dict[str, float] = {}
        self._looked = 0.0
        self._jobs: list[Job] = []
        self._change = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(
        self,
        study: Study | None,
        request: Request | None,
        spec: ModelSpec,
        owner: str,
        edits: tuple[Edit, ...] = (),
    ) -> Job:
        """Queue a run under some edits; an equal one that is waiting or running is joined instead of run twice."""
        with self._change:
            if job := self.going(study, request, spec, edits):
                self.join(job, owner)
                return job
            state: State = "stopped" if self._closing else "waiting"
            job = Job(study, request, spec, {owner}, edits, {owner}, state=state)
            self._jobs.append(job)
            ended = [old for old in self._jobs if old.over]
            for old in ended[: max(0, len(ended) - KEPT)]:
                self._jobs.remove(old)
            self._change.notify_all()
            return job

    def going(
        self, study: Study | None, request: Request | None, spec: ModelSpec, edits: tuple[Edit, ...] = ()
    ) -> Job | None:
        """The job of this very request that waits or runs now."""
        asked = _asked(study, request, spec, edits)
        with self._change:
            open_jobs = (job for job in self._jobs if not job.over and not job.cancelled.is_set())
            return next((job for job in open_jobs if job.asked == asked), None)

    def join(self, job: Job, owner: str) -> None:
        """Wait for a job too."""
        with self._change:
            job.owners.add(owner)
            job.asked_by.add(owner)
            job.left_by.discard(owner)

    def leave(self, job: Job, owner: str) -> None:
        """Give a job up; it is cancelled unless another session waits for it too."""
        with self._change:
            job.owners.discard(owner)
            job.left_by.add(owner)
            if not job.owners:
                job.cancelled.set()
                if job.state == "waiting":
                    job.state = "stopped"

    def ahead(self, job: Job) -> list[Job]:
        """Jobs that will run before this one, the running one first."""
        with self._change:
            open_jobs = [other for other in self._jobs if not other.over]
        return open_jobs[: open_jobs.index(job)] if job in open_jobs else []

    def jobs(self) -> list[Job]:
        """All jobs remembered, oldest first."""
        with self._change:
            return list(self._jobs)

    def close(self) -> None:
        """Cancel everything and wait briefly for the worker to end; partial results are kept."""
        with self._change:
            self._closing = True
            for job in self._jobs:
                job.cancelled.set()
                if job.state == "waiting":
                    job.state = "stopped"
            self._change.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)

    def _next(self) -> Job | None:
        with self._change:
            while not self._closing:
                self._let_go()
                for job in self._jobs:
                    if job.state == "waiting":
                        job.state, job.started = "running", time.monotonic()
                        return job
                self._change.wait()
        return None

    def _let_go(self) -> None:
        """Take sessions that are gone off their jobs, and end what nobody is left for where it holds others up.

        A run that nobody waits behind goes on to its end, so that a closed laptop finds its result.
        """
        now = time.monotonic()
        with self._change:
            open_jobs = [job for job in self._jobs if not job.over]
            for owner in {owner for job in open_jobs for owner in job.owners}:
                if self._there(owner):
                    self._seen[owner] = now
                elif now - self._seen.setdefault(owner, now) > AWAY:
                    for job in open_jobs:
                        job.owners.discard(owner)
            wanted = [job for job in open_jobs if job.owners]
            for job in open_jobs:
                if not job.owners and (job.state == "waiting" or wanted):
                    job.cancelled.set()
                    if job.state == "waiting":
                        job.state = "stopped"

    def _work(self) -> None:
        _step_back()
        while (job := self._next()) is not None:
            try:
                self._run(job)
                outcome: State = "done"
            except Cancelled:
                outcome = "stopped"
                try:
                    self._keep_partial(job)
                except OSError:
                    log.exception("a stopped result could not be stored")
            except WorkbenchError as error:
                outcome, job.error = "failed", str(error)
            except Exception:
                log.exception("a job failed")
                outcome = "failed"
                job.error = "Something went wrong inside the workbench; the log says what. Nothing was changed."
            job.seconds = time.monotonic() - job.started
            try:
                self._finished(job)
            except Exception:
                log.exception("the history could not be written")
            job.state = outcome

    def _run(self, job: Job) -> None:
        def check() -> None:
            if time.monotonic() - self._looked > LOOK:
                self._let_go()
                self._looked = time.monotonic()
            if job.cancelled.is_set():
                raise Cancelled

        def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
            check()
            job.done, job.total, job.note = done, total, note
            job.share = share if share is not None else done / max(total, 1)
            if partial is not None:
                job.partial = partial

        lm = self.models.get(job.spec, report)
        if job.study is None or job.request is None:
            return
        job.key = job.request.key(edited_hash(lm.own_hash, [edit.id for edit in job.edits]))
        job.result = self.store.load(job.study, job.key) if job.study.kept else None
        if job.result is None:
            job.started = time.monotonic()
            applied = nullcontext() if job.study.on_edits or not job.edits else _written_over(lm, job.edits)
            with _interruptible(lm, check), applied:
                job.result = compute(job.study, job.request, lm, self.store, report, job.edits)

    def _keep_partial(self, job: Job) -> None:
        """What a stopped run had found; the sketch of a search is none, and no result of its study."""
        study = job.study
        if study is not None and study.kept and job.key is not None and isinstance(job.partial, study.result):
            job.result = job.partial
            self.store.save(study, job.key, job.partial, stopped=True)
