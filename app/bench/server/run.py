"""One server for a room of people: do they see each other's edits, how long do they wait, what does it keep?

A server of its own, open to others, and 1, 8, 30 visitors who speak the pages' protocol, each with another edit on.
"""

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import analysis
from analysis import LensRequest, ModelSpec, logit_lens, read_facts
from analysis.errors import WorkbenchError
from analysis.study import Report, silent, within
from app.bench.entry import Benchmark, word_flag
from app.bench.form import Bench
from app.bench.hostile import headers
from app.bench.hostile.registry import hostile
from app.bench.machine import describe
from app.bench.server.cancels import add_cancels
from app.bench.server.estimates import QUICK, put, requests, timed
from app.bench.server.kills import add_kills
from app.bench.server.room import PAGES, Person, room, together
from app.bench.server.run_kills import add_run_kills
from app.bench.tracing import FILLER, SUBJECT
from app.bench.visits.family import memory
from app.bench.visits.kept import results
from app.bench.visits.served import Server, start_server
from editors.cases.case import Case, own_cases
from editors.edit.apply import written_over

LONG = {"prompt": f"{SUBJECT} {' '.join(FILLER.split()[:20])}", "subject": SUBJECT, "samples": "40"}
"""A run that goes on while pages are looked at."""
SAME = 1e-3
"""Largest difference of a probability from the one found alone, up to rounding of other threads."""
SETTLED = 5
"""Runs before memory is read for the first time."""


@dataclass(frozen=True)
class ServerOptions:
    """How much to measure, of which model."""

    quick: bool = False
    """One visitor and four, twenty runs."""
    spec: ModelSpec = field(default_factory=ModelSpec)
    parts: tuple[str, ...] = word_flag(
        "parts", "what to measure (default: all)", ("visitors", "memory", "estimates", "cancels", "hostile", "kills")
    )

    @property
    def visitors(self) -> tuple[int, ...]:
        """Numbers of visitors."""
        return (1, 4) if self.quick else (1, 8, 30)

    @property
    def looks(self) -> int:
        """Pages each looks at, idle and with a run going on."""
        return 4 if self.quick else 12

    @property
    def runs(self) -> int:
        """Runs after which memory is read."""
        return 20 if self.quick else 500

    @property
    def inputs(self) -> int:
        """Hostile inputs of each kind."""
        return 20 if self.quick else 1000

    @property
    def kills(self) -> int:
        """Kills of each kind of run."""
        return 2 if self.quick else 20


def server(_: Any, options: ServerOptions, report: Report = silent) -> Bench:
    """Per number of visitors cross_talk, page_p50, page_p95, idle_page_p95, wait_longest, wait_unfairness; memory.

    `cross_talk`: visitors whose lens under their own edit is not what edit and lens are alone, in a process without
    anybody else. `page_…`: from asking for a page until all of it has come, over all visitors, each of whom looks at
    a page every few seconds while one long run goes on; `idle_page_…` without one. `wait_…`: from pressing to the
    result, of one run each, all pressed at the same moment; unfairness is the longest over the median.
    `memory.after_500`: what the server and the process of its runs hold more after so many runs than after the first
    five.
    `cancel.…`: seconds from Cancel until a run has stopped, at most, at random moments.
    `hostile.…`: inputs of every kind a stranger may send, and those that were taken and failed later, or failed at
    once. `kills.…`: runs killed at random moments, and those after which nothing but the run was lost; `kills.run_…`:
    the same of the process of a worker's runs alone.
    """
    bench = Bench(describe(torch.device("cpu")), {"name": options.spec.source})
    asked = [part for part in PARTS if part in (options.parts or PARTS)]
    for number, part in enumerate(asked):
        PARTS[part](bench, options, within(report, number, len(asked), part))
    return bench


def _visitors(bench: Bench, options: ServerOptions, report: Report) -> None:
    cases = own_cases(read_facts())[: max(options.visitors)]
    alone = _Alone(options.spec)
    for number, count in enumerate(options.visitors):
        report(number, len(options.visitors), f"{count} visitors")
        with tempfile.TemporaryDirectory() as home, served(Path(home), options.spec) as server:
            with room(server.url, cases[:count]) as people:
                _seen(bench, people, options)
            _cross_talk(bench, Path(home), cases[:count], alone)


def _memory(bench: Bench, options: ServerOptions, report: Report) -> None:
    cases = own_cases(read_facts())[: max(options.visitors)]
    report(0, 1, f"{options.runs} runs")
    with tempfile.TemporaryDirectory() as home, served(Path(home), options.spec) as server:
        _grown(bench, server, cases, options)


def _estimates(bench: Bench, options: ServerOptions, report: Report) -> None:
    put(bench, timed(_Alone(options.spec).lm(), QUICK if options.quick else tuple(requests()), report))


def _cancels(bench: Bench, options: ServerOptions, report: Report) -> None:
    names = ("trace", "rome") if options.quick else tuple(requests())
    add_cancels(bench, options.spec, names, 1 if options.quick else 3, report)


def _hostile(bench: Bench, options: ServerOptions, report: Report) -> None:
    with tempfile.TemporaryDirectory() as home, served(Path(home), options.spec) as server:
        hostile(bench, options.inputs, [headers.kind(int(server.url.rsplit(":", 1)[1]))], report=report)


