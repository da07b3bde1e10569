"""The token map: tokens down, layers across, ink where an effect is.

One scale for sibling maps, zero is paper. Cells that were not computed hold a dot and no ink, or
the faint sketch of a preview under the dot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import cells, framed, heat, layers_across, ring, rows_down, scale_bar
from app.charts.palette import Palette
from app.charts.words import axis_labels, percent

ROW = 19
TOP, BOTTOM = 64, 52
BELOW = 0.005
"""How far below zero a value is worth a word."""


@dataclass(frozen=True)
class Note:
    """A note drawn in a map, with a line to its cell."""

    text: str
    layer: int
    token: int


def token_map(
    values: np.ndarray,
    labels: list[str],
    palette: Palette,
    *,
    top: float,
    stars: range | tuple[int, ...] = (),
    sketch: np.ndarray | None = None,
    selected: tuple[int, int] | None = None,
    notes: tuple[Note, ...] = (),
    hover: np.ndarray | None = None,
    top_label: str | None = None,
    title: str | None = None,
    wide_labels: bool = False,
    roles: Sequence[str] = (),
) -> go.Figure:
    """Figure of `values` (layers, rows), NaN where not computed; ink is full at `top`.

    `sketch` (layers, rows) in 0..1 is shown in cells not computed. `selected` is (layer, row).
    `roles`: in a chat, whose words the rows are. `hover` holds one text per cell. The scatter's customdata is
    [layer, row].
    """
    layers, rows = values.shape
    shown = np.where(np.isnan(values), np.nan if sketch is None else sketch * top, values).T
    figure = heat(
        np.clip(shown, 0, top), palette.sequential, 0, top, hoverinfo="skip",
        colorbar=scale_bar(palette, {0: none_or_less(values), top: top_label or percent(top)}, 0.46),
    )  # fmt: skip
    down, across = np.mgrid[0:rows, 0:layers]
    missing = np.isnan(values).T
    figure.add_scatter(
        x=across[missing],
        y=down[missing],
        mode="markers",
        marker={"symbol": "circle", "size": 2.5, "color": palette.ink, "opacity": 0.55},
        hoverinfo="skip",
    )
    cells(figure, palette, values.shape, hover, "layer %{x}")
    if selected is not None:
        ring(figure, palette, *selected)
    for note in notes:
        _note(figure, note, rows, layers, palette)
    layers_across(figure, palette, layers)
    limit = 26 if wide_labels else 14
    rows_down(figure, palette, axis_labels(labels, roles, palette, limit=limit, stars=stars))
    height = TOP + BOTTOM + ROW * max(rows, 4)
    return framed(figure, palette, height, right=12, top=TOP, bottom=BOTTOM, title=title, clickable=True)


def none_or_less(values: np.ndarray) -> str:
    """What paper means on a scale that begins at zero: cells below it, of half a point and more, are drawn as none."""
    return "none or less" if np.nanmin(values, initial=0.0) <= -BELOW else "none"


def _note(figure: go.Figure, note: Note, rows: int, layers: int, palette: Palette) -> None:
    """Below its cell where there is room, else above; towards the middle of the map."""
    below = note.token + 2 < rows
    figure.add_annotation(
        x=note.layer,
        y=note.token + (0.6 if below else -0.6),
        ax=26 if note.layer < layers / 2 else -44,
        ay=30 if below else -28,
        text=note.text,
        showarrow=True,
        arrowhead=0,
        arrowwidth=1,
        arrowcolor=palette.ink,
        font={"size": 13, "color": palette.ink},
        bgcolor=palette.paper,
        borderpad=1,
        opacity=0.92,
    )
