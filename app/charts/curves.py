"""Curves over layers with their 95 % intervals, named at the line's end; no legend, one axis."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.line_ends import name_ends
from app.charts.palette import Palette
from app.charts.words import percent

QUIET = 2
"""The palest seat: its line is read, its colour is too faint for words."""


@dataclass(frozen=True)
class Curve:
    """One line: values (layers,) and half widths of their intervals."""

    name: str
    values: np.ndarray
    half_width: np.ndarray
    seat: int
    """Seat of its colour in the palette's categories."""
    dash: str = "solid"


def layer_curves(curves: list[Curve], palette: Palette, *, top: float) -> go.Figure:
    """Effects over layers, 0 … `top`, as shares of probability."""
    figure = go.Figure()
    ends: list[tuple[float, str, str]] = []
    for curve in curves:
        layers = np.arange(len(curve.values))
        colour = palette.category[curve.seat]
        low, high = curve.values - curve.half_width, curve.values + curve.half_width
        figure.add_scatter(
            x=np.concatenate([layers, layers[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=colour,
            opacity=0.16,
            line={"width": 0},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=layers,
            y=curve.values,
            mode="lines",
            line={"color": colour, "width": 3, "dash": curve.dash},
            text=[
                f"{curve.name}, layer {at}: {percent(value)}" for at, value in zip(layers, curve.values, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )
        ends.append((float(curve.values[-1]), curve.name, palette.ink if curve.seat == QUIET else colour))
    name_ends(figure, ends, x=max((len(curve.values) for curve in curves), default=1) - 1, least=top / 14, away=8)
    ticks = np.linspace(0, top, 5)
    figure.update_yaxes(
        tickvals=ticks,
        ticktext=[percent(tick) if tick else "0" for tick in ticks],
        tickfont={"size": 12, "color": palette.ink},
        range=[min(0.0, *(float((c.values - c.half_width).min()) for c in curves)), top],
        gridcolor=palette.grid,
        zeroline=False,
        fixedrange=True,
    )
    figure.update_xaxes(
        range=[0, max((len(curve.values) for curve in curves), default=2) - 1],
        tickfont={"size": 12, "color": palette.ink},
        title={"text": "layer", "font": {"size": 12, "color": palette.ink}},
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    figure.update_layout(
        height=280,
        margin={"l": 8, "r": 130, "t": 12, "b": 44},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure
