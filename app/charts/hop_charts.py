"""Where the middle of a chain can be read, layer by layer, and what a cut of attention takes from the answer."""

import numpy as np
import plotly.graph_objects as go

from analysis.hops_result import HopsResult
from app.charts.curves import Curve, layer_curves
from app.charts.palette import Palette
from app.charts.words import percent, word


def recall_curves(result: HopsResult, palette: Palette, chain: int = 0) -> go.Figure:
    """Probability of bridge (blue) and answer (orange) through the lens over layers, for one chain."""
    one, shares = result.chains[chain], np.exp(result.recall[chain])
    nothing = np.zeros(shares.shape[1])
    curves = [
        Curve(f"{one.bridge}, at the description", shares[0], nothing, 0),
        Curve(f"{one.bridge}, at the end", shares[1], nothing, 0, "dot"),
        Curve(f"{one.answer}, at the end", shares[2], nothing, 1),
    ]
    figure = layer_curves(curves, palette, top=max(0.05, float(shares.max()) * 1.05))
    figure.update_layout(margin={"r": 190})
    return figure


def recall_alt(result: HopsResult, chain: int = 0) -> str:
    """What the curves show, in a sentence."""
    one, shares = result.chains[chain], np.exp(result.recall[chain])
    return (
        f"“{one.whole()}”: “{one.bridge}” is read best at layer {int(shares[0].argmax())} of the description's end "
        f"({percent(float(shares[0].max()))}); “{one.answer}” at the last layer of the end with "
        f"{percent(float(shares[2][-1]))}."
    )


def cut_curves(result: HopsResult, palette: Palette, chain: int = 0) -> go.Figure:
    """P(answer) with the last token cut from the subject, and from the description's end, by the window's centre."""
    uncut = float(result.probability[chain, 2])
    figure = go.Figure()
    ends = []
    for row, (name, seat) in enumerate((("subject cut", 4), ("description’s end cut", 0))):
        values = result.cut[chain, row]
        ends.append((float(values[-1]), name, palette.category[seat]))
        figure.add_scatter(
            x=result.cut_layers,
            y=values,
            mode="lines",
            line={"width": 3, "color": palette.category[seat]},
            text=[
                f"{name}, around layer {at}: {percent(float(v))}"
                for at, v in zip(result.cut_layers, values, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.add_hline(y=uncut, line={"width": 1, "dash": "dot", "color": palette.ink})
    top = max(float(np.nanmax(result.cut[chain])), uncut) * 1.08
    apart = top / 14
    low, high = sorted(ends)
    places = (low[0], max(high[0], low[0] + apart))
    for (_, name, colour), place in zip((low, high), places, strict=True):
        figure.add_annotation(
            x=result.cut_layers[-1], y=place, text=name, xanchor="left", xshift=8, showarrow=False,
            font={"size": 13, "color": colour},
        )  # fmt: skip
    ticks = np.linspace(0, top, 5)
    figure.update_yaxes(
        tickvals=ticks, ticktext=[percent(tick) if tick else "0" for tick in ticks], range=[0, top],
        tickfont={"size": 12, "color": palette.ink}, gridcolor=palette.grid, zeroline=False, fixedrange=True,
    )  # fmt: skip
    figure.update_xaxes(
        tickfont={"size": 12, "color": palette.ink}, showgrid=False, zeroline=False, fixedrange=True,
        title={"text": f"centre of {result.request.window} layers cut", "font": {"size": 12, "color": palette.ink}},
    )  # fmt: skip
    figure.update_layout(
        height=300,
        margin={"l": 8, "r": 150, "t": 12, "b": 44},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def cut_alt(result: HopsResult, chain: int = 0) -> str:
    """What the cuts do, in a sentence."""
    worst = int(np.nanargmin(result.cut[chain, 1]))
    return (
        f"Probability of “{word(result.chains[chain].answer)}”: {percent(float(result.probability[chain, 2]))} uncut; "
        f"least, {percent(float(result.cut[chain, 1, worst]))}, with the last token cut from the description's end "
        f"around layer {result.cut_layers[worst]}."
    )
