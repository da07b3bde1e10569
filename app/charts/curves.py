"""Curves over layers with their 95 % intervals, named at the line's end; no legend, one axis."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import axes, band, framed, name_ends, share_ticks
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
        band(figure, curve.values, curve.half_width, colour)
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
    last = max((len(curve.values) for curve in curves), default=2) - 1
    name_ends(figure, ends, x=last, least=top / 14)
    axes(figure, palette, across="layer")
    least = min(0.0, *(float((curve.values - curve.half_width).min()) for curve in curves))
    figure.update_yaxes(range=[least, top], **share_ticks(top))
    figure.update_xaxes(range=[0, last])
    return framed(figure, palette, 280, right=130)
