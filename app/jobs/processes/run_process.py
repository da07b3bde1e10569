"""The process that holds the model and runs jobs, as it looks from inside.

It reads the registry itself, saves into the server's store, and says over its pipe how far it is. A signal that ends
the server reaches it too where both are in one group: it is the server that ends a run. When the pipe breaks the
server is gone: the run is stopped, what it had found is stored, and the process ends.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from analysis import Cancelled, ModelSpec
from app.jobs.job import Job, State
from app.jobs.known_models import Look
from app.jobs.model_slot import ModelSlot
from app.jobs.processes.run_messages import Cancel, Ended, Loaded, Run, Told, new_in, store_of
from app.jobs.run_here import fault, run_job, step_back
from app.registry.studies import STUDIES

log = logging.getLogger(__name__)
EVERY, PARTS_EVERY = 0.05, 0.25
"""Seconds between two words on how far a run is, and between two that carry what it has found so far."""
SHARE = 20
"""Times longer than packing what was found took until that is done again."""
LEAVING = 2.0
"""Seconds a run has to come to a place where it can stop, once the server is gone."""
FIRST_TO_GO = "500"
"""Where memory runs out this process ends, and not the server."""


def hear(*, block: bool) -> None:
    """Keep back signals that end a server, from this thread and what it begins, or let them through."""
    with suppress(AttributeError):  # a system without masks of signals
        how = signal.SIG_BLOCK if block else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, {signal.SIGINT, signal.SIGTERM})


def serve(pipe: Connection, loader: Callable[..., Any] | None) -> NoReturn:
    """Run what comes down a pipe until it breaks; `loader` is a function of a module, in place of `analysis.load`."""
    step_back()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    logging.getLogger("app.jobs.disk").setLevel(logging.ERROR)  # the server tells of its disk
    inside = _Inside(pipe, loader)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: inside.leave())
    hear(block=False)  # they were kept back while this process began
    threading.Thread(target=inside.listen, name="commands", daemon=True).start()
    inside.work()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # taking torch and a model apart takes long, and nothing of it is needed


class _Inside:
    """What the process knows of the run that is on."""

    def __init__(self, pipe: Connection, loader: Callable[..., Any] | None):
        self._pipe, self._sending = pipe, threading.Lock()
        self._slot = ModelSlot(loader, self._loaded)
        self._asked: SimpleQueue[tuple[Run, Job] | None] = SimpleQueue()
        self._job: Job | None = None
        self._leaving = False

    def listen(self) -> None:
        """Take commands, and end the process where nobody is left to give any."""
        while True:
            try:
                self._hear(self._pipe.recv())
            except (EOFError, OSError):
                break
            except Exception as error:  # what was sent names what this process has not
                log.exception("a job could not be taken")
                self._say(Ended("failed", None, fault(error), False, False, [], self._leaving))
        self.leave()
        time.sleep(LEAVING)
        os._exit(1)

    def _hear(self, asked: Run | Cancel) -> None:
        if isinstance(asked, Run):
            study = STUDIES[asked.study] if asked.study is not None else None
            self._job = Job(study, asked.request, asked.spec, set(), asked.edits)
            self._asked.put((asked, self._job))
        elif self._job is not None:
            self._job.cancelled.set()

    def leave(self) -> None:
        """Stop the run that is on, and run no more."""
        self._leaving = True
        if (job := self._job) is not None:
            job.cancelled.set()
        self._asked.put(None)

    def work(self) -> None:
        """Run one job after another."""
        while not self._leaving and (asked := self._asked.get()) is not None:
            run, job = asked
            store, telling = store_of(run), _Telling(job, self._say)
            state = run_job(job, self._slot, store, telling.check, telling.look)
            telling.tell(part=job.result is None)
            self._end(job, state, new_in(store, run))

    def _end(self, job: Job, state: State, held: list[Any]) -> None:
        self._job = None
        ended = Ended(state, job.result, job.error, job.whole, job.part, held, self._leaving)
        try:
            self._say(ended)
        except Exception as error:  # a study may give what cannot be sent
            log.exception("what a job found could not be handed over")
            self._say(Ended("failed", None, fault(error), False, False, [], self._leaving))

    def _loaded(self, spec: ModelSpec, look: Look) -> None:
        self._say(Loaded(spec, look))

    def _say(self, what: Any) -> None:
        packed = ForkingPickler.dumps(what)
        with self._sending, suppress(OSError):  # the server is gone: `listen` sees to that
            self._pipe.send_bytes(packed)


class _Telling:
    """Says how far a run is, not more often than anybody could look, and the newest only."""

    def __init__(self, job: Job, say: Callable[[Any], None]):
        self._job, self._say = job, say
        self._new = self._new_part = False
        self._next = self._next_part = 0.0

    def check(self) -> None:
        """Raise `Cancelled` where the run is to end."""
        if self._new:
            self.look(False)
        if self._job.cancelled.is_set():
            raise Cancelled

    def look(self, partial: bool) -> None:
        """Something new stands in the job, or a `partial` result does: tell it now, or when it is time."""
        self._new, self._new_part = True, self._new_part or partial
        now = time.monotonic()
        part = self._new_part and now >= self._next_part
        if part or now >= self._next:
            self._next = now + EVERY
            self.tell(part=part)

    def tell(self, *, part: bool = True) -> None:
        """Tell it now, with what was found so far where that is due."""
        job, began = self._job, time.monotonic()
        partial = job.partial if part and self._new_part else None
        self._say(Told(job.key, job.started > 0, job.done, job.total, job.note, job.share, partial))
        if partial is not None:
            self._new_part, now = False, time.monotonic()
            self._next_part = now + max(PARTS_EVERY, SHARE * (now - began))
        self._new = self._new_part
