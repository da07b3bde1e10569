"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

from app.chapters.example import BENCH, Add, Example, Rows, add_mean, value
from app.chapters.stored_figures import n_of, names_below

if TYPE_CHECKING:
    from editors.ability_tests.result import AbilitiesResult


def _abilities_figures(add: Add, found: "AbilitiesResult") -> None:
    for group in (*found.there(), None):
        add_mean(add, group or "all", found.share(group))


def _abilities_rows() -> Rows:
    for group in names_below(BENCH, "abilities"):
        yield group, value("abilities", group), n_of(BENCH, f"abilities.{group}")


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "abilities": Example("abilities", ("group", "right, %", "questions"), _abilities_figures, _abilities_rows),
    }
