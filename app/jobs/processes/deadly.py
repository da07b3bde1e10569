"""Runs that end their process each time they are asked for: after the second time they are not begun again for a while.

Everybody's model is read anew after each, so one request that is asked over and over would take the room's time.
"""

import time
from collections.abc import Callable, Hashable

from app.charts.words import duration

TIMES, REST = 2, 600.0
"""How often in a row, and seconds until such a run is begun again."""


class Deadly:
    """What was asked when a process ended, how far it had come, and when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._known: dict[Hashable, tuple[int, float, float]] = {}

    def died(self, asked: Hashable, share: float) -> None:
        """The process ended with this run, `share` of which was done: further than the last time counts anew."""
        times, before, _ = self._known.get(asked, (0, 0.0, 0.0))
        self._known[asked] = (1 if share > before else times + 1, max(share, before), self._clock())

    def lived(self, asked: Hashable) -> None:
        """It came to an end of its own."""
        self._known.pop(asked, None)

    def refused(self, asked: Hashable) -> str | None:
        """Why a run is not begun, None for others."""
        now = self._clock()
        self._known = {one: found for one, found in self._known.items() if now - found[2] < REST}
        times, _, last = self._known.get(asked, (0, 0.0, 0.0))
        if times < TIMES:
            return None
        return (
            f"This run has ended its process {times} times in a row here, so it is not begun again for "
            f"{duration(last + REST - now)}. All other runs go on. Ask for less, or for something else."
        )