def _kills(bench: Bench, options: ServerOptions, report: Report) -> None:
    lost = add_kills(bench, options.kills, report=report, only=("trace", "moments") if options.quick else ())
    lost += add_run_kills(bench, options.kills, report=report)
    bench.tables["kills.lost"] = [{"what": sentence} for sentence in lost]


PARTS: dict[str, Callable[[Bench, ServerOptions, Report], None]] = {
    "visitors": _visitors,
    "memory": _memory,
    "estimates": _estimates,
    "cancels": _cancels,
    "hostile": _hostile,
    "kills": _kills,
}


@contextmanager
def served(home: Path, spec: ModelSpec) -> Iterator[Server]:
    """A server of its own while it is looked at."""
    server = start_server(home, _flags(spec))
    try:
        yield server
    finally:
        server.stop()


def _flags(spec: ModelSpec) -> list[str]:
    """A server open to others: there each visitor has edits of their own."""
    model = [] if spec == ModelSpec() else ["--model", spec.source]
    return ["--public", *model, "--device", spec.device, "--dtype", spec.dtype]


def _seen(bench: Bench, people: Sequence[Person], options: ServerOptions) -> None:
    """Everybody writes, then looks at pages, idle and beside a long run, then asks what the states say now."""
    name = f"visitors{len(people)}"
    together(people, lambda person: person.done("edit", person.edit, "edit-go"))
    for person in people:
        person.visit.again()
        if "1 of 1 on" not in person.visit.text():
            raise WorkbenchError(f"Visitor {person.number} has no edit on: {person.visit.text()[:300]}")

    def look(person: Person) -> list[float]:
        return person.look(options.looks, random.Random(person.number))

    for page in PAGES:  # the first drawing of each waits for what is read once
        people[0].visit.open(page)
    idle = np.concatenate(together(people, look))
    people[0].visit.open("trace", LONG)
    people[0].visit.press("trace-go")
    if not people[0].visit.has("trace-cancel"):
        raise WorkbenchError(f"The long run did not begin: {people[0].visit.text()[-500:]}")
    beside = np.concatenate(together(people, look))
    people[0].visit.open("trace", LONG)
    if not people[0].visit.has("trace-cancel"):
        raise WorkbenchError("The long run ended while pages were looked at. Take a larger model.")
    people[0].visit.press("trace-cancel")
    waits = together(people, lambda person: person.done("lens", {"prompt": person.case.rewrite.text}, "lens-go"))
    for share in (50, 95):
        bench.add(f"{name}.page_p{share}", float(np.percentile(beside, share)), "s", len(beside))
        bench.add(f"{name}.idle_page_p{share}", float(np.percentile(idle, share)), "s", len(idle))
    bench.add(f"{name}.wait_longest", max(waits), "s", len(waits))
    bench.add(f"{name}.wait_unfairness", max(waits) / median(waits), "", len(waits))


def _cross_talk(bench: Bench, home: Path, cases: Sequence[Case], alone: "_Alone") -> None:
    """Hold what every visitor was told against what is said alone."""
    told = {found.request.prompt: found for found in results(home, "lens")}
    others, seen = 0, []
    for number, case in enumerate(cases):
        prompt = case.rewrite.text
        if prompt not in told:
            raise WorkbenchError(f"Visitor {number} was told nothing: there is no stored lens of “{prompt}”.")
        edited, plain = alone(number, case)
        found = told[prompt].lens.top_probabilities
        others += bool(np.abs(found - edited).max() > SAME)
        seen.append(float(np.abs(found - plain).max()))
    bench.add(f"visitors{len(cases)}.cross_talk", others, f"of {len(cases)}", len(cases))
    bench.mean(f"visitors{len(cases)}.edit_moves", seen, "of probability")


class _Alone:
    """What edit and lens say in this process, to nobody but us."""

    def __init__(self, spec: ModelSpec):
        self._spec, self._found = spec, dict[int, tuple[np.ndarray, np.ndarray]]()

    def __call__(self, number: int, case: Case) -> tuple[np.ndarray, np.ndarray]:
        """Top probabilities of every state (layers, tokens, words), edited and not."""
        if number not in self._found:
            from app.studies.edit.forms.form import EditForm
            from editors import write

            lm = self.lm()
            asked = EditForm.model_validate(Person(number, None, case).edit).asked()  # type: ignore[arg-type]
            edit = write(lm, asked, glance=False, probe=False)
            lens = partial(logit_lens, lm, LensRequest(prompt=case.rewrite.text))
            plain = lens().lens.top_probabilities
            with written_over(lm, [edit]):
                self._found[number] = lens().lens.top_probabilities, plain
        return self._found[number]

    def lm(self) -> Any:
        """The model, loaded once."""
        if not hasattr(self, "_loaded"):
            self._loaded = analysis.load(self._spec)
        return self._loaded


def _grown(bench: Bench, served: Server, cases: Sequence[Case], options: ServerOptions) -> None:
    prompts = [fact.text for fact in read_facts()]
    with room(served.url, cases[:1]) as (person,):
        before = 0.0
        for run in range(options.runs):
            if run == SETTLED:
                before = memory(served.process.pid)
            prompt = f"{prompts[run % len(prompts)]}{' the' * (run // len(prompts))}"
            person.done("lens", {"prompt": prompt}, "lens-go")
        after = memory(served.process.pid)
    bench.add("memory.server", after / 1e6, "MB", options.runs)
    bench.add("memory.after_500", (after - before) / 1e6, "MB more", options.runs)


BENCH = Benchmark("server", server, ServerOptions, alone=True)
