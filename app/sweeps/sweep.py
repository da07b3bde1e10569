"""A sweep: many requests, each stored as soon as it is done. Killed anywhere, it goes on where it was.

What computes is an engine: this process, or workers of a Ray cluster. Both give the same results, under the same keys.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from filelock import FileLock, Timeout

from analysis.errors import BadRequest, WorkbenchError
from analysis.study import Report, Request, Study, silent
from app.jobs.compute import compute
from app.jobs.disk import reason
from app.jobs.store import ResultStore
from app.sweeps.plan import Unit

if TYPE_CHECKING:
    from analysis import LanguageModel

PAUSES = (0.5, 2.0, 8.0)
"""Seconds between tries to write a result."""


@dataclass(frozen=True)
class Refused:
    """A request that cannot be answered, and why."""

    sentence: str


class Engine(Protocol):
    """Computes requests of one study on one model."""

    own_hash: str
    """Hash of the model's weights."""
    name: str
    """Of the model."""

    def run(self, study: Study, requests: Sequence[Request], store: ResultStore) -> Iterator[tuple[int, Any] | None]:
        """Number and result of each request as it is done and stored, or `Refused`; None while one waits."""


class InProcess:
    """One request after another, here."""

    def __init__(self, lm: "LanguageModel"):
        self.lm, self.own_hash, self.name = lm, lm.own_hash, lm.name

    def run(self, study: Study, requests: Sequence[Request], store: ResultStore) -> Iterator[tuple[int, Any] | None]:
        """As `Engine.run`."""
        for number, request in enumerate(requests):
            try:
                yield number, compute(study, request, self.lm, store)
            except WorkbenchError as error:
                yield number, Refused(str(error))


@dataclass(frozen=True)
class Swept:
    """What became of a sweep; results lie in the store under `keys`."""

    keys: list[str]  # of each unit
    found: int  # were stored before
    computed: int
    refused: dict[str, str]  # key and sentence


def sweep(study: Study, units: Sequence[Unit], engine: Engine, store: ResultStore, report: Report = silent) -> Swept:
    """Compute what is not stored. Equal requests are one; a request that is refused does not end the sweep.

    Raises `BadRequest` while the same sweep runs elsewhere on this machine, and where results cannot be kept: a
    sweep is nothing without them.
    """
    keys = [unit.request.key(engine.own_hash) for unit in units]
    wanted = dict(zip(keys, (unit.request for unit in units), strict=True))
    with _alone(store, keys):
        open_keys = []
        for done, key in enumerate(wanted):
            report(done, len(wanted), "looking what is stored")
            if store.load(study, key) is None:
                open_keys.append(key)
        refused: dict[str, str] = {}
        before, done = len(wanted) - len(open_keys), 0
        report(0, len(open_keys), "requests")
        for outcome in engine.run(study, [wanted[key] for key in open_keys], store):
            if outcome is not None:
                done += 1
                number, result = outcome
                if isinstance(result, Refused):
                    refused[open_keys[number]] = result.sentence
                _kept(store)
            report(done, len(open_keys), "requests")
    return Swept(keys, before, len(open_keys) - len(refused), refused)


def _alone(store: ResultStore, keys: Sequence[str]) -> AbstractContextManager[Any]:
    """Held while a sweep runs; the system lets go of it when the process is killed."""
    name = sha256("|".join(keys).encode()).hexdigest()[:24]
    lock = FileLock(store.root / f".sweep-{name}.lock")
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        return lock.acquire(timeout=0)
    except Timeout:
        raise BadRequest("This sweep is running already. Wait for it, or end it first.") from None
    except OSError as error:
        raise BadRequest(
            f"A sweep keeps its results, and {store.root} {reason(error)}. Mend that, or set PALIMPSEST_HOME to "
            "another folder."
        ) from error


def _kept(store: ResultStore) -> None:
    """See that what was computed is on disk before more is; a fault may pass within seconds."""
    for pause in (*PAUSES, None):
        try:
            store.settle()
            return
        except OSError as error:
            if pause is None:
                raise BadRequest(
                    f"The sweep has ended early: {store.root} {reason(error)}. What it had stored before is not "
                    "computed again when the same sweep is run again."
                ) from error
            time.sleep(pause)
