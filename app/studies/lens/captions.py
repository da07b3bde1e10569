"""Under the lens."""

from analysis import LensResult
from app.charts.marked import escape
from app.charts.words import percent, word
from app.studies.lens.figure import first_layer


def lens(result: LensResult) -> str:
    """Under the lens."""
    layer = first_layer(result)
    where = f"from layer {layer} on" if layer is not None else "at no layer for good"
    final = percent(float(result.lens.answer_probability[-1, -1]))
    return (
        f":gray[:small[Each cell holds the state’s first word; ink: its probability. The last token says "
        f"“{escape(word(result.answer))}” first {where}; at the end with {final}.]]"
    )
