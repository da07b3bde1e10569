"""What a kind of hostile input is, and how one is tried.

To add one: a module here with a function that gives a `Kind`, and a line in `app.bench.hostile.registry`.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from analysis.study import Report, silent
from app.bench.form import Bench

KEPT = 20
"""Failures of a kind that are told in full."""


@dataclass(frozen=True)
class Kind:
    """One kind of input from outside.

    `inputs` gives inputs without end, each with a label that says what was done to it, drawn from the generator alone.
    `judge` puts one in at every door it comes in by: True where it was taken and worked, False where it was refused
    with a sentence. Anything it raises is a failure.
    """

    name: str
    inputs: Callable[[np.random.Generator], Iterator[tuple[str, Any]]]
    judge: Callable[[Any], bool]


@dataclass
class Outcome:
    """What became of the inputs of one kind."""

    kind: str
    tried: int = 0
    taken: int = 0
    failed: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """How often each thing was done, by the first word of its label."""
    failures: list[dict[str, str]] = field(default_factory=list)


def attempt(kind: Kind, count: int, seed: int = 0, report: Report = silent) -> Outcome:
    """Try `count` inputs of a kind; the same seed gives the same inputs."""
    outcome = Outcome(kind.name)
    for label, given in islice(kind.inputs(np.random.default_rng(seed)), count):
        outcome.tried += 1
        outcome.labels[label.split()[0]] += 1
        try:
            outcome.taken += kind.judge(given)
        except Exception:  # whatever it is, it is what is looked for
            outcome.failed += 1
            if len(outcome.failures) < KEPT:
                last = traceback.format_exc(limit=-6)
                outcome.failures.append({"kind": kind.name, "label": label, "traceback": last})
        report(outcome.tried, count, f"{kind.name}, hostile input")
    return outcome


def put_down(bench: Bench, outcomes: list[Outcome]) -> None:
    """The figures: hostile.tried, hostile.failed, and of each kind hostile.KIND.tried, .taken, .failed."""
    bench.add("hostile.tried", sum(one.tried for one in outcomes), "inputs")
    bench.add("hostile.failed", sum(one.failed for one in outcomes), "inputs")
    for one in outcomes:
        for name in ("tried", "taken", "failed"):
            bench.add(f"hostile.{one.kind}.{name}", getattr(one, name), "inputs")
    bench.tables["hostile"] = [failure for one in outcomes for failure in one.failures]
