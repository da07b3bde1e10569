"""The map of all heads, signed: layers across, heads down, zero is paper.

The strongest heads are named beside their cells, silenced ones crossed, the selected one ringed.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.internals.head_names import head_shown
from app.charts.frame import STILL, cells, framed, heat, layers_across, ring, scale_bar, small
from app.charts.palette import Palette

ROW, TOP, BOTTOM = 22, 52, 52
NAMED, FAINT = 4, 0.2
DARK = 0.5
"""Share of the scale beyond which a cell is too dark for ink on it."""

Head = tuple[int, int]


def head_map(
    values: np.ndarray,
    palette: Palette,
    *,
    limit: float,
    stops: dict[float, str],
    hover: np.ndarray | None = None,
    selected: Head | None = None,
    silenced: Sequence[Head] = (),
    title: str | None = None,
) -> go.Figure:
    """Figure of `values` (L, H), ink full at ±`limit`; `stops` are words under the scale.

    `hover` (L, H) holds one text a head. The scatter's x and y, and its customdata, are layer and head.
    """
    layers, heads = values.shape
    figure = heat(
        np.clip(values.T, -limit, limit), palette.diverging, -limit, limit, hoverinfo="skip",
        colorbar=scale_bar(palette, stops, 0.45),
    )  # fmt: skip
    cells(figure, palette, values.shape, hover, "layer %{x}, head %{y}")
    if silenced:
        dark = [abs(values[head]) > DARK * limit for head in silenced]
        figure.add_scatter(
            x=[layer for layer, _ in silenced],
            y=[head for _, head in silenced],
            mode="text",
            text=["✕"] * len(silenced),
            textfont={"size": 15, "color": [palette.paper if one else palette.ink for one in dark]},
            hoverinfo="skip",
        )
    if selected is not None:
        ring(figure, palette, *selected)
    for (layer, head), (right, below) in _names(values, FAINT * limit, silenced):
        figure.add_annotation(
            x=layer + right, y=head + below, text=head_shown((layer, head)), showarrow=False,
            font=small(palette), bgcolor=palette.paper, borderpad=1, opacity=0.92,
        )  # fmt: skip
    layers_across(figure, palette, layers)
    figure.update_yaxes(
        tickvals=list(range(0, heads, 1 if heads <= 16 else 4)), tickfont=small(palette), showgrid=False,
        title={"text": "head", "standoff": 6, "font": small(palette)}, range=[heads - 0.3, -0.7], ticks="",
        **STILL,
    )  # fmt: skip
    height = TOP + BOTTOM + ROW * max(heads, 4)
    return framed(figure, palette, height, right=12, top=TOP, bottom=BOTTOM, title=title, clickable=True)


def _names(values: np.ndarray, least: float, silenced: Sequence[Head]) -> list[tuple[Head, tuple[float, float]]]:
    """The strongest heads and where their names stand: below, above, left or right, where none of the others is."""
    heads = values.shape[1]
    strength = np.abs(np.nan_to_num(values))
    order = np.argsort(-strength, axis=None)[:NAMED]
    strongest = [(int(index) // heads, int(index) % heads) for index in order]
    strongest = [head for head in strongest if strength[head] > least and head not in silenced]
    taken = {(float(layer), float(head)) for layer, head in strongest}
    found = []
    for layer, head in strongest:
        free = [
            (right, below)
            for right, below in ((0.0, 1.0), (0.0, -1.0), (-1.35, 0.0), (1.35, 0.0))
            if 0 <= head + below < heads
            and not any(
                abs(layer + right - x) < 1.3 and abs(head + below - y) < 0.9 for x, y in taken - {(layer, head)}
            )
        ]
        right, below = free[0] if free else (0.0, 1.0)
        taken.add((layer + right, head + below))
        found.append(((layer, head), (right, below)))
    return found
