"""A sweep on many GPUs or machines, by Ray: each worker holds the model, requests go out, results come back.

Requests travel as JSON and results as JSON and arrays, the forms they are stored in. Only the process that began the
sweep writes to its store. A worker that dies is replaced, and its request given out again.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from analysis.errors import BadRequest, WorkbenchError
from analysis.model.spec import ModelSpec
from analysis.study import Request, Study, pack, unpack
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES
from app.sweeps.sweep import Refused

TRIES = 3
"""How often a request is given out before it is left, when its worker dies each time."""
PATIENCE = 600.0
"""Seconds to wait for a worker when none is left."""
AGAIN = "What was computed is stored; run the same sweep again and it goes on from there."
LOCAL_STORE = 256 << 20
"""Bytes of Ray's shared memory on this machine; results are small."""


class Worker:
    """One model on one device, in a process of its own."""

    def begin(self, spec: str, threads: int) -> dict[str, Any]:
        """Load the model; its hash and name, or a sentence."""
        import torch

        from analysis import load

        torch.set_num_threads(threads)
        try:
            self.lm = load(ModelSpec.model_validate_json(spec))
        except WorkbenchError as error:
            return {"refused": str(error)}
        return {"own_hash": self.lm.own_hash, "name": self.lm.name}

    def run(self, study: str, request: str) -> tuple[Any, dict[str, Any]] | str:
        """A packed result, or a sentence where it is refused."""
        asked = STUDIES[study]
        try:
            return pack(asked.run(self.lm, asked.request.model_validate_json(request)))
        except WorkbenchError as error:
            return str(error)

    def process(self) -> int:
        """Id of its process."""
        return os.getpid()


def _answers(address: str | None) -> None:
    """`OSError` where nobody listens at host:port; Ray itself would wait for minutes."""
    host, mark, port = (address or "").removeprefix("ray://").rpartition(":")
    if mark and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


class RayEngine:
    """Workers of a cluster, for the length of a context.

    `address`: a running cluster ("auto" finds the one of this machine); a cluster of this machine alone when None.
    `gpus`: of each worker, 1 where the cluster has any. Raises `BadRequest` without Ray or a cluster, and for workers
    that cannot load the model or load another one.
    """

    def __init__(
        self, spec: ModelSpec, workers: int | None = None, address: str | None = None, gpus: float | None = None
    ):
        self.spec, self.address = spec, address
        self._wanted, self._gpus = workers, gpus
        self._workers: list[Any] = []
        self._threads = 1

    def __enter__(self) -> "RayEngine":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise BadRequest("Ray is not installed. Install it: pip install 'palimpsest[ray]'.") from error
        import torch

        self._ray, self._threads = ray, torch.get_num_threads()
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        local = quiet | {"include_dashboard": False, "object_store_memory": LOCAL_STORE, "num_cpus": self._wanted}
        try:
            _answers(self.address)
            ray.init(address=self.address, **quiet) if self.address else ray.init(**local)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise BadRequest(f"No Ray cluster answers at “{self.address or 'local'}” ({error}).") from error
        try:
            self._begin()
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def _begin(self) -> None:
        there = self._ray.cluster_resources()
        if self._gpus is None:
            self._gpus = 1.0 if there.get("GPU") else 0.0
        room = there["GPU"] / self._gpus if self._gpus else there.get("CPU", 1)
        count = self._wanted or max(1, int(room))
        if count > room:
            raise BadRequest(f"The cluster has room for {room:g} workers, not for {count}. Name fewer with --workers.")
        self._workers = [self._new() for _ in range(count)]
        begun = self._ray.get([self._load(worker) for worker in self._workers])
        for one in begun:
            self._fits(one, begun[0])
        self.own_hash, self.name = begun[0]["own_hash"], begun[0]["name"]

    def _new(self) -> Any:
        return self._ray.remote(Worker).options(num_cpus=1, num_gpus=self._gpus).remote()

    def _load(self, worker: Any) -> Any:
        return worker.begin.remote(self.spec.model_dump_json(), self._threads)

    def _fits(self, one: dict[str, Any], first: dict[str, Any]) -> None:
        if "refused" in one:
            raise BadRequest(f"A worker could not load the model: {one['refused']}")
        if one != first:
            raise BadRequest(f"The workers loaded other weights of {first['name']}. Give --revision, or one folder.")

    def processes(self) -> list[int]:
        """Ids of the workers' processes."""
        return self._ray.get([worker.process.remote() for worker in self._workers])

    def run(self, study: Study, requests: Sequence[Request], store: ResultStore) -> Iterator[tuple[int, Any] | None]:
        """As `Engine.run`; results come in the order they are done.

        A worker that is lost is begun anew while the others go on; `BadRequest` where none is left, or the cluster is
        gone: the same sweep then goes on from what is stored.
        """
        try:
            yield from self._given_out(study, requests, store)
        except self._ray.exceptions.RayTaskError:
            raise  # a fault of the study's own
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise BadRequest(f"The cluster was lost ({_first_line(error)}). {AGAIN}") from error

    def _given_out(
        self, study: Study, requests: Sequence[Request], store: ResultStore
    ) -> Iterator[tuple[int, Any] | None]:
        waiting, tries = deque(range(len(requests))), [0] * len(requests)
        free = deque(range(len(self._workers)))
        running: dict[Any, tuple[int, int | None]] = {}  # seat, and number of the request or None while it loads
        moved, unborn = time.monotonic(), 0
        while waiting or any(number is not None for _, number in running.values()):
            while waiting and free:
                seat, number = free.popleft(), waiting.popleft()
                tries[number] += 1
                asked = self._workers[seat].run.remote(study.name, requests[number].model_dump_json())
                running[asked] = seat, number
            ready, _ = self._ray.wait(list(running), num_returns=1, timeout=0.5) if running else ([], [])
            if not ready:
                if all(number is None for _, number in running.values()) and time.monotonic() - moved > PATIENCE:
                    raise BadRequest(f"The cluster has had no worker for {PATIENCE / 60:.0f} minutes. {AGAIN}")
                yield None
                continue
            moved = time.monotonic()
            seat, given = running.pop(ready[0])
            try:
                answer = self._ray.get(ready[0])
            except (self._ray.exceptions.RayError, OSError) as error:
                unborn += given is None
                if not self._of_machine(error) or unborn > TRIES:
                    raise
                running[self._new_at(seat)] = seat, None
                if given is not None and tries[given] < TRIES:
                    waiting.appendleft(given)
                elif given is not None:
                    yield given, Refused(f"Its worker died {TRIES} times, perhaps for want of memory.")
                continue
            free.append(seat)
            if given is None:
                unborn = 0
                self._fits(answer, {"own_hash": self.own_hash, "name": self.name})
            elif isinstance(answer, str):
                yield given, Refused(answer)
            else:
                result = unpack(study.result, *answer)
                store.keep(study, requests[given].key(self.own_hash), result)
                yield given, result

    def _new_at(self, seat: int) -> Any:
        """Begin a worker anew; what is returned is ready when it has loaded the model."""
        self._workers[seat] = self._new()
        return self._load(self._workers[seat])

    def _of_machine(self, error: Exception) -> bool:
        """Whether a worker's process or machine failed, its disk among that, so that another may do the same."""
        told = self._ray.exceptions
        if isinstance(error, told.RayTaskError):
            return isinstance(error.cause, OSError | MemoryError)
        lost = (
            told.RayActorError,
            told.NodeDiedError,
            told.OutOfMemoryError,
            told.OutOfDiskError,
            told.ObjectLostError,
        )
        return isinstance(error, lost)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
