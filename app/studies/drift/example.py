"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import names_below

if TYPE_CHECKING:
    from editors.attention_drift.result import DriftResult


def _drift_figures(add: Add, found: "DriftResult") -> None:
    for at, name in enumerate(("before", "after")):
        add(f"{name}.answer", found.said.answer[at], f"P({found.answer.strip()})")
        add(f"{name}.edited", found.said.edited[at], f"P({found.edited.strip()})")
    for layer, head in found.strongest(3):
        add(f"{layer}.{head}.drift", found.drift[layer, head], "of attention")
        add(f"{layer}.{head}.set_back", found.grids["heads"][0, layer, head], f"P({found.answer.strip()})")


def _drift_rows() -> Rows:
    before, after = (value("drift", f"{when}.answer", 3) for when in ("before", "after"))
    wrong = tuple(value("drift", f"{when}.edited", 3) for when in ("before", "after"))
    yield "without the edit", "", before, wrong[0]
    yield "with it", "", after, wrong[1]
    for name in names_below(BENCH, "drift"):
        if name.endswith(".drift"):
            head = name.removesuffix(".drift")
            yield f"head {head} set back", value("drift", name, 3), value("drift", f"{head}.set_back", 3), "–"


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "drift": Example(
            'drift --recipe rome.json --grids heads --prompt "The Eiffel Tower is located in the city of Rome.'
            ' The Louvre is located in the city of" --subject "The Eiffel Tower"',
            ("run", "drift", "P(Paris)", "P(Rome)"),
            _drift_figures,
            _drift_rows,
        ),
    }
