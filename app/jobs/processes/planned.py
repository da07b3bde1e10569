"""What another model would take is worked out where torch is: in a process of its own, for the server reads none.

Reading torch takes seconds in which no page is drawn, and half a gigabyte for good.
"""

import sys
import threading

from analysis import ModelSpec
from analysis.errors import ModelUnavailable
from analysis.model.spec import ModelPlan
from app.jobs.processes.elsewhere import elsewhere

SECONDS = 120.0
"""Time to read a config in, over a slow network too."""
_one = threading.Semaphore(1)


def planned(spec: ModelSpec) -> ModelPlan:
    """`analysis.plan`, elsewhere where this process has read no torch; raises what it raises."""
    if "torch" in sys.modules:
        return _plan(spec)
    late = ModelUnavailable(f"“{spec.source}” was given up: its config was not there after {SECONDS:.0f} seconds.")
    lost = ModelUnavailable(
        f"What “{spec.source}” would take could not be worked out: the process that reads its config ended before it "
        "was done, for want of memory as a rule."
    )
    with _one:
        return elsewhere(_plan, spec, seconds=SECONDS, memory=None, late=late, lost=lost)


def _plan(spec: ModelSpec) -> ModelPlan:
    import analysis

    return analysis.plan(spec)
