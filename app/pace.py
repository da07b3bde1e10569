"""How often a page is drawn again while a run goes on: as often as that costs a small part of the run's own time.

Everything happens on one machine: what pages take is taken from the run, and eight people who watch take eight times
as much.
"""

import threading
import time

SHARE = 0.06
"""Processor time of all redraws, as a share of the time that passes; sending what was drawn costs half as much."""
SHORTEST, LONGEST = 0.6, 10.0
"""Seconds between two drawings, at least and at most."""
_lock = threading.Lock()
_watching: dict[str, float] = {}


def pause(session: str, cost: float) -> float:
    """Seconds until a session's page is drawn again, after a drawing that took `cost` seconds of processor."""
    now = time.monotonic()
    with _lock:
        _watching[session] = now
        for other in [name for name, seen in _watching.items() if now - seen > 2 * LONGEST]:
            del _watching[other]
        watching = len(_watching)
    return min(LONGEST, max(SHORTEST, cost * watching / SHARE))
