"""Whose processor time it was: the run's or the pages'.

What runs jobs steps back (`app.jobs.run_here`), and what torch starts from it does so too: those threads, and all of a
process of their own, have a lower priority than the server. Pages are drawn by threads that end with the drawing, so
theirs is what is left: drawing, packing, sending, and whatever else a server does.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import BadRequest
from app.bench.visits.family import family

PROC = Path("/proc")
USER, SYSTEM, NICE = 11, 12, 16
"""Places in a line of `stat`, counted behind the name."""


@dataclass(frozen=True)
class Spent:
    """Seconds of processor since the process began."""

    run: float
    pages: float

    def since(self, before: "Spent") -> "Spent":
        """What came after an earlier look."""
        return Spent(self.run - before.run, self.pages - before.pages)


def spent(pid: int, proc: Path = PROC) -> Spent:
    """What a server's run and its pages have taken; `BadRequest` where the system does not tell them apart."""
    if not (proc / str(pid) / "task").is_dir():
        raise BadRequest("Only Linux says which thread of a server took how much processor time. Measure there.")
    own = nice(pid, proc)
    found = [_taken(proc / str(one), own) for one in family(pid, proc)]
    return Spent(sum(one.run for one in found), sum(one.pages for one in found))


def nice(pid: int, proc: Path = PROC) -> int:
    """How far a process has stepped back."""
    return _stat(proc / str(pid))[NICE]


def _taken(process: Path, own: int) -> Spent:
    """What the threads of a process took that stepped back behind the server's own priority, and the others."""
    run = 0.0
    try:
        whole = _stat(process)
        if whole[NICE] > own:
            return Spent(_seconds(whole), 0.0)
        tasks = list((process / "task").iterdir())
    except FileNotFoundError:
        return Spent(0.0, 0.0)
    for task in tasks:
        with suppress(FileNotFoundError):  # it has ended meanwhile
            found = _stat(task)
            if found[NICE] > own:
                run += _seconds(found)
    return Spent(run, _seconds(whole) - run)


def _stat(place: Path) -> list[int]:
    behind = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return [0, *map(int, behind[1:])]  # the first says the state, in a letter


def _seconds(found: list[int]) -> float:
    return (found[USER] + found[SYSTEM]) / os.sysconf("SC_CLK_TCK")
