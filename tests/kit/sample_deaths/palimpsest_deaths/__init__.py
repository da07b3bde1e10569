"""A study of a package of its own whose runs end as they are told to: well, or with the process they are in."""

import ctypes
import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from analysis.errors import BadRequest
from analysis.study import Report, Request, silent

End = Literal["well", "exit", "segfault", "kill", "refused", "fault", "never", "deaf", "always"]


class DeathsRequest(Request):
    """Make so many steps, and then end so."""

    units: ClassVar[dict[str, str]] = {"steps": "steps"}
    end: End = "well"
    steps: int = 2
    name: str = ""


@dataclass
class DeathsResult:
    """How many steps were made, and from which on."""

    units: ClassVar[dict[str, str]] = {"done": "steps", "begun": "steps", "process": "number"}
    request: DeathsRequest
    model: dict[str, Any]
    done: int
    begun: int
    process: int
    provenance: dict[str, Any] = field(default_factory=dict)


def deaths(
    lm: Any, request: DeathsRequest, report: Report = silent, *, resume_from: DeathsResult | None = None
) -> DeathsResult:
    """Each step changes the one result there is; then comes the end that was asked for."""
    begun = resume_from.done if resume_from is not None else 0
    result = DeathsResult(request, lm.card(), begun, begun, os.getpid())
    for result.done in range(begun, request.steps + 1):
        report(result.done, request.steps, "steps", result)
    if resume_from is None or request.end == "always":
        _end(request.end, report, request.steps)
    return result


def _end(end: End, report: Report, steps: int) -> None:
    if end == "refused":
        raise BadRequest("The subject is gone.")
    if end == "fault":
        raise ZeroDivisionError
    until = time.monotonic() + 0.5
    while end != "well" and time.monotonic() < until:  # what was found has time to come up
        report(steps, steps, "steps")
        time.sleep(0.01)
    if end in ("exit", "always"):
        os._exit(7)
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "segfault":
        ctypes.string_at(0)
    while end == "never":
        report(steps, steps, "steps")
        time.sleep(0.01)
    while end == "deaf":
        time.sleep(1)
