"""Names at the ends of lines, in the lines' colours and apart from one another: no legend to look up."""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go


def apart(places: Iterable[float], least: float) -> list[float]:
    """Places in ascending order, moved up so that neighbours are at least `least` apart."""
    moved: list[float] = []
    for place in places:
        moved.append(max(float(place), moved[-1] + least) if moved else float(place))
    return moved


def name_ends(figure: go.Figure, ends: Sequence[tuple[float, str, str]], *, x: float, least: float, away: int) -> None:
    """Write each (height, name, colour) behind `x`, `away` pixels off, at least `least` of the axis apart."""
    ordered = sorted(ends)
    for (_, name, colour), place in zip(ordered, apart((end[0] for end in ordered), least), strict=True):
        figure.add_annotation(
            x=x, y=place, text=name, xanchor="left", xshift=away, showarrow=False, font={"size": 13, "color": colour}
        )
