"""Runs jobs in a process of their own, which holds the model: a run never holds the server's interpreter, nor ends it.

The process is begun with the first job, and again with the first after it has ended, however that came.
"""

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from analysis import Cancelled
from app.jobs.job import Job, State
from app.jobs.known_models import Known
from app.jobs.model_slot import settle
from app.jobs.processes.deadly import Deadly
from app.jobs.processes.own_process import begin
from app.jobs.processes.run_messages import Cancel, Ended, Loaded, Run, Told, carried
from app.jobs.processes.run_process import hear, serve
from app.jobs.run_here import keep_part
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES

log = logging.getLogger(__name__)
LOOK = 0.05
"""Seconds between two looks whether a run is still wanted."""
PATIENCE, COLD = 8.0, 0.8
"""Seconds a cancelled run may take to stop before its process is ended: and a model with it, or none yet."""
KILLED = -9
DYING = 5.0
"""Seconds a process that has closed its pipe may take to be gone."""


_context = multiprocessing.get_context("spawn")  # forked, a process would have locks and no threads that hold them


class _Lost(Exception):
    """The process has ended; `begun` says whether the run had, as far as was heard."""

    begun = False


class RunApart:
    """Runs jobs in a process of their own."""

    def __init__(self, loader: Callable[..., Any] | None = None):
        """`loader` is a function of a module, in place of `analysis.load`."""
        self.known = Known()
        self._deadly = Deadly()
        self._loader = loader
        self._one = threading.Lock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._warm = False  # whether it has come to hold a model
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process there is now."""
        return self._process.pid if self._process is not None else None

    def prepare(self) -> None:
        """The process lets pages go first by itself."""

    def run(self, job: Job, store: ResultStore, check: Callable[[], None]) -> State:
        """Run a job to its end, or to that of its process; one that has ended it twice in a row is not begun."""
        if refused := self._deadly.refused(job.asked):
            job.error = refused
            return "failed"
        name = job.study.name if job.study is not None else None
        held = carried(store.all_held())
        asked = Run(name, job.request, job.spec, job.edits, store.root, store.shipped, held)
        try:
            try:
                ended = self._follow(asked, job, check)
            except _Lost as lost:
                if lost.begun or job.cancelled.is_set():
                    raise
                self._end()  # it ended between two jobs, and has taken none with it
                ended = self._follow(asked, job, check)
        except _Lost:
            return self._lost(job, store)
        except BaseException:  # what is still to come up would be taken for the next job's
            self._end()
            raise
        self._deadly.lived(job.asked)
        for study, key, result, stopped in ended.held:
            store.keep(STUDIES[study], key, result, stopped=stopped)
        job.result, job.error, job.whole, job.part = ended.result, ended.error, ended.whole, ended.part
        if ended.leaving:
            self._end(DYING)
        return ended.state

    def close(self) -> None:
        """End the process."""
        self._end()

    def kill(self) -> None:
        """End the process, whatever it is at, and have no other begun."""
        with self._one:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _ready(self) -> Connection:
        if self._process is not None and not self._process.is_alive():
            self._end()
        if self._pipe is not None:
            return self._pipe
        with self._one:
            if self._closed:
                raise _Lost
            _keep_signals_back()
            here, there = _context.Pipe()
            self._process = begin(_context, serve, there, self._loader, daemon=False)
            self._pipe, self._warm = here, False
        there.close()
        _expect_tokenizers()
        return here

    def _follow(self, asked: Run, job: Job, check: Callable[[], None]) -> Ended:
        """Have a job run, write to it what comes up, and say down when nobody waits for it any more."""
        pipe, begun, until = self._ready(), False, None
        try:
            pipe.send(asked)
            while True:
                until = until or self._cancelled(pipe, check)
                if until is not None and time.monotonic() > until:
                    log.warning("A cancelled run did not stop, and was ended with its process.")
                    self._end()
                    raise _Lost
                told = self._next(pipe)
                begun = begun or told is not None
                if isinstance(told, Told):
                    told.put(job, time.monotonic())
                elif isinstance(told, Loaded):
                    self.known.learn(told.spec, told.look)
                    self._warm = True
                    settle()
                elif isinstance(told, Ended):
                    return told
        except (_Lost, EOFError, OSError) as error:
            lost = _Lost()
            lost.begun = begun
            raise lost from error

    def _cancelled(self, pipe: Connection, check: Callable[[], None]) -> float | None:
        """When a run that nobody waits for any more, which is told, is to have ended; None for others."""
        try:
            check()
        except Cancelled:
            pipe.send(Cancel())
            return time.monotonic() + (PATIENCE if self._warm else COLD)
        return None

    def _next(self, pipe: Connection) -> Any:
        """What came up, None where nothing did in a moment."""
        if pipe.poll(LOOK):
            return pipe.recv()
        if self._process is None or (not self._process.is_alive() and not pipe.poll(0)):
            raise _Lost  # another process may hold its end of the pipe
        return None

    def _lost(self, job: Job, store: ResultStore) -> State:
        """What becomes of a job whose process is gone: its last part that came up is kept."""
        code = self._end(DYING)
        keep_part(job, store)
        if job.cancelled.is_set():
            return "stopped"
        self._deadly.died(job.asked, job.share)
        job.error = lost(job, code)
        log.error("%s (%s)", job.error, job.study.name if job.study is not None else "load")
        return "failed"

    def _end(self, patience: float = 0.0) -> int | None:
        """End the process, giving it so many seconds to end by itself; its exit code, negative for a signal."""
        with self._one:
            process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if process is None or pipe is None:
            return None
        with suppress(OSError):
            pipe.close()
        process.join(patience)
        process.kill()
        process.join()
        code = process.exitcode
        process.close()
        return code


def _keep_signals_back() -> None:
    """Keep Ctrl-C from a process that is begun on this thread: its server says what to do."""
    with suppress(ImportError):  # a system without
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # it lets signals through on the thread that begins it
    hear(block=True)


def _expect_tokenizers() -> None:
    """Read what a tokenizer that comes up is made of, while the process reads torch; torch is not among it."""
    from transformers import PreTrainedTokenizerFast  # noqa: F401


def lost(job: Job, code: int | None) -> str:
    """What is said of a run whose process ended with an exit code, negative for a signal."""
    if code == KILLED:
        how = "it was killed, as a system does where memory runs out"
    elif code is not None and code < 0:
        how = f"signal {-code}, {_signal(-code)}"
    else:
        how = f"exit code {code}"
    study = job.study
    if job.part:
        kept = "What it had found is kept."
        if study is not None and (study.resumable or study.parts):
            kept = "What it had found is kept; asked again, it goes on from there."
    elif study is not None and study.parts:
        kept = "What was stored before stands; asked again, it goes on from there."
    else:
        kept = "Asked again, it begins anew."
    return f"The run was lost, since its process ended ({how}). All other runs go on. {kept}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
