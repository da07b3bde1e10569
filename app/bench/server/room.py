"""A room full of people at one server, each with an edit of their own: what they see of it, and of each other."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from analysis.errors import WorkbenchError
from app.bench.visits.protocol import Visit, visiting
from app.doors.visitor_cookie import COOKIE
from editors.cases.case import Case

Found = TypeVar("Found")
PAGES = ("lens", "conflict", "edit", "trace")
"""Pages that are looked at in turn."""
THINK = 4.0
"""Seconds a person looks at a page before the next, about."""
POLL = 0.5
"""Seconds between two looks at a run."""
WAIT = 900.0
"""Seconds a run may take with everybody else's before it."""
LOADING = 120.0


@dataclass
class Person:
    """Someone with a page open and a fact to write over."""

    number: int
    visit: Visit
    case: Case

    @property
    def edit(self) -> dict[str, str]:
        """A link to their edit: quick to find, and unlike the others'."""
        fact = self.case.rewrite
        return {
            "prompt": fact.text,
            "subject": fact.subject,
            "target": fact.target,
            "method": "ft",
            "steps": "8",
            "seed": str(self.number),
        }

    def done(self, page: str, query: dict[str, str], button: str) -> float:
        """Begin a run and wait for its end; seconds from pressing to the page without it."""
        self.visit.open(page, query)
        began = time.perf_counter()
        self.visit.press(button)
        while self.visit.has(f"{page}-cancel"):
            if time.perf_counter() - began > WAIT:
                raise WorkbenchError(f"The run of visitor {self.number} on the page {page} did not end.")
            time.sleep(POLL)
            self.visit.again()
        return time.perf_counter() - began

    def look(self, times: int, chance: random.Random) -> list[float]:
        """Look at one page after another; seconds until each has come."""
        found = []
        for number in range(times):
            time.sleep(THINK * chance.uniform(0.5, 1.5))
            found.append(self.visit.open(PAGES[(self.number + number) % len(PAGES)]))
        return found


@contextmanager
def room(url: str, cases: Sequence[Case]) -> Iterator[list[Person]]:
    """So many people, each with a browser of their own; gone when the context closes."""
    with ExitStack() as open_pages:
        people = []
        for number, case in enumerate(cases):
            visit = open_pages.enter_context(visiting(url, f"{COOKIE}={number:032x}"))
            people.append(Person(number, visit, case))
        first = people[0].visit
        first.open("lens")
        end = time.perf_counter() + LOADING
        while "matches Hugging Face" not in first.text():
            if time.perf_counter() > end:
                raise WorkbenchError("The visited workbench did not load its model.")
            time.sleep(POLL)
            first.again()
        yield people


def together(people: Sequence[Person], do: Callable[[Person], Found]) -> list[Found]:
    """What all of them do at the same time."""
    gate = threading.Barrier(len(people))

    def one(person: Person) -> Found:
        gate.wait()
        return do(person)

    with ThreadPoolExecutor(len(people)) as hands:
        return list(hands.map(one, people))
