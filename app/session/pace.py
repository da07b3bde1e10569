"""How often a page is drawn again while a run goes on: as often as that costs a small part of the run's own time.

Everything happens on one machine: what pages take is taken from the run, and eight people who watch take eight times
as much. So all that is drawn again by itself shares one allowance, what costs little as well as what costs much.
"""

import threading
import time
from dataclasses import dataclass

SHARE = 0.06
"""Seconds of processor for all redraws, of each second that passes; packing and sending what was drawn comes on top."""
BESIDE = 0.01
"""Seconds of processor a redraw takes beside the drawing: the session is woken, its state read and kept."""
SHORTEST, LONGEST = 0.6, 20.0
"""Seconds between two drawings, at least and at most."""
GONE = 5.0
"""Seconds over its time after which nobody looks at a drawing any more."""


@dataclass(frozen=True)
class _Drawing:
    cost: float
    due: float


_lock = threading.Lock()
_watched: dict[str, _Drawing] = {}


def pause(name: str, cost: float, *, shortest: float = SHORTEST, left: float | None = None) -> float:
    """Seconds until what a session looks at is drawn again, after a drawing that took `cost` seconds of processor.

    `left`: seconds until the run's end, where they are known: the end is not waited for longer than the run takes.
    """
    now = time.monotonic()
    with _lock:
        for other in [other for other, drawing in _watched.items() if now > drawing.due + GONE]:
            del _watched[other]
        _watched[name] = _Drawing(cost + BESIDE, now)
        whole = sum(drawing.cost for drawing in _watched.values()) / SHARE
        found = min(LONGEST, max(shortest, whole if left is None else min(whole, left)))
        _watched[name] = _Drawing(cost + BESIDE, now + found)
    return found
