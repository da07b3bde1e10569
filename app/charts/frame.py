"""What every figure stands on: ground and type, axes that do not zoom, layers and rows, cells to click, names at ends.

A heatmap sends no click, so `cells` lays points over it that nobody sees.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.words import THIN, percent

STILL: dict[str, Any] = {"zeroline": False, "fixedrange": True, "automargin": True}
HALVES: dict[str, Any] = {
    "range": [-0.03, 1.05],
    "tickvals": [0, 0.5, 1],
    "ticktext": ["0", f"50{THIN}%", f"100{THIN}%"],
}
"""An axis of shares."""
ROUND = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
"""Steps between the ticks of a share."""


def framed(
    figure: go.Figure,
    palette: Palette,
    height: int,
    *,
    right: int = 8,
    top: int = 12,
    bottom: int = 44,
    title: str | None = None,
    clickable: bool = False,
) -> go.Figure:
    """Size, margins in pixels, the page's type on the page's own ground."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": right, "t": top, "b": bottom},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "size": 13, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"font": {"size": 13}},
        title=None if title is None else {"text": title, "font": {"size": 18}, "x": 0, "xref": "container"},
    )
    if clickable:
        figure.update_layout(clickmode="event+select")
    return figure


def small(palette: Palette) -> dict[str, Any]:
    """Type of ticks and of axis titles."""
    return {"size": 12, "color": palette.ink}


def axes(figure: go.Figure, palette: Palette, *, across: str | None = None, up: str | None = None) -> None:
    """Quiet axes of curves and bars, lines for heights only; `across` and `up` are their titles."""
    figure.update_yaxes(tickfont=small(palette), gridcolor=palette.grid, **STILL)
    figure.update_xaxes(tickfont=small(palette), showgrid=False, **STILL)
    for update, text in ((figure.update_xaxes, across), (figure.update_yaxes, up)):
        if text:
            update(title={"text": text, "font": small(palette)})


def layer_ticks(layers: int) -> list[int]:
    """Every fifth or tenth layer and the last, none so near it that the numbers touch."""
    step = 5 if layers <= 40 else 10
    return [tick for tick in range(0, layers, step) if layers - 1 - tick >= step * 0.4] + [layers - 1]


def layers_across(figure: go.Figure, palette: Palette, layers: int) -> None:
    """The axis of layers of a map."""
    ticks = layer_ticks(layers)
    figure.update_xaxes(
        tickvals=ticks, ticktext=[str(tick) for tick in ticks], tickfont=small(palette), tickangle=0, showgrid=False,
        title={"text": "layer", "standoff": 6, "font": small(palette)}, range=[-0.7, layers - 0.3], **STILL,
    )  # fmt: skip


def rows_down(figure: go.Figure, palette: Palette, labels: Sequence[str], *, size: int = 13) -> None:
    """Labelled rows from the top."""
    figure.update_yaxes(
        tickvals=list(range(len(labels))), ticktext=list(labels), tickfont={"size": size, "color": palette.ink},
        range=[len(labels) - 0.4, -0.6], showgrid=False, ticks="", **STILL,
    )  # fmt: skip


def cells(figure: go.Figure, palette: Palette, shape: tuple[int, int], hover: np.ndarray | None, blank: str) -> None:
    """Points over all cells (layers, rows): customdata is [layer, row], `hover` one text a cell, else `blank`."""
    across, down = np.indices(shape).reshape(2, -1)
    figure.add_scatter(
        x=across,
        y=down,
        mode="markers",
        marker={"symbol": "square", "size": 13, "opacity": 0, "color": palette.ink},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=np.stack([across, down], -1),
        text=None if hover is None else hover.ravel(),
        hovertemplate=f"{blank if hover is None else '%{text}'}<extra></extra>",
    )


def ring(figure: go.Figure, palette: Palette, layer: int, row: int) -> None:
    """A gold frame around a cell."""
    figure.add_shape(
        type="rect", x0=layer - 0.62, x1=layer + 0.62, y0=row - 0.62, y1=row + 0.62,
        line={"color": palette.gold, "width": 3},
    )  # fmt: skip


def scale_bar(palette: Palette, stops: dict[float, str], length: float) -> dict[str, Any]:
    """The scale over the right end of a map, with words at its `stops`."""
    return {
        "orientation": "h", "thickness": 6, "len": length, "lenmode": "fraction", "x": 1, "xanchor": "right",
        "y": 1.0, "yanchor": "bottom", "ypad": 6, "outlinewidth": 0, "ticks": "",
        "tickvals": list(stops), "ticktext": list(stops.values()), "tickfont": small(palette),
        "ticklabelposition": "outside bottom",
    }  # fmt: skip


def heat(values: np.ndarray, colours: Sequence[tuple[float, str]], low: float, high: float, **more: Any) -> go.Figure:
    """A map of `values` (rows, columns) in one scale of colours, its cells a pixel apart."""
    scale = [list(stop) for stop in colours]
    return go.Figure(go.Heatmap(z=values, zmin=low, zmax=high, xgap=1, ygap=1, colorscale=scale, **more))


def band(figure: go.Figure, values: np.ndarray, half_width: np.ndarray, colour: str) -> None:
    """The 95 % interval around a line over layers."""
    layers = np.arange(len(values))
    figure.add_scatter(
        x=np.concatenate([layers, layers[::-1]]),
        y=np.concatenate([values + half_width, (values - half_width)[::-1]]),
        fill="toself", fillcolor=colour, opacity=0.16, line={"width": 0}, hoverinfo="skip",
    )  # fmt: skip


def name_ends(figure: go.Figure, ends: Sequence[tuple[float, str, str]], *, x: float, least: float) -> None:
    """Write each (height, name, colour) behind `x`, at least `least` of the axis apart: no legend to look up."""
    last = -np.inf
    for height, name, colour in sorted(ends):
        last = max(height, last + least)
        figure.add_annotation(
            x=x, y=last, text=name, xanchor="left", xshift=8, showarrow=False, font={"size": 13, "color": colour}
        )


def share_ticks(top: float) -> dict[str, Any]:
    """Three to six round ticks from nothing to `top`, a share of probability."""
    step = next((step for step in ROUND if top / step <= 5), ROUND[-1])
    ticks = np.arange(0, top + 1e-9, step)
    return {"tickvals": ticks, "ticktext": [percent(tick) if tick else "0" for tick in ticks]}


def thumbnail_of(values: np.ndarray, top: float | None = None) -> list[list[float]]:
    """`values` (rows, columns) as shares of `top`, else of the largest; NaN is none: for plates and the rail."""
    top = top or max(float(np.nanmax(values, initial=0.0)), 1e-9)
    return [[round(float(value), 3) for value in row] for row in np.clip(np.nan_to_num(values) / top, 0, 1)]


def intervals(
    values: Sequence[float] | np.ndarray, halves: Sequence[float] | np.ndarray, *, shares: bool = True
) -> dict[str, Any]:
    """Bars of intervals about values; those of shares end where shares do."""
    found, reach = np.asarray(values, dtype=float), np.asarray(halves, dtype=float)
    up, down = (np.minimum(reach, np.maximum(room, 0)) if shares else reach for room in (1 - found, found))
    return {"type": "data", "symmetric": False, "array": up.tolist(), "arrayminus": down.tolist()}
