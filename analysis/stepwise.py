"""A result that grows step by step: a run that is stopped leaves it, and goes on from it to the very same end."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Stepwise:
    """Base of results that say how far they came."""

    units: ClassVar[dict[str, str]] = {"steps": "steps"}
    steps: tuple[int, int] = (1, 1)  # computed, of all

    @property
    def cells(self) -> tuple[int, int]:
        """Steps computed, steps asked for."""
        return self.steps[0], self.steps[1]

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return self.steps[0] == self.steps[1]
