"""What its chapter shows on the embedded model: a command, its figures, and how they are written."""

from typing import TYPE_CHECKING

from app.chapters.example import BENCH, Add, Example, Rows, value
from app.chapters.stored_figures import names_below

if TYPE_CHECKING:
    from analysis import LensResult


def _lens_figures(add: Add, found: "LensResult") -> None:
    for layer in range(len(found.lens.answer_rank)):
        add(f"{layer}.probability", found.lens.answer_probability[layer, -1], "P(answer)")
        add(f"{layer}.rank", int(found.lens.answer_rank[layer, -1]) + 1, "place among all words")


def _lens_rows() -> Rows:
    layers = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, "lens")})
    for layer in layers[:1] + layers[6:22:5] + layers[22:]:
        yield str(layer), value("lens", f"{layer}.rank"), value("lens", f"{layer}.probability", 1, 100)


def examples() -> dict[str, Example]:
    """The examples, by their part of the benchmark."""
    return {
        "lens": Example(
            'lens --prompt "The Eiffel Tower is located in the city of"',
            ("layer", "place of Paris among all words", "P(Paris), %"),
            _lens_figures,
            _lens_rows,
        ),
    }
