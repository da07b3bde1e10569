"""What became of facts written at one layer after another, with what a trace says of these layers behind it."""

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import HALVES, axes, framed, name_ends
from app.charts.palette import Palette
from app.charts.words import percent
from editors.layer_sweep.result import LayersResult

LINES = (("rewrite", "follows", 3), ("paraphrase", "in other words", 4), ("neighbour", "neighbours kept", 5))
"""Outcome, its name at the line's end, its seat among the categories."""


def layer_outcome(result: LayersResult, palette: Palette) -> go.Figure:
    """Share of prompts whose wanted answer is said (lines), and the trace's indirect effect (area), by layer."""
    figure = go.Figure()
    ends: list[tuple[float, str, str]] = []
    effect, _ = result.mean(result.effect)
    every = np.arange(len(effect))
    if not np.isnan(effect).all():
        figure.add_scatter(
            x=every, y=effect.clip(0), mode="lines", fill="tozeroy", line={"color": palette.under, "width": 1.5},
            opacity=0.9, fillcolor="rgba(90,120,170,0.16)",
            text=[f"trace, layer {at}: {percent(float(value))}" for at, value in zip(every, effect, strict=True)],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
        peak = int(np.nanargmax(effect))
        figure.add_annotation(
            x=peak, y=float(effect[peak]), text="what the trace finds", yshift=12, showarrow=False,
            font={"size": 13, "color": palette.under},
        )  # fmt: skip
    for kind, name, seat in LINES:
        shares, width = result.mean(result.greedy[kind])
        there = ~np.isnan(shares)
        if not there.any():
            continue
        colour = palette.over if kind == "rewrite" else palette.category[seat]
        places = np.array(result.layers)[there]
        figure.add_scatter(
            x=places, y=shares[there], mode="lines+markers", line={"color": colour, "width": 3}, marker={"size": 8},
            text=[
                f"{name}, layer {at}: {percent(float(share))} ± {percent(float(half))}"
                for at, share, half in zip(places, shares[there], width[there], strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
        ends.append((float(shares[there][-1]), name, colour))
    name_ends(figure, ends, x=len(effect) - 1, least=0.085)
    axes(figure, palette, across="layer")
    figure.update_yaxes(**HALVES)
    figure.update_xaxes(range=[-0.6, len(effect) - 0.6])
    return framed(figure, palette, 260, right=130, top=16)
