"""How much memory is free, so that what cannot fit is refused before it is tried.

What counts is what a process may take before the system ends it: the machine's free memory without swap, and the
limits of the control groups it runs in (a container, a batch job), less what cannot be taken back from them.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from analysis.errors import ModelTooLarge

UNLIMITED = 1 << 60
"""Limits from here on are none: control groups of the first version write a page short of 2^63."""
PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def give_back() -> None:
    """Return to the system what models that nobody holds any more have taken."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_bytes(device: torch.device, everywhere: bool = False) -> int:
    """Bytes free on a device; on all CUDA devices together when `everywhere`."""
    if device.type == "cuda":
        devices = range(torch.cuda.device_count()) if everywhere else [device.index or 0]
        return sum(torch.cuda.mem_get_info(index)[0] for index in devices)
    for line in _lines(PROC / "meminfo"):
        if line.startswith("MemAvailable:"):
            return min(int(line.split()[1]) * 1024, *_group_free(), UNLIMITED)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def demand(needed: int, device: torch.device, what: str, instead: str) -> None:
    """Raise `ModelTooLarge` where `needed` bytes are not free: `what` needs them, `instead` says what to do."""
    free = free_bytes(device)
    if needed > free:
        raise ModelTooLarge(f"{what} needs {needed / 1e9:.1f} GB on {device}; {free / 1e9:.1f} GB are free. {instead}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _group_free() -> Iterator[int]:
    """What each control group above this process still allows, both versions of them."""
    for line in _lines(PROC / "self" / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = GROUPS / "memory" if controllers else GROUPS
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        parts = Path(path.lstrip("/")).parts
        for depth in range(len(parts) + 1):  # in a container the group's own folder is the top
            yield _allowed(top.joinpath(*parts[:depth]), *names)


def _allowed(group: Path, limit: str, used: str, reclaimed: str) -> int:
    most, taken = _lines(group / limit), _lines(group / used)
    if not most or not taken or not most[0].isdigit() or int(most[0]) >= UNLIMITED:
        return UNLIMITED
    stat = dict(line.split()[:2] for line in _lines(group / "memory.stat") if len(line.split()) > 1)
    return max(0, int(most[0]) - int(taken[0]) + int(stat.get(reclaimed, 0)))
