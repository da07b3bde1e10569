"""A server and the processes it has begun: runs have one of their own, which holds the model."""

from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PARENT = 1
"""Place in a line of `stat`, counted behind the name."""


def family(pid: int, proc: Path = PROC) -> list[int]:
    """A process and all that came from it and are there now, itself first."""
    parents: dict[int, int] = {}
    for place in proc.iterdir():
        if place.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                said = (place / "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(place.name)] = int(said.rpartition(")")[2].split()[PARENT])
    found = [pid]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found


def memory(pid: int) -> float:
    """Bytes that a server and all it has begun have in memory now; what two of them share counts once for each."""
    held = [_resident(one) for one in family(pid)]
    if not held[0]:
        raise ProcessLookupError(pid)
    return sum(held)


def _resident(pid: int) -> float:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return 1024.0 * int(line.split()[1])
    return 0.0
