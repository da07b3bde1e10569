"""The token map: tokens down, layers across, ink where an effect is.

One scale for sibling maps, zero is paper. Cells that were not computed hold a dot and no ink, or
the faint sketch of a preview under the dot. A transparent scatter on top makes cells clickable,
since a heatmap alone sends no click.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.words import percent, token_label

ROW = 19
TOP, BOTTOM = 64, 52


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
) -> go.Figure:
    """Figure of `values` (layers, rows), NaN where not computed; ink is full at `top`.

    `sketch` (layers, rows) in 0..1 is shown in cells not computed. `selected` is (layer, row).
    `hover` holds one text per cell. The scatter's customdata is [layer, row].
    """
    layers, rows = values.shape
    shown = np.where(np.isnan(values), np.nan if sketch is None else sketch * top, values).T
    figure = go.Figure(
        go.Heatmap(
            z=np.clip(shown, 0, top),
            zmin=0,
            zmax=top,
            xgap=1,
            ygap=1,
            hoverinfo="skip",
            colorscale=[list(stop) for stop in palette.sequential],
            colorbar=_bar(top, palette, top_label or percent(top)),
        )
    )
    down, across = np.mgrid[0:rows, 0:layers]
    missing = np.isnan(values).T
    figure.add_scatter(
        x=across[missing],
        y=down[missing],
        mode="markers",
        marker={"symbol": "circle", "size": 2.5, "color": palette.ink, "opacity": 0.55},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=across.ravel(),
        y=down.ravel(),
        mode="markers",
        marker={"symbol": "square", "size": 11, "opacity": 0, "color": palette.ink},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=np.stack([across.ravel(), down.ravel()], -1),
        text=None if hover is None else hover.T.ravel(),
        hovertemplate="%{text}<extra></extra>" if hover is not None else "layer %{x}<extra></extra>",
    )
    if selected is not None:
        _ring(figure, *selected, palette)
    for note in notes:
        _note(figure, note, rows, layers, palette)
    _axes(figure, labels, stars, layers, palette, 26 if wide_labels else 14)
    figure.update_layout(
        height=TOP + BOTTOM + ROW * max(rows, 4),
        margin={"l": 8, "r": 12, "t": TOP, "b": BOTTOM},
        showlegend=False,
        dragmode=False,
        clickmode="event+select",
        font={"family": palette.font, "size": 13, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"font": {"size": 13}},
        title=None if title is None else {"text": title, "font": {"size": 18}, "x": 0, "xref": "container"},
    )
    return figure


def _bar(top: float, palette: Palette, label: str) -> dict:
    return {
        "orientation": "h",
        "thickness": 6,
        "len": 0.46,
        "lenmode": "fraction",
        "x": 1,
        "xanchor": "right",
        "y": 1.0,
        "yanchor": "bottom",
        "ypad": 6,
        "outlinewidth": 0,
        "ticks": "",
        "tickvals": [0, top],
        "ticktext": ["none", label],
        "tickfont": {"size": 12, "color": palette.ink},
        "ticklabelposition": "outside bottom",
    }


def _ring(figure: go.Figure, layer: int, row: int, palette: Palette) -> None:
    figure.add_shape(
        type="rect",
        x0=layer - 0.62,
        x1=layer + 0.62,
        y0=row - 0.62,
        y1=row + 0.62,
        line={"color": palette.gold, "width": 3},
    )


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


def _axes(
    figure: go.Figure, labels: list[str], stars: range | tuple[int, ...], layers: int, palette: Palette, limit: int
) -> None:
    step = 5 if layers <= 40 else 10
    ticks = [tick for tick in range(0, layers, step) if layers - 1 - tick >= step * 0.4] + [layers - 1]
    tick = {"size": 13, "color": palette.ink}
    figure.update_xaxes(
        tickvals=ticks,
        ticktext=[str(tick) for tick in ticks],
        tickfont={"size": 12, "color": palette.ink},
        title={"text": "layer", "standoff": 6, "font": {"size": 12, "color": palette.ink}},
        showgrid=False,
        zeroline=False,
        range=[-0.6, layers - 0.4],
        fixedrange=True,
        tickangle=0,
    )
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=[("★ " if row in stars else "") + token_label(label, limit) for row, label in enumerate(labels)],
        tickfont=tick,
        showgrid=False,
        zeroline=False,
        range=[len(labels) - 0.4, -0.6],
        fixedrange=True,
        automargin=True,
        ticks="",
    )
