"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import n_of

if TYPE_CHECKING:
    from analysis.facts.run import KnownResult


def _facts_figures(add: Add, found: "KnownResult") -> None:
    add("known", len(found.known(0.3)), "facts with P > .3", len(found.ids))


def _facts_rows() -> Rows:
    yield "facts known with more than .3", value("facts", "known"), n_of(BENCH, "facts.known")


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "facts": Example("facts --at-least 0.3", ("", "facts", "of"), _facts_figures, _facts_rows),
    }
