"""Whose run is next: people in turn, and the short before the long within bounds.

Every run stands in a round. A person's runs stand in one round each, and who comes joins the round after the one that
is being served; so everybody there is served once before anybody is served twice, and a round that is being served
takes in nobody new. Nothing here looks at a clock: what bounds waiting is counted, so nothing starves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SHORT = 10.0
"""Seconds up to which a run may go before longer ones."""
PATIENCE = 4
"""Short runs that may go before a longer one whose turn it would be."""
REMEMBERED = 1000
"""People whose last turn is remembered."""


@dataclass(eq=False)
class Turn:
    """A place in line. `seconds`: what the run is expected to take, None where nobody knows: it counts as long."""

    person: str
    seconds: float | None
    round: int
    number: int
    overtaken: int = 0

    @property
    def short(self) -> bool:
        """Whether it may go before longer ones."""
        return self.seconds is not None and self.seconds <= SHORT


class Turns:
    """Rounds, and who had a turn when."""

    def __init__(self) -> None:
        self._round = 0
        self._last: dict[str, int] = {}  # the round of each person's last run
        self._served: dict[str, int] = {}  # when each had a turn, counted in turns
        self._entered = self._begun = 0

    def enter(self, person: str, seconds: float | None = None) -> Turn:
        """A place for one more run of a person."""
        self._entered += 1
        self._last[person] = self._next_round(person)
        return Turn(person, seconds, self._last[person], self._entered)

    def share(self, turn: Turn, person: str) -> None:
        """Another person waits for the same run: it stands where the first of them would."""
        turn.round = min(turn.round, self._next_round(person))

    def hand_over(self, turn: Turn, person: str) -> None:
        """The run is another's from now on, who waits for it too."""
        turn.person = person
        self._last[person] = max(turn.round, self._last.get(person, 0))

    def leave(self, turn: Turn, waiting: Sequence[Turn]) -> None:
        """A run was taken out of the line: those of its person that stood behind it move up a round."""
        for other in waiting:
            if other.person == turn.person and other.round > turn.round:
                other.round -= 1
        if self._last.get(turn.person, 0) >= turn.round:
            self._last[turn.person] -= 1

    def line(self, waiting: Sequence[Turn]) -> list[Turn]:
        """Those who wait in the order they will be served, if nobody comes and nobody leaves."""
        left, served = list(waiting), dict(self._served)
        overtaken = {turn.number: turn.overtaken for turn in waiting}
        found: list[Turn] = []
        while left:
            turn, passed = _first(left, served, overtaken)
            for other in passed:
                overtaken[other.number] += 1
            left.remove(turn)
            served[turn.person] = self._begun + len(found) + 1
            found.append(turn)
        return found

    def begin(self, waiting: Sequence[Turn]) -> Turn:
        """The one of those who wait whose turn it is; it counts as served."""
        self._round = max(self._round, min(turn.round for turn in waiting))
        turn, passed = _first(waiting, self._served, {turn.number: turn.overtaken for turn in waiting})
        for other in passed:
            other.overtaken += 1
        self._begun += 1
        self._served.pop(turn.person, None)
        self._served[turn.person] = self._begun
        for forgotten in list(self._served)[:-REMEMBERED]:
            del self._served[forgotten]
        self._last = {person: last for person, last in self._last.items() if last > self._round}
        return turn

    def _next_round(self, person: str) -> int:
        return max(self._round, self._last.get(person, 0)) + 1


def _first(waiting: Sequence[Turn], served: dict[str, int], overtaken: dict[int, int]) -> tuple[Turn, list[Turn]]:
    """Whose turn it is of some, and the longer ones that it is served before."""

    def place(turn: Turn) -> tuple[int, int, int]:
        return turn.round, served.get(turn.person, 0), turn.number

    first = min(waiting, key=place)
    quick = [turn for turn in waiting if turn.short]
    if first.short or not quick or overtaken[first.number] >= PATIENCE:
        return first, []
    taken = min(quick, key=place)
    return taken, [turn for turn in waiting if not turn.short and place(turn) < place(taken)]
