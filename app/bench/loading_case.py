"""One case of the benchmark of loading, in a process of its own so that its peaks are its own.

`python -m app.bench.loading_case SOURCE DTYPE EDIT` prints a line of JSON; PALIMPSEST_HOME should be an empty folder.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

import analysis
from analysis import ModelSpec
from app.bench.machine import forget_peak_memory, peak_memory_mb
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write

FACT = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")


def measured(source: str, dtype: str, edit: bool) -> dict[str, Any]:
    """Seconds, seconds of processor and peak memory beyond what was there before, of plan, load and first edit."""
    device = torch.device("cpu")
    spec = ModelSpec(source=source, dtype=dtype, device="cpu")  # type: ignore[arg-type]
    forget_peak_memory(device)
    before = peak_memory_mb()
    found: dict[str, Any] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        forget_peak_memory(device)
        wall, processor = time.perf_counter(), time.process_time()
        made = work()
        found[f"{name}.seconds"] = time.perf_counter() - wall
        found[f"{name}.processor"] = time.process_time() - processor
        found[f"{name}.peak"] = peak_memory_mb() - before
        return made

    priced = timed("plan", lambda: analysis.plan(spec))
    lm = timed("load", lambda: analysis.load(spec))
    timed("hash", lambda: lm.own_hash)
    found |= {"said": priced.bytes_needed / 1e6, "weights": priced.parameters * lm.dtype.itemsize / 1e6}
    if edit:
        made = timed("edit", lambda: write(lm, EditRequest(facts=(FACT,))))
        found["statistics"] = made.found.statistics
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(sys.argv[1], sys.argv[2], sys.argv[3] == "edit")) + "\n")
