"""One worker, one queue: every forward of the process goes through here.

Hooks and weights of a model are shared by all who use it, so runs never overlap; whose is next, `app.jobs.turns`
says. A job belongs to the sessions that asked for it; it is cancelled when the last of them lets go, or is gone.
The worker knows nothing of Streamlit; pages look at jobs, jobs never touch pages.
"""

import atexit
import logging
import os
import re
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
from app.jobs.turns import Turn, Turns
from editors.edit.edit import Edit

log = logging.getLogger(__name__)
State = Literal["waiting", "running", "done", "stopped", "failed"]
KEPT = 200
"""Ended jobs remembered; their results lie in the store."""
NICE = 10
"""How far the worker steps back, where the system knows priorities of threads."""
AWAY = 10.0
"""Seconds a session may be gone, a page being loaded anew, before its runs count as left."""
LOOK = 1.0
"""Seconds between two looks for who is there."""
OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory")
"""How torch says so, of a GPU and of a processor."""
CLOSING = 2.0
"""Seconds the end of the process waits for a run to come to a place where it can stop."""


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
        """From the share of the work done, before that from what was expected; None where there is nothing to go by."""
        if self.state != "running":
            return None
        elapsed = time.monotonic() - self.started
        if self.share >= 0.02:
            return elapsed * (1 - self.share) / self.share
        return None if self.turn.seconds is None else max(0.0, self.turn.seconds - elapsed)


def _asked(study: Study | None, request: Request | None, spec: ModelSpec, edits: tuple[Edit, ...]) -> tuple:
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


