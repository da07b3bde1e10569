"""Whose processor time it was: the run's or the pages'.

The worker of a server steps back (`app.jobs.worker`), and what torch starts from it does so too: those threads have a
lower priority than all others. Pages are drawn by threads that end with the drawing, so theirs is what is left of the
process: drawing, packing, sending, and whatever else a server does.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import BadRequest

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
    whole = _stat(proc / str(pid))
    run = 0.0
    for task in (proc / str(pid) / "task").iterdir():
        try:
            found = _stat(task)
        except FileNotFoundError:  # it has ended meanwhile
            continue
        if found[NICE] > whole[NICE]:
            run += _seconds(found)
    return Spent(run, _seconds(whole) - run)


def _stat(place: Path) -> list[int]:
    behind = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return [0, *map(int, behind[1:])]  # the first says the state, in a letter


def _seconds(found: list[int]) -> float:
    return (found[USER] + found[SYSTEM]) / os.sysconf("SC_CLK_TCK")
