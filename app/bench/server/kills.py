"""Runs that are killed: nothing is lost but the run, and the same request then gives the same bits.

Every kind of run is done by a process of its own with an empty home, killed at a random moment, looked at, and asked
again. A kind is all a study stores, a sweep, second moments, and a stopped run that goes on.
"""

import dataclasses
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import BadRequest, Cancelled
from analysis.model.language_model import LanguageModel
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments
from analysis.study import Report, pack, silent
from app.bench.form import Bench
from app.bench.models.tiny_families import tiny_model, tokenizer
from app.jobs.compute import compute, stored
from app.jobs.processes.own_process import begin
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from app.sweeps.plan import Unit, planned
from app.sweeps.sweep import InProcess, sweep
from editors.cases.case import Case
from editors.edit.probes import Probe
from editors.edit.request import Rewrite

TEXT = "the old tower of Aldra stands in a city on river mother wrote near is"
SMALL: dict[str, dict[str, Any]] = {
    "trace": {"samples": 2, "kinds": ("state", "mlp")},
    "edit": {"layers": (1,), "tokens": 512},
    "layers": {"method": "ft", "layers": (0, 1), "samples": 1},
    "evaluate": {"methods": ("ft",), "words": 2},
    "neurons": {"top": 3, "counts": (1, 2), "draws": 1},
    "generate": {"tokens": 3},
}
"""Fields that keep a run of a study short."""
TIMED = ("provenance", "seconds")
END = 120.0
"""Seconds a run may take before it counts as hanging."""
Found = dict[str, Any]


def model() -> LanguageModel:
    """A tiny model, the same in every process."""
    made = tiny_model("llama")
    assert made is not None
    return LanguageModel(made, tokenizer([TEXT], 64), name="tiny")


def _case(subject: str) -> Case:
    fact = Rewrite(prompt="the old {} stands in a", subject=subject, target="river")
    probes = (Probe(0, "rewrite", fact.text, "river", "city"), Probe(0, "neighbour", "near the", "river", "city"))
    return Case((fact,), ("city",), probes, (), subject.replace(" ", "-"))


CASES = tuple(map(_case, ("tower of Aldra", "mother", "city")))


def asked(study: str, cases: tuple[Case, ...] = CASES[:1]) -> list[Unit]:
    """Short runs of a study, one a case."""
    return planned(STUDIES[study], cases, SMALL.get(study, {}), [])[0]


def _study(name: str, lm: LanguageModel, store: ResultStore) -> Found:
    return {unit.case: stored(STUDIES[name], unit.request, lm, store) for unit in asked(name)}


def _sweep(lm: LanguageModel, store: ResultStore) -> Found:
    units = asked("evaluate", CASES)
    swept = sweep(STUDIES["evaluate"], units, InProcess(lm), store)
    return {key: store.read(STUDIES["evaluate"], key) for key in swept.keys}


def _moments(lm: LanguageModel, store: ResultStore) -> Found:
    found = moments(lm, MomentsRequest(layers=(0, 1), tokens=2048))
    return {str(layer): one.matrix.numpy() for layer, one in found.items()}


def _resumed(lm: LanguageModel, store: ResultStore) -> Found:
    """A run that is stopped, its part stored, and gone on with."""
    (unit,), study, parts = asked("trace"), STUDIES["trace"], 0

    def stop(*_: Any, partial: Any = None, **__: Any) -> None:
        nonlocal parts
        if partial is not None and not partial.complete:
            store.keep(study, unit.request.key(lm.own_hash), partial, stopped=True)
            parts += 1
            if parts == 2:
                raise Cancelled

    with suppress(Cancelled):
        study.run(lm, unit.request, lambda done, total, note="", partial=None, share=None: stop(partial=partial))
    return {"trace": compute(study, unit.request, lm, store)}


def kinds() -> dict[str, Callable[[LanguageModel, ResultStore], Found]]:
    """Every kind of run by name."""

    def one(name: str) -> Callable[[LanguageModel, ResultStore], Found]:
        return lambda lm, store: _study(name, lm, store)

    each = {name: one(name) for name, entry in ENTRIES.items() if entry.from_case and name in SMALL | {"lens": {}}}
    return each | {"sweep": _sweep, "moments": _moments, "resumed": _resumed}


