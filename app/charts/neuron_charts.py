"""What layers add to an answer, and what is left of it with neurons switched off."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.neurons_result import Ablation, NeuronsResult
from app.charts.palette import Palette
from app.charts.words import percent, word


def layer_gains(result: NeuronsResult, palette: Palette) -> go.Figure:
    """Log-probability gained by attention (violet) and MLP (blue) of each layer."""
    layers = np.arange(len(result.ffn_layer))
    figure = go.Figure()
    for name, values, seat in (("attention", result.attn_layer, 4), ("MLP", result.ffn_layer, 0)):
        figure.add_bar(
            x=layers,
            y=values,
            marker={"color": palette.category[seat], "line": {"width": 0}},
            text=[f"{name} of layer {at}: {value:+.2f}" for at, value in zip(layers, values, strict=True)],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    _plain(figure, palette, height=240)
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(title={"text": "layer", "font": {"size": 12, "color": palette.ink}})
    figure.update_yaxes(title={"text": "log-probability", "font": {"size": 12, "color": palette.ink}})
    return figure


def gains_alt(result: NeuronsResult) -> str:
    """What the bars show, in a sentence."""
    return (
        f"What each layer adds to the log-probability of “{word(result.answer)}”: attention "
        f"{result.attn_layer.sum():+.2f} in all, most in layer {int(result.attn_layer.argmax())}; MLPs "
        f"{result.ffn_layer.sum():+.2f}, most in layer {int(result.ffn_layer.argmax())}."
    )


def token_bars(result: NeuronsResult, palette: Palette) -> go.Figure:
    """Log-probability each token adds, by both opinions."""
    places = np.arange(len(result.tokens))
    figure = go.Figure()
    for name, values, seat in (
        ("replaced", result.tokens_ablated, 0),
        ("integrated gradients", result.tokens_integrated, 4),
    ):
        words = [word(token) for token in result.tokens]
        figure.add_bar(
            x=places,
            y=values,
            marker={"color": palette.category[seat], "line": {"width": 0}},
            text=[f"“{token}”, {name}: {value:+.2f}" for token, value in zip(words, values, strict=True)],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    _plain(figure, palette, height=240)
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(tickvals=places, ticktext=[word(token) for token in result.tokens])
    figure.update_yaxes(title={"text": "log-probability", "font": {"size": 12, "color": palette.ink}})
    return figure


def tokens_alt(result: NeuronsResult) -> str:
    """What the bars show, in a sentence."""
    most = [int(values.argmax()) for values in (result.tokens_ablated, result.tokens_integrated)]
    return (
        f"What each token adds to the log-probability of “{word(result.answer)}”: most by replacement "
        f"“{word(result.tokens[most[0]])}” ({result.tokens_ablated.max():+.2f}), most by integrated gradients "
        f"“{word(result.tokens[most[1]])}” ({result.tokens_integrated.max():+.2f})."
    )


def ablation_curves(result: NeuronsResult, one: Ablation, palette: Palette) -> go.Figure:
    """P(answer) with more and more neurons off; each random draw a thin line, their mean a thick one."""
    figure = go.Figure()
    counts = one.counts
    for row in one.random:
        figure.add_scatter(x=counts, y=row, mode="lines", line={"width": 1, "color": palette.quiet}, hoverinfo="skip")
    lines: list[tuple[str, np.ndarray, str]] = [("strongest", one.probability, palette.over)]
    if len(one.random):
        lines.append(("random", one.random.mean(0), palette.quiet))
    top = max(float(one.probability.max()), result.probability, float(one.random.max()) if len(one.random) else 0.0)
    ends = sorted((float(values[-1]), name) for name, values, _ in lines)
    places = {name: max(end, ends[0][0] + number * top / 12) for number, (end, name) in enumerate(ends)}
    for name, values, colour in lines:
        figure.add_scatter(
            x=counts,
            y=values,
            mode="lines+markers",
            line={"width": 3, "color": colour},
            text=[f"{name}, {count} off: {percent(float(value))}" for count, value in zip(counts, values, strict=True)],
            hovertemplate="%{text}<extra></extra>",
        )
        figure.add_annotation(
            x=float(np.log10(counts[-1])), y=places[name], text=name, xanchor="left", xshift=8, showarrow=False,
            font={"size": 13, "color": palette.ink},
        )  # fmt: skip
    _plain(figure, palette, height=280)
    figure.update_layout(margin={"l": 8, "r": 84, "t": 12, "b": 44})
    figure.update_xaxes(
        type="log", tickvals=counts, ticktext=[str(count) for count in counts],
        tickangle=0,
        title={"text": f"{one.role} neurons off", "font": {"size": 12, "color": palette.ink}},
    )  # fmt: skip
    ticks = np.linspace(0, top, 5)
    figure.update_yaxes(
        tickvals=ticks, ticktext=[percent(tick) if tick else "0" for tick in ticks], range=[0, top * 1.05]
    )
    return figure


def ablation_alt(result: NeuronsResult, one: Ablation) -> str:
    """What the curves show, in a sentence."""
    control = f" with as many random ones of the same layers {percent(float(one.random[:, -1].mean()))}"
    return (
        f"Probability of “{word(result.answer)}”: {percent(result.probability)} at first; with the {one.counts[-1]} "
        f"strongest {one.role} neurons off {percent(float(one.probability[-1]))}{control if len(one.random) else ''}."
    )


def _plain(figure: go.Figure, palette: Palette, **layout: Any) -> None:
    figure.update_yaxes(
        tickfont={"size": 12, "color": palette.ink}, gridcolor=palette.grid, zeroline=False, fixedrange=True
    )
    figure.update_xaxes(tickfont={"size": 12, "color": palette.ink}, showgrid=False, zeroline=False, fixedrange=True)
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 12, "b": 44},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        **layout,
    )
