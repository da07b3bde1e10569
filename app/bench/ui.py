"""What watching a run costs it, and how long people wait for pages: a server of its own, a browser, 1, 4, 8 visitors.

Eight people who look at a long trace see it grow, and all they see is drawn on the machine that computes it.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis import ModelSpec
from analysis.errors import WorkbenchError
from analysis.study import Report, silent
from app.bench.entry import Benchmark
from app.bench.form import Bench
from app.bench.machine import describe
from app.bench.tracing import FILLER, PROMPT, SUBJECT
from app.bench.visits.served import Server, start_server
from app.bench.visits.threads import Spent, spent
from app.bench.visits.visitors import Visitors, chromium

SHORT = {"prompt": PROMPT, "subject": SUBJECT}
LONG = {"prompt": f"{SUBJECT} {' '.join(FILLER.split()[:24])}", "subject": SUBJECT, "samples": "100"}
"""A run that nobody will see the end of."""
SETTLED = 3.0
"""Seconds until a page that was opened has been drawn and a run is under way."""


@dataclass(frozen=True)
class UiOptions:
    """How much to measure, of which model."""

    quick: bool = False
    """One visitor and two, a few seconds."""
    spec: ModelSpec = field(default_factory=ModelSpec)

    @property
    def sessions(self) -> tuple[int, ...]:
        """Numbers of visitors."""
        return (1, 2) if self.quick else (1, 4, 8)

    @property
    def seconds(self) -> float:
        """Time a run is watched."""
        return 5.0 if self.quick else 30.0

    @property
    def switches(self) -> int:
        """Pages looked at."""
        return 4 if self.quick else 40

    @property
    def pictures(self) -> int:
        """Runs begun."""
        return 1 if self.quick else 3


@dataclass(frozen=True)
class Seen:
    """What so many visitors saw."""

    watched: Spent  # while a run was watched and nobody touched anything
    seconds: float
    pictures: Sequence[float]
    switches: Sequence[float]  # while a run goes on
    idle_switches: Sequence[float]


def ui(_: Any, options: UiOptions, report: Report = silent) -> Bench:
    """Per number of visitors: redraw_share, first_picture_s, switch_p50 and switch_p95, with a run going on and idle.

    `redraw_share`: seconds of processor that the server's pages take (`app.bench.visits.threads`) over the seconds that
    pass, while all visitors watch one long trace and touch nothing; `run_share` is the run's own. On a busy machine the
    run gets less than it would; the pages go first and do not. The browser's time is in neither: it is the visitors'.
    `first_picture_s`: from the click on Trace to the figure, while the others have the page open, median over runs.
    `switch_…`: from the click on a page's link to its form, of one visitor while the others watch.
    """
    bench = Bench(describe(torch.device("cpu")), {"name": options.spec.source})
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        server = start_server(Path(home), _flags(options.spec))
        try:
            for number, count in enumerate(options.sessions):
                report(number, len(options.sessions), f"{count} visitors")
                visitors = Visitors(browser, server.url, count)
                try:
                    put(bench, count, _seen(visitors, server, options, seed=10 * number + 1))
                finally:
                    visitors.leave()
        finally:
            server.stop()
    return bench


def _flags(spec: ModelSpec) -> list[str]:
    """How a server is told which model to begin with."""
    model = [] if spec == ModelSpec() else ["--model", spec.source]
    return [*model, "--device", spec.device, "--dtype", spec.dtype]


def _seen(visitors: Visitors, server: Server, options: UiOptions, seed: int) -> Seen:
    pictures = []
    for turn in range(options.pictures + 1):
        visitors.open(SHORT | {"seed": str(seed + turn)})
        pictures.append(visitors.press())
        visitors.cancel()
    idle = visitors.switch(options.switches)
    visitors.open(LONG | {"seed": str(seed)})
    visitors.press()
    time.sleep(SETTLED)
    began, before = time.perf_counter(), spent(server.process.pid)
    time.sleep(options.seconds)
    watched, seconds = spent(server.process.pid).since(before), time.perf_counter() - began
    switches = visitors.switch(options.switches)
    if not visitors.running():
        raise WorkbenchError("The run ended while it was being watched, so nothing was measured. Take a larger model.")
    visitors.cancel()
    return Seen(watched, seconds, pictures[1:], switches, idle)  # the first waits for what is read once


def put(bench: Bench, count: int, seen: Seen) -> None:
    """The figures of so many visitors."""

    def add(name: str, value: float, unit: str, n: int = 1) -> None:
        bench.add(f"sessions{count}.{name}", float(value), unit, n)

    add("redraw_share", seen.watched.pages / seen.seconds, "of a processor")
    add("run_share", seen.watched.run / seen.seconds, "of a processor")
    add("first_picture_s", np.median(seen.pictures), "s", len(seen.pictures))
    for name, switches in (("switch", seen.switches), ("idle_switch", seen.idle_switches)):
        for share in (50, 95):
            add(f"{name}_p{share}", np.percentile(switches, share), "s", len(switches))


BENCH = Benchmark("ui", ui, UiOptions, alone=True)
