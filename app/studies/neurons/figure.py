"""What layers add to an answer, and what is left of it with neurons switched off."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.neuron_attribution.result import Ablation, NeuronsResult
from app.charts.frame import axes, framed, name_ends, share_ticks
from app.charts.palette import Palette
from app.charts.words import axis_labels, percent, word


def layer_gains(result: NeuronsResult, palette: Palette) -> go.Figure:
    """Log-probability gained by attention (violet) and MLP (blue) of each layer."""
    layers = range(len(result.mlp_layer))
    figure = _pairs(
        [f"layer {layer}" for layer in layers],
        (("attention", result.attn_layer, 4), ("MLP", result.mlp_layer, 0)),
        palette,
    )
    axes(figure, palette, across="layer", up="log-probability")
    return figure


def gains_alt(result: NeuronsResult) -> str:
    """What the bars show, in a sentence."""
    return (
        f"What each layer adds to the log-probability of “{word(result.answer)}”: attention "
        f"{result.attn_layer.sum():+.2f} in all, most in layer {int(result.attn_layer.argmax())}; MLPs "
        f"{result.mlp_layer.sum():+.2f}, most in layer {int(result.mlp_layer.argmax())}."
    )


def token_bars(result: NeuronsResult, palette: Palette) -> go.Figure:
    """Log-probability each token adds, by both opinions."""
    words = [word(token) for token in result.tokens]
    figure = _pairs(
        [f"“{one}”" for one in words],
        (("replaced", result.tokens_ablated, 0), ("integrated gradients", result.tokens_integrated, 4)),
        palette,
    )
    axes(figure, palette, up="log-probability")
    figure.update_xaxes(tickvals=list(range(len(words))), ticktext=axis_labels(result.tokens, result.roles, palette))
    return figure


def _pairs(places: Sequence[str], pairs: Sequence[tuple[str, np.ndarray, int]], palette: Palette) -> go.Figure:
    """Two bars at every place: (name, values, seat of the colour) each."""
    figure = go.Figure()
    for name, values, seat in pairs:
        figure.add_bar(
            x=list(range(len(values))),
            y=values,
            marker={"color": palette.category[seat], "line": {"width": 0}},
            text=[f"{place}, {name}: {value:+.2f}" for place, value in zip(places, values, strict=True)],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25)
    return framed(figure, palette, 240)


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
    for name, values, colour in lines:
        figure.add_scatter(
            x=counts,
            y=values,
            mode="lines+markers",
            line={"width": 3, "color": colour},
            text=[f"{name}, {count} off: {percent(float(value))}" for count, value in zip(counts, values, strict=True)],
            hovertemplate="%{text}<extra></extra>",
        )
    ends = [(float(values[-1]), name, palette.ink) for name, values, _ in lines]
    name_ends(figure, ends, x=float(np.log10(counts[-1])), least=top / 12)
    axes(figure, palette, across=f"{one.role} neurons off")
    figure.update_xaxes(type="log", tickvals=counts, ticktext=[str(count) for count in counts], tickangle=0)
    figure.update_yaxes(range=[-0.08 * top, top * 1.05], **share_ticks(top))  # the last name and the last tick apart
    return framed(figure, palette, 280, right=84)


def ablation_alt(result: NeuronsResult, one: Ablation) -> str:
    """What the curves show, in a sentence."""
    control = f" with as many random ones of the same layers {percent(float(one.random[:, -1].mean()))}"
    return (
        f"Probability of “{word(result.answer)}”: {percent(result.probability)} at first; with the {one.counts[-1]} "
        f"strongest {one.role} neurons off {percent(float(one.probability[-1]))}{control if len(one.random) else ''}."
    )
