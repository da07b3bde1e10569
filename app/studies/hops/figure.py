"""Where the middle of a chain can be read, layer by layer, and what a cut of attention takes from the answer."""

import numpy as np
import plotly.graph_objects as go

from analysis.multihop.result import HopsResult
from app.charts.frame import axes, framed, name_ends, share_ticks
from app.charts.palette import Palette
from app.charts.words import percent, word


def recall_curves(result: HopsResult, palette: Palette, chain: int = 0) -> go.Figure:
    """Probability of bridge (blue) and answer (orange) through the lens over layers, for one chain; powers of ten."""
    one, shares = result.chains[chain], result.recall[chain] / np.log(10)
    lines = [
        (f"{one.bridge}, description", shares[0], 0, "solid"),
        (f"{one.bridge}, end", shares[1], 0, "dot"),
        (f"{one.answer}, end", shares[2], 1, "solid"),
    ]
    low = min(-3.0, float(np.floor(shares.min())))
    figure = go.Figure()
    layers = np.arange(shares.shape[1])
    for name, values, seat, dash in lines:
        figure.add_scatter(
            x=layers,
            y=values,
            mode="lines",
            line={"width": 3, "color": palette.category[seat], "dash": dash},
            text=[f"{name}, layer {at}: {percent(float(10**v))}" for at, v in zip(layers, values, strict=True)],
            hovertemplate="%{text}<extra></extra>",
        )
    ends = [(float(values[-1]), name, palette.category[seat]) for name, values, seat, _ in lines]
    name_ends(figure, ends, x=layers[-1], least=-low / 13)
    axes(figure, palette, across="layer")
    ticks = list(range(int(low), 1, 2 if low < -4 else 1))
    figure.update_yaxes(tickvals=ticks, ticktext=[_power(tick) for tick in ticks], range=[low, 0.2])
    figure.update_xaxes(range=[0, int(layers[-1])])
    return framed(figure, palette, 300, right=150)


def _power(tick: int) -> str:
    return f"{100 * 10.0**tick:g} %" if tick >= -4 else f"10<sup>{tick}</sup>"


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
        ends.append((float(values[~np.isnan(values)][-1]), name, palette.category[seat]))
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
    name_ends(figure, ends, x=result.cut_layers[-1], least=top / 13)
    axes(figure, palette, across=f"centre of {result.request.window} layers cut")
    figure.update_yaxes(range=[0, top * 1.06], **share_ticks(top))
    figure.update_xaxes(range=[result.cut_layers[0], result.cut_layers[-1]])
    return framed(figure, palette, 300, right=150)


def cut_alt(result: HopsResult, chain: int = 0) -> str:
    """What the cuts do, in a sentence."""
    worst = int(np.nanargmin(result.cut[chain, 1]))
    return (
        f"Probability of “{word(result.chains[chain].answer)}”: {percent(float(result.probability[chain, 2]))} uncut; "
        f"least, {percent(float(result.cut[chain, 1, worst]))}, with the last token cut from the description's end "
        f"around layer {result.cut_layers[worst]}."
    )