def _fault(error: BaseException) -> str:
    """What is said of a run that failed by no fault of its request: where memory went out, what to do about it."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error))):
        return "The run needed more memory than there is, and was ended. Shorten its prompts, or lower its samples."
    return "Something went wrong inside the workbench; the log says what. Nothing was changed."


def _written_over(lm: Any, edits: tuple[Edit, ...]) -> AbstractContextManager:
    from editors.edit.apply import written_over  # a loaded model has fetched torch already

    return written_over(lm, edits)


@contextmanager
def _interruptible(lm: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before every text and every block, on the way back too, and before states are read.

    A wave over a long prompt, or one step of a search, takes longer than a person waits for Cancel.
    """

    def before(_: Any, given: tuple, named: dict[str, Any]) -> None:
        check()
        for state in (*given, *named.values()):
            if getattr(state, "requires_grad", False):
                state.register_hook(lambda gradient: check())

    parts = (*lm.blocks, lm.readout.steps[0])
    handles = [part.register_forward_pre_hook(before, with_kwargs=True) for part in parts]
    deaf, lm.look = lm.look, check
    try:
        yield
    finally:
        lm.look = deaf
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
        person: Callable[[str], str] = lambda owner: owner,
        expected: Callable[[Study | None, Request | None, ModelSpec], float | None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`there` says whether a session is still connected, `person` whose it is, `expected` how long a run takes."""
        self.models, self.store, self._finished, self._there = models, store, finished, there
        self._person, self._expected, self._clock = person, expected, clock
        self._turns = Turns()
        self._ending: list[Job] = []
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
            turn = self._turns.enter(self._person(owner), self._expected(study, request, spec))
            job = Job(study, request, spec, {owner}, edits, {owner}, state=state, turn=turn)
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
            if job.state == "waiting" and (person := self._person(owner)) != job.turn.person:
                self._turns.share(job.turn, person)

    def leave(self, job: Job, owner: str) -> None:
        """Give a job up; it is cancelled unless another session waits for it too."""
        with self._change:
            job.left_by.add(owner)
            self._without(job, owner)

    def ahead(self, job: Job) -> list[Job]:
        """Jobs that will run before this one if nobody comes, the running one first."""
        with self._change:
            line = [other for other in self._jobs if other.state == "running"] + self._line()
        return line[: line.index(job)] if job in line else []

    def seconds_until(self, job: Job) -> float | None:
        """How long a job will wait for its turn; None where that of one before it is not known."""
        before = [other.seconds_left if other.state == "running" else other.turn.seconds for other in self.ahead(job)]
        return None if None in before else sum(filter(None, before))

    def jobs(self) -> list[Job]:
        """All jobs remembered, oldest first."""
        with self._change:
            return list(self._jobs)

    def close(self) -> None:
        """Cancel everything and wait briefly for the worker to end; partial results are kept, and told of."""
        with self._change:
            if self._closing:
                return
            self._closing = True
            self._ending = [job for job in self._jobs if job.study is not None and not job.over]
            for job in self._jobs:
                job.cancelled.set()
                if job.state == "waiting":
                    job.state = "stopped"
            self._change.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=CLOSING)
        for job in self._ending:
            log.warning(kept_of(job))

    def _next(self) -> Job | None:
        with self._change:
            while not self._closing:
                self._let_go()
                if waiting := self._waiting():
                    job = waiting[self._turns.begin(list(waiting))]
                    job.state, job.started = "running", time.monotonic()
                    return job
                self._change.wait()
        return None

    def _waiting(self) -> dict[Turn, Job]:
        return {job.turn: job for job in self._jobs if job.state == "waiting"}

    def _line(self) -> list[Job]:
        waiting = self._waiting()
        return [waiting[turn] for turn in self._turns.line(list(waiting))]

    def _without(self, job: Job, owner: str) -> None:
        """Take a session off a job; without any left it ends, and what it had found is kept."""
        job.owners.discard(owner)
        if not job.owners:
            job.cancelled.set()
            if job.state == "waiting":
                job.state = "stopped"
                self._turns.leave(job.turn, list(self._waiting()))
        elif job.turn.person not in (people := {self._person(other) for other in job.owners}):
            self._turns.hand_over(job.turn, min(people))

    def _let_go(self) -> None:
        """Take sessions that are gone off their jobs: a run that nobody waits for ends."""
        now = self._clock()
        with self._change:
            open_jobs = [job for job in self._jobs if not job.over]
            for owner in {owner for job in open_jobs for owner in job.owners}:
                if self._there(owner):
                    self._seen[owner] = now
                elif now - self._seen.setdefault(owner, now) > AWAY:
                    for job in open_jobs:
                        if owner in job.owners:
                            self._without(job, owner)
            self._seen = {
                owner: at for owner, at in self._seen.items() if any(owner in job.owners for job in open_jobs)
            }

    def _work(self) -> None:
        _step_back()
        while (job := self._next()) is not None:
            try:
                self._run(job)
                outcome: State = "done"
            except Cancelled:
                outcome = "stopped"
                self._keep_partial(job)
            except WorkbenchError as error:
                outcome, job.error = "failed", str(error)
            except BaseException as error:  # somebody's study may call sys.exit; the next run needs this thread
                log.exception("a job failed")
                outcome, job.error = "failed", _fault(error)
            job.seconds = time.monotonic() - job.started
            try:
                self._finished(job)
            except Exception:
                log.exception("the history could not be written")
            job.state = outcome

    def _run(self, job: Job) -> None:
        def check() -> None:
            if self._clock() - self._looked >= LOOK:
                self._looked = self._clock()
                self._let_go()
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
        job.key = job.request.key(edited_hash(lm.own_hash, [edit.key for edit in job.edits]))
        job.result = self.store.load(job.study, job.key) if job.study.kept else None
        if job.result is None:
            job.started, begun = time.monotonic(), self.store.stopped(job.key)
            applied = nullcontext() if job.study.on_edits or not job.edits else _written_over(lm, job.edits)
            with _interruptible(lm, check), applied:
                job.result = compute(job.study, job.request, lm, self.store, report, job.edits)
            job.whole = not begun

    def _keep_partial(self, job: Job) -> None:
        """What a stopped run had found; the sketch of a search is none, and no result of its study."""
        study = job.study
        if study is not None and study.kept and job.key is not None and isinstance(job.partial, study.result):
            job.result = job.partial
            self.store.keep(study, job.key, job.partial, stopped=True)