def _apart(kind: str, home: str, said: Connection) -> None:
    """The run of a kind in a process of its own; says when it begins, and what it found, or why not."""
    os.environ["PALIMPSEST_HOME"] = home
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        try:
            lm = model()
            said.send("begun")
            said.send(plain(kinds()[kind](lm, ResultStore())))
        except Exception as error:
            said.send(f"{type(error).__name__}: {error}")


def plain(found: Any) -> Any:
    """What is found, but for when and how long; arrays as bytes, so that equal means equal bit for bit."""
    if isinstance(found, np.ndarray):
        return str(found.dtype), found.shape, found.tobytes()
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items()}
    timeless = {name: None for name in TIMED if hasattr(found, name)}
    data, arrays = pack(dataclasses.replace(found, **timeless))
    return data, {name: plain(value) for name, value in arrays.items()}


class _Runs:
    """Processes that run kinds, begun from one that has read torch."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["app.bench.server.kills"])

    def run(self, kind: str, home: Path, *, kill_after: float | None = None) -> tuple[Any, float]:
        """What the run of a kind found and how long it took; None where it was killed before it ended."""
        here, there = self._context.Pipe()
        process = begin(self._context, _apart, kind, str(home), there)
        there.close()
        try:
            begun = here.recv() if here.poll(END) else "It hangs."
            if begun != "begun":
                raise BadRequest(f"The run of {kind} that was to be killed did not begin: {begun}")
            since = time.monotonic()
            found = None
            with suppress(EOFError):
                if here.poll(END if kill_after is None else kill_after):
                    found = here.recv()
            return found, time.monotonic() - since
        finally:
            process.kill()
            process.join()
            here.close()


def _stored_keys(home: Path) -> Iterator[tuple[str, str]]:
    """Study and key of everything finished in a home's store."""
    for name in STUDIES:
        for place in (home / "results").glob("*"):
            if not place.name.startswith(".") and not place.name.endswith(".stopped"):
                yield name, place.name


def _whole_results(home: Path) -> dict[tuple[str, str], Any]:
    store = ResultStore(home / "results")
    found = {(name, key): store.read(STUDIES[name], key) for name, key in _stored_keys(home)}
    return {place: plain(one) for place, one in found.items() if one is not None}


def add_kills(
    bench: Bench, each: int = 20, seed: int = 0, report: Report = silent, only: tuple[str, ...] = ()
) -> list[str]:
    """Put down `kills.tried` and `kills.survived` of `each` kills of every kind, or of those in `only`.

    Returns a sentence for each kill after which something was lost, wrong or in the way.
    """
    runs, generator, lost = _Runs(), np.random.default_rng(seed), []
    named = only or tuple(kinds())
    for number, kind in enumerate(named):
        with tempfile.TemporaryDirectory() as around:
            whole, seconds = runs.run(kind, Path(around) / "whole")
            if not isinstance(whole, dict):
                raise BadRequest(f"The run of {kind} that was to be killed does not end: {whole}")
            expected = _whole_results(Path(around) / "whole")
            runs.run("trace" if kind == "lens" else "lens", Path(around) / "before")
            for turn, share in enumerate(generator.uniform(0, 1.05, each)):
                report(number * each + turn, len(named) * each, f"kills of {kind}")
                home = shutil.copytree(Path(around) / "before", Path(around) / str(turn))
                if fault := _killed(runs, kind, home, share * seconds, whole, expected):
                    lost.append(f"{kind}, killed after {share * seconds:.3f} s: {fault}")
    bench.add("kills.tried", len(named) * each, "kills", len(named) * each)
    bench.add("kills.survived", len(named) * each - len(lost), "kills", len(named) * each)
    return lost


def _killed(runs: _Runs, kind: str, home: Path, after: float, whole: Any, expected: dict[Any, Any]) -> str | None:
    """Kill a run, look, ask again; what is not as it should be."""
    before = _whole_results(home)
    runs.run(kind, home, kill_after=after)
    there = _whole_results(home)
    if any(there.get(place) != one for place, one in before.items()):
        return "an earlier result is gone"
    if any(one != (expected | before).get(place) for place, one in there.items()):
        return "a wrong result lies in the store"
    again, _ = runs.run(kind, home)
    if again != whole:
        return f"asked again, it is not the same: {again if isinstance(again, str) else 'other numbers'}"
    return None
