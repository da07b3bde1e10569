"""Runs a job where it is called, on the model that this process holds.

Whatever a study does, the job ends in a state with a sentence: the next one needs this thread.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Protocol

from analysis import Cancelled, WorkbenchError
from analysis.study import edited_hash
from app.jobs.compute import compute
from app.jobs.job import Job, State
from app.jobs.known_models import Known
from app.jobs.model_slot import ModelSlot
from app.jobs.store import ResultStore
from editors.edit.edit import Edit

log = logging.getLogger(__name__)
NICE = 10
"""How far runs step back, where the system knows priorities."""
Listener = Callable[[bool], None]
"""Hears that something new stands in a job, and whether it is what was found so far."""
OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory")
"""How torch says so, of a GPU and of a processor."""


class Runner(Protocol):
    """What a worker has its jobs run by, one after another."""

    known: Known

    def prepare(self) -> None:
        """Called once, on the thread that will call `run`."""

    def run(self, job: Job, store: ResultStore, check: Callable[[], None]) -> State:
        """Run a job to its end and write to it what came of it; `check` is called often, and raises `Cancelled`."""

    def close(self) -> None:
        """Called at the end, on the thread that called `run`: give back what is held."""

    def kill(self) -> None:
        """End a run that does not come to its end, where that is in anybody's power; from any thread."""


class RunHere:
    """Runs jobs on the worker's own thread."""

    def __init__(self, slot: ModelSlot):
        self.slot = slot

    @property
    def known(self) -> Known:
        """What is known of the models that were loaded."""
        return self.slot.known

    def prepare(self) -> None:
        """Let pages go first."""
        step_back()

    def run(self, job: Job, store: ResultStore, check: Callable[[], None]) -> State:
        """Run a job to its end."""
        return run_job(job, self.slot, store, check)

    def close(self) -> None:
        """What is held ends with this process."""

    def kill(self) -> None:
        """No thread can be ended by another."""


def run_job(
    job: Job, slot: ModelSlot, store: ResultStore, check: Callable[[], None], told: Listener = lambda partial: None
) -> State:
    """Run a job; `told` is called whenever something new stands in it."""
    try:
        _run(job, slot, store, check, told)
    except Cancelled:
        keep_part(job, store)
        return "stopped"
    except WorkbenchError as error:
        job.error = str(error)
        return "failed"
    except BaseException as error:  # somebody's study may call sys.exit
        log.exception("a job failed")
        job.error = fault(error)
        return "failed"
    return "done"


def _run(job: Job, slot: ModelSlot, store: ResultStore, check: Callable[[], None], told: Listener) -> None:
    def report(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        check()
        job.done, job.total, job.note = done, total, note
        job.share = share if share is not None else done / max(total, 1)
        if partial is not None:
            job.partial = partial
        told(partial is not None)

    lm = slot.get(job.spec, report)
    if job.study is None or job.request is None:
        return
    job.key = job.request.key(edited_hash(lm.own_hash, [edit.key for edit in job.edits]))
    job.result = store.load(job.study, job.key) if job.study.kept else None
    if job.result is None:
        job.started, begun = time.monotonic(), store.stopped(job.key)
        told(False)
        applied = nullcontext() if job.study.on_edits or not job.edits else _written_over(lm, job.edits)
        with _interruptible(lm, check), applied:
            job.result = compute(job.study, job.request, lm, store, report, job.edits)
        job.whole = not begun


def keep_part(job: Job, store: ResultStore) -> None:
    """Keep what a run that ended early had found; the sketch of a search is none, and no result of its study."""
    study = job.study
    if study is not None and study.kept and job.key is not None and isinstance(job.partial, study.result):
        job.result, job.part = job.partial, True
        store.keep(study, job.key, job.partial, stopped=True)


def fault(error: BaseException) -> str:
    """What is said of a run that failed by no fault of its request: where memory went out, what to do about it."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error))):
        return "The run needed more memory than there is, and was ended. Shorten its prompts, or lower its samples."
    return "Something went wrong inside the workbench; the log says what. Nothing was changed."


def step_back() -> None:
    """Let pages and a browser on this machine go first: this thread, and those torch starts from it, wait for them."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


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
