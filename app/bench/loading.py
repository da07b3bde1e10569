"""What loading a model and its first edit take: seconds, seconds of processor, memory at the highest.

Three shapes with vocabularies of 49, 152 and 262 thousand words, as safetensors and as GGUF; each case in a process and
a home of its own, so that nothing is ready and every peak is the case's. Memory is beyond what the process had before.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from analysis.errors import BadRequest
from analysis.study import Report, silent
from app.bench.entry import Benchmark, word_flag
from app.bench.form import Bench
from app.bench.machine import describe
from app.bench.models.loading_models import FORMS, make

MEASURED = ("smollm2-135m", "qwen2.5-0.5b", "gemma-3-270m")
PHASES = ("plan", "load", "edit")


@dataclass(frozen=True)
class LoadingOptions:
    """How much to measure."""

    quick: bool = False
    """A small model only, loaded and not edited."""
    parts: tuple[str, ...] = word_flag("parts", f"shapes: {', '.join(MEASURED)} (default: all)", MEASURED)


def loading(_: Any, options: LoadingOptions, report: Report = silent) -> Bench:
    """Per shape and form: seconds and processor seconds of plan, load and first edit, their peaks, what was said.

    The first edit is ROME's default request; `tokens` is how much text its second moments took.
    """
    shapes = ("small",) if options.quick else options.parts or MEASURED
    bench = Bench(describe(torch.device("cpu")), {"name": f"random weights: {', '.join(shapes)}"})
    bench.machine["load_average"] = [round(value, 1) for value in os.getloadavg()]
    cases = [(shape, form) for shape in shapes for form in FORMS]
    for number, (shape, form) in enumerate(cases):
        report(number, len(cases), f"{shape}, {form}")
        with tempfile.TemporaryDirectory() as folder:
            found = measured_apart(make(shape, form, Path(folder)), edit=not options.quick)
        _put(bench, f"{shape}.{form}", found)
    return bench


def measured_apart(place: Path, dtype: str = "float32", *, edit: bool = False) -> dict[str, Any]:
    """What `loading_case` measures of the model at `place`, in a process and a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "app.bench.loading_case", str(place), dtype, "edit" if edit else "load"]
        threads = str(torch.get_num_threads())
        around = os.environ | {"PALIMPSEST_HOME": home, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads}
        run = subprocess.run(command, capture_output=True, text=True, env=around)
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise BadRequest(f"{place.name} could not be measured: {last}")
    return json.loads(run.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _put(bench: Bench, case: str, found: dict[str, Any]) -> None:
    for phase in PHASES:
        if f"{phase}.seconds" in found:
            bench.add(f"{case}.{phase}.seconds", found[f"{phase}.seconds"], "s")
            bench.add(f"{case}.{phase}.processor_seconds", found[f"{phase}.processor"], "s of processor")
    peak = max(found["load.peak"], found["hash.peak"])
    bench.add(f"{case}.weights", found["weights"], "MB")
    bench.add(f"{case}.load.peak", peak, "MB")
    bench.add(f"{case}.load.said", found["said"], "MB")
    bench.add(f"{case}.load.said_by_peak", found["said"] / peak, "")
    if "edit.peak" in found:
        bench.add(f"{case}.edit.peak", found["edit.peak"], "MB")
        for one in found["statistics"]:
            bench.add(f"{case}.edit.tokens", one["tokens"], f"tokens ({one['corpus']})")
            if one.get("grown") and one["grown"]["excess"] is not None:
                bench.add(f"{case}.edit.excess", one["grown"]["excess"], f"× (steady at {one['grown']['tolerance']:g})")


BENCH = Benchmark("loading", loading, LoadingOptions, alone=True)
