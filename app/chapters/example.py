"""Examples of chapters: a command, the figures it gives, and how a chapter shows them. Studies name theirs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.chapters.stored_figures import by_name, command_of, here, told

if TYPE_CHECKING:
    from argparse import Namespace

    from analysis import LanguageModel
    from editors.evaluation.result import Mean

BENCH = "examples"
Rows = Iterator[tuple[str, ...]]
Add = Callable[..., None]
"""Function of name, value and unit, of n and half the width of an interval where there are such."""


def _no_more(args: "Namespace", lm: "LanguageModel") -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Example:
    """A command as it stands in a chapter, without “palimpsest”."""

    command: str
    head: tuple[str, ...]
    figures: Callable[[Add, Any], None]
    """Puts down what a result says."""
    rows: Callable[[], Rows]
    """What the chapter shows of it, below `head`."""
    asks: Callable[["Namespace", "LanguageModel"], dict[str, Any]] = _no_more
    """Fields of the request that no flag of their own says."""


def chapter_examples() -> dict[str, Example]:
    """All there are, by their part of the benchmark, in the order of their studies."""
    from app.registry.studies import ENTRIES

    read = [entry.read("shown")() for entry in ENTRIES.values() if entry.shown]
    return {part: one for some in read for part, one in some.items()}


def example(part: str) -> str:
    """The figures of an example, and the command that gave them."""
    one = chapter_examples()[part]
    return told(BENCH, one.head, one.rows(), command_of(part))


def value(part: str, name: str, digits: int = 0, times: float = 1.0) -> str:
    """A figure of an example, as a chapter writes it."""
    return here(BENCH, f"{part}.{name}", digits, times)


def unit(part: str, name: str) -> str:
    """The unit of such a figure."""
    return by_name(BENCH)[f"{part}.{name}"]["unit"]


def add_mean(add: Add, name: str, found: "Mean | None") -> None:
    """Put down a mean in per cent, where there is one."""
    if found is not None:
        add(name, 100 * found.value, "%", found.n, 100 * found.half_width)
