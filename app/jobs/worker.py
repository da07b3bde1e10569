"""One worker, one queue: every forward of the server goes through here.

Hooks and weights of a model are shared by all who use it, so runs never overlap; whose is next, `app.jobs.turns`
says, and what runs it, `app.jobs.run_here` or `app.jobs.processes.run_apart`. A job belongs to the sessions that asked
for it; it is cancelled when the last of them lets go, or is gone. The worker knows nothing of Streamlit; pages look at
jobs, jobs never touch pages.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable

from analysis import Cancelled, ModelSpec
from analysis.study import Request, Study
from app.jobs.job import Job, State, asked_of, kept_of
from app.jobs.run_here import Runner, fault
from app.jobs.store import ResultStore
from app.jobs.turns import Turn, Turns
from editors.edit.edit import Edit

log = logging.getLogger(__name__)
KEPT = 200
"""Ended jobs remembered; their results lie in the store."""
AWAY = 10.0
"""Seconds a session may be gone, a page being loaded anew, before its runs count as left."""
LOOK = 1.0
"""Seconds between two looks for who is there."""
CLOSING, ENDED = 2.0, 0.5
"""Seconds the end of the process waits for a run to come to a place where it can stop, and then for its remains."""


class Worker:
    """Has jobs run one after another, from a thread of its own."""

    def __init__(
        self,
        runner: Runner,
        store: ResultStore,
        *,
        finished: Callable[[Job], None] = lambda job: None,
        there: Callable[[str], bool] = lambda owner: True,
        person: Callable[[str], str] = lambda owner: owner,
        expected: Callable[[Study | None, Request | None, ModelSpec], float | None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`there` says whether a session is still connected, `person` whose it is, `expected` how long a run takes."""
        self.runner, self.store, self._finished, self._there = runner, store, finished, there
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
        asked = asked_of(study, request, spec, edits)
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
            if self._thread.is_alive():
                self.runner.kill()
                self._thread.join(timeout=ENDED)
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
        self.runner.prepare()
        while (job := self._next()) is not None:
            outcome: State = "failed"
            try:
                outcome = self.runner.run(job, self.store, lambda job=job: self._check(job))  # type: ignore[misc]
            except BaseException as error:  # the next run needs this thread
                log.exception("a job could not be run")
                job.error = fault(error)
            job.seconds = time.monotonic() - job.started
            try:
                self._finished(job)
            except Exception:
                log.exception("the history could not be written")
            job.state = outcome
        self.runner.close()

    def _check(self, job: Job) -> None:
        if self._clock() - self._looked >= LOOK:
            self._looked = self._clock()
            self._let_go()
        if job.cancelled.is_set():
            raise Cancelled
