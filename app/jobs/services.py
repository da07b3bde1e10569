"""What the whole process shares: the worker, what it knows of models, the store, the history.

Pages ask here; nothing in it belongs to one person.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import streamlit as st
from streamlit.runtime import Runtime

from analysis import ModelSpec
from analysis.cache_home import cache_home
from analysis.study import Request, Study, edited_hash
from app.jobs.disk import Disk
from app.jobs.history import History
from app.jobs.job import Job
from app.jobs.known_models import Known
from app.jobs.processes.run_apart import RunApart
from app.jobs.run_entry import run_of
from app.jobs.run_here import Runner
from app.jobs.store import ResultStore, shipped_index
from app.jobs.work import Shape
from app.jobs.worker import Worker
from app.registry.studies import ENTRIES
from editors.edit.edit import Edit

LOCAL = "local"
"""Owner of all runs of a workbench that one person runs for themselves."""


def public() -> bool:
    """Whether this server is open to strangers: no local paths, no free hub ids, a rail of one's own."""
    return os.environ.get("PALIMPSEST_PUBLIC") == "1"


def default_spec() -> ModelSpec:
    """The model a new visitor gets: `PALIMPSEST_MODEL`, set by `palimpsest serve`, or the embedded."""
    given = os.environ.get("PALIMPSEST_MODEL")
    return ModelSpec.model_validate_json(given) if given else ModelSpec()


def allowed_specs() -> list[ModelSpec]:
    """Models a visitor of a public server may choose: the default, and `PALIMPSEST_ALLOW` (ids, comma separated)."""
    default = default_spec()
    ids = [part.strip() for part in os.environ.get("PALIMPSEST_ALLOW", "").split(",") if part.strip()]
    extra = [ModelSpec(source=source, device=default.device, dtype=default.dtype) for source in ids]
    return list(dict.fromkeys([default, *extra]))


@dataclass
class Services:
    """The shared parts, wired together."""

    runner: Runner
    store: ResultStore
    history: History
    connections: dict[str, str] = field(default_factory=dict)
    """Streamlit's own name of each session here."""
    people: dict[str, str] = field(default_factory=dict)
    """Whose each session is, where the browser says so: all tabs of one person share their turns."""
    _begun: bool = False

    @property
    def models(self) -> Known:
        """What is known of the models that were loaded."""
        return self.runner.known

    @cached_property
    def worker(self) -> Worker:
        """The one worker."""
        return Worker(
            self.runner,
            self.store,
            finished=self._record,
            there=self._there,
            person=lambda owner: self.people.get(owner, owner),
            expected=self.seconds,
        )

    def _there(self, owner: str) -> bool:
        """Whether a session is connected; the process itself, and what is no browser, always are."""
        connection = self.connections.get(owner)
        return connection is None or not Runtime.exists() or Runtime.instance().is_active_session(connection)

    @cached_property
    def shipped(self) -> dict[str, Any]:
        """Index of the results that come with the app: the model they were made with, and the gallery."""
        return shipped_index()

    def begin(self) -> None:
        """Load the default model, once in the life of the process: when a first page has been drawn."""
        if not self._begun:
            self._begun = True
            self.worker.submit(None, None, default_spec(), "app")

    def card(self, spec: ModelSpec) -> dict[str, Any] | None:
        """What is known of a model: from loading it, or, for the embedded one, from the shipped results."""
        if spec in self.models.cards:
            return self.models.cards[spec]
        return self.shipped["model"] if spec == ModelSpec() else None

    def work(self, study: Study | None, request: Request | None, spec: ModelSpec) -> float | None:
        """How much a run is, in passes of a token through a layer; None for what says nothing of it."""
        entry = ENTRIES.get(study.name) if study is not None else None
        if entry is None or not entry.work:
            return None
        card = self.card(spec)
        shape = Shape(card["layers"], card["heads"]) if card else Shape()
        return float(entry.read("work")(request, shape))

    def seconds(self, study: Study | None, request: Request | None, spec: ModelSpec) -> float | None:
        """What a run is expected to take here, where anything is known of it."""
        work = self.work(study, request, spec)
        return None if study is None or work is None else self.models.paces.seconds(study.name, work, spec)

    def key(self, request: Request, spec: ModelSpec, edits: Sequence[Edit] = ()) -> str | None:
        """Key of a request's result under some edits; None before the model's weights are known."""
        card = self.card(spec)
        return request.key(edited_hash(card["weights_hash"], [edit.key for edit in edits])) if card else None

    def find(
        self, study: Study, request: Request, spec: ModelSpec, edits: Sequence[Edit] = (), *, stopped: bool = False
    ) -> Any | None:
        """The stored result of a request, if there is one."""
        key = self.key(request, spec, edits)
        return self.store.load(study, key, stopped=stopped) if key else None

    def _record(self, job: Job) -> None:
        study = job.study
        if study is not None and job.whole and (work := self.work(study, job.request, job.spec)) is not None:
            self.models.paces.learn(study.name, work, job.spec, job.seconds)
        if study is None or study.passing or not study.kept or job.result is None or job.key is None:
            return
        run, kept = run_of(study, job.key, job.result, stopped=job.part), not self.store.held(job.key)
        for owner in {rail_owner(owner) for owner in job.asked_by}:
            self.history.add(owner, run, kept=kept)

    def not_kept(self) -> str | None:
        """Why what is done now is not kept, one sentence; None while all is well.

        A disk that failed is tried again, and what waits for it in memory is written.
        """
        disk = self.store.disk
        if disk.takes_nothing and disk.look():
            with suppress(OSError):
                self.store.settle()
                self.history.settle()
                disk.fine("edits")  # each visitor's are written when their page is drawn
        return disk.said(place=not public())


def rail_owner(session: str) -> str:
    """Whose rail a session's runs stand on."""
    return session if public() else LOCAL


@st.cache_resource(show_spinner=False)
def services() -> Services:
    """The services of this process."""
    disk = Disk(cache_home())
    disk.look()
    return Services(RunApart(), ResultStore(disk=disk), History(disk=disk))
