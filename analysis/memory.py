"""How much memory is free, so that what cannot fit is refused before it is tried."""

import gc
import os
from pathlib import Path

import torch


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
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            return min(int(line.split()[1]) * 1024, _cgroup_free())
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _cgroup_free() -> int:
    limit, used = (_lines(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    if limit and used and limit[0].isdigit():
        return int(limit[0]) - int(used[0])
    return 1 << 62
