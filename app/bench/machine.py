"""The machine under a benchmark: what it is, how fast it multiplies matrices, how much memory a run took."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

SHAPES = ((2048, 576, 1536), (2048, 1536, 576), (2048, 576, 576), (2048, 2048, 2048), (4096, 4096, 4096))
"""(m, k, n) of the products tried: those of the embedded model's blocks, and squares."""
BIG_SHAPES = ((8192, 4096, 12288), (8192, 8192, 8192))
"""Tried besides on a GPU."""


def describe(device: torch.device) -> dict[str, Any]:
    """Processor, memory, threads and versions."""
    about: dict[str, Any] = {
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "ram_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "device": str(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        about |= {"gpu": properties.name, "gpu_memory_gb": round(properties.total_memory / 1e9, 1)}
    return about


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def wait(device: torch.device) -> None:
    """Let the device finish what it was given, so that a clock read after it is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def matmul_rates(
    device: torch.device, dtype: torch.dtype, seconds: float = 0.4, *, small: bool = False
) -> dict[str, float]:
    """Rate, FLOP/s, that each product of `SHAPES` keeps up for `seconds`: a burst is no peak a program can live at.

    `small`: only those of the embedded model's blocks.

    On a CPU in float32 both of torch's products are tried, the plain one and the one of packed weights.
    """
    rates = {}
    for m, k, n in SHAPES[:3] if small else SHAPES + (BIG_SHAPES if device.type == "cuda" else ()):
        left, right = torch.randn(m, k, device=device, dtype=dtype), torch.randn(k, n, device=device, dtype=dtype)
        products: dict[str, Callable[[], Any]] = {"": partial(torch.mm, left, right)}
        if device.type == "cpu" and dtype == torch.float32:
            laid_out = torch.ops.mkldnn._reorder_linear_weight(right.T.contiguous(), m)
            product = torch.ops.mkldnn._linear_pointwise
            products[" packed"] = partial(product, left, laid_out, None, "none", [], "")
        for name, multiply in products.items():
            multiply()
            wait(device)
            began, runs = time.perf_counter(), 0
            while not runs or time.perf_counter() - began < seconds:
                multiply()
                wait(device)
                runs += 1
            rates[f"{m}x{k}x{n}{name}"] = 2 * m * k * n * runs / (time.perf_counter() - began)
    return rates


def counting() -> FlopCounterMode:
    """Torch's counter of floating-point operations, told what a product of packed weights takes."""

    def of_packed(rows: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
        return 2 * rows.numel() * weight[0]

    return FlopCounterMode(display=False, custom_mapping={torch.ops.mkldnn._linear_pointwise: of_packed})


def forget_peak_memory(device: torch.device) -> None:
    """Begin the peaks anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb() -> float:
    """Largest resident set of this process, MB, since `forget_peak_memory` where the system keeps that."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
