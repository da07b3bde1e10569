"""Heads in figures: the map of all of them, what one writes, who wins, and which road was cut.

Blue is memory, orange the page, as everywhere. Zero is the middle of the scale, limits are symmetric
and robust, so that one head does not bleach all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from analysis.conflict_result import ConflictResult, HeadsResult, KnockoutResult, Scores, head_name
from app.charts.palette import Palette
from app.charts.words import percent, token_label

ROW = 22
TOP, BOTTOM = 52, 52
NAMED = 4
CUT_TOP = 2.0
"""Where the scale of relative changes ends: a small probability can be multiplied many times over."""


def strength(scores: Scores, rank_by: str = "probability") -> np.ndarray:
    """(L, H), below zero for memory and above it for the page, as the scale has it."""
    return -scores.balance(rank_by)  # type: ignore[arg-type]


def limit(values: np.ndarray) -> float:
    """Where the scale ends: most heads are faint, and one is not to bleach the rest."""
    return float(max(np.percentile(np.abs(values), 99.3), 1e-9))


def head_map(
    scores: Scores,
    palette: Palette,
    *,
    rank_by: str = "probability",
    selected: tuple[int, int] | None = None,
    silenced: Sequence[tuple[int, int]] = (),
    title: str | None = None,
) -> go.Figure:
    """Layers across, heads down; ✕ marks silenced heads. The scatter's x and y are layer and head."""
    values = strength(scores, rank_by)
    layers, heads = values.shape
    top = limit(values)
    figure = go.Figure(
        go.Heatmap(
            z=np.clip(values, -top, top).T,
            zmin=-top,
            zmax=top,
            xgap=1,
            ygap=1,
            hoverinfo="skip",
            colorscale=[list(stop) for stop in palette.diverging],
            colorbar=_bar(top, palette),
        )
    )
    across, down = np.indices(values.shape).reshape(2, -1)
    figure.add_scatter(
        x=across,
        y=down,
        mode="markers",
        marker={"symbol": "square", "size": 14, "opacity": 0, "color": palette.ink},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        text=[_told(scores, (int(layer), int(head))) for layer, head in zip(across, down, strict=True)],
        hovertemplate="%{text}<extra></extra>",
    )
    if silenced:
        figure.add_scatter(
            x=[layer for layer, _ in silenced],
            y=[head for _, head in silenced],
            mode="text",
            text=["✕"] * len(silenced),
            textfont={"size": 14, "color": palette.paper},
            hoverinfo="skip",
        )
    if selected is not None:
        layer, head = selected
        figure.add_shape(
            type="rect", x0=layer - 0.6, x1=layer + 0.6, y0=head - 0.6, y1=head + 0.6,
            line={"color": palette.gold, "width": 3},
        )  # fmt: skip
    for (layer, head), (right, below) in _labels(values):
        figure.add_annotation(
            x=layer + right,
            y=head + below,
            text=head_name((layer, head)).replace(".", "·"),
            showarrow=False,
            font={"size": 12, "color": palette.ink},
            bgcolor=palette.paper,
            borderpad=1,
            opacity=0.9,
        )
    _axes(figure, layers, heads, palette)
    figure.update_layout(
        height=TOP + BOTTOM + ROW * max(heads, 4),
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


def _labels(values: np.ndarray) -> list[tuple[tuple[int, int], tuple[float, float]]]:
    """The strongest heads and where their names stand: below, above, left or right, where none of the others is."""
    heads = values.shape[1]
    order = np.argsort(-np.abs(values), axis=None)[:NAMED]
    strongest = [(int(index) // heads, int(index) % heads) for index in order]
    taken = {(float(layer), float(head)) for layer, head in strongest}
    found = []
    for layer, head in strongest:
        free = [
            (right, below)
            for right, below in ((0.0, 1.0), (0.0, -1.0), (-1.35, 0.0), (1.35, 0.0))
            if 0 <= head + below < heads
            and not any(
                abs(layer + right - x) < 1.3 and abs(head + below - y) < 0.9 for x, y in taken - {(layer, head)}
            )
        ]
        right, below = free[0] if free else (0.0, 1.0)
        taken.add((layer + right, head + below))
        found.append(((layer, head), (right, below)))
    return found


def _told(scores: Scores, head: tuple[int, int]) -> str:
    name = head_name(head).replace(".", "·")
    return f"head {name}: remembered answer {scores.memory[head]:+.0%}, page’s {scores.context[head]:+.0%} without it"


def _bar(top: float, palette: Palette) -> dict:
    return {
        "orientation": "h", "thickness": 6, "len": 0.5, "lenmode": "fraction", "x": 1, "xanchor": "right",
        "y": 1.0, "yanchor": "bottom", "ypad": 6, "outlinewidth": 0, "ticks": "",
        "tickvals": [-0.9 * top, 0.9 * top], "ticktext": ["memory", "page"],
        "tickfont": {"size": 12, "color": palette.ink}, "ticklabelposition": "outside bottom",
    }  # fmt: skip


def _axes(figure: go.Figure, layers: int, heads: int, palette: Palette) -> None:
    step = 5 if layers <= 40 else 10
    ticks = [tick for tick in range(0, layers, step) if layers - 1 - tick >= step * 0.4] + [layers - 1]
    font = {"size": 12, "color": palette.ink}
    figure.update_xaxes(
        tickvals=ticks, ticktext=[str(tick) for tick in ticks], tickfont=font, tickangle=0,
        title={"text": "layer", "standoff": 6, "font": font}, showgrid=False, zeroline=False,
        range=[-0.7, layers - 0.3], fixedrange=True,
    )  # fmt: skip
    every = 1 if heads <= 16 else 4
    figure.update_yaxes(
        tickvals=list(range(0, heads, every)), tickfont=font, title={"text": "head", "standoff": 4, "font": font},
        showgrid=False, zeroline=False, range=[heads - 0.3, -0.7], fixedrange=True, automargin=True, ticks="",
    )  # fmt: skip


def map_alt(scores: Scores, memory: Sequence[str], context: Sequence[str]) -> str:
    """What the map shows, in a sentence."""

    def named(heads: Sequence[str]) -> str:
        return ", ".join(heads[:NAMED]) or "none"

    layers, heads = scores.memory.shape
    return (
        f"Map of {layers} layers of {heads} heads. Strongest for memory: {named(memory)}; for the page: "
        f"{named(context)} (layer.head)."
    )


def writes_bars(
    words: Sequence[str], values: Sequence[float], palette: Palette, under: str = "", over: str = ""
) -> go.Figure:
    """What a head adds to words' logits; the remembered answer in undertext, the page's in overtext."""
    rows = list(range(len(words)))
    bare = [word.strip() for word in words]
    colours = [palette.under if w == under else palette.over if w == over else palette.quiet for w in bare]
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=rows,
            orientation="h",
            marker={"color": colours, "line": {"width": 0}},
            text=[f"{value:+.1f}" for value in values],
            textposition="outside",
            textfont={"size": 13, "color": palette.ink},
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_yaxes(
        tickvals=rows,
        ticktext=[f"<b>{token_label(w)}</b>" if w in (under, over) else token_label(w) for w in bare],
        tickfont={"size": 13, "color": palette.ink},
        range=[len(words) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
        automargin=True,
        ticks="",
    )
    low, high = min([*values, 0.0]), max([*values, 0.0])
    room = 0.25 * max(high - low, 1e-9)
    figure.update_xaxes(visible=False, range=[low - (room if low < 0 else 0), high + room], fixedrange=True)
    _plain(figure, 28 * len(words) + 12, palette)
    return figure


@dataclass(frozen=True)
class Shares:
    """One bar of who wins."""

    label: str
    memory: float
    context: float


def share_bars(rows: Sequence[Shares], palette: Palette) -> go.Figure:
    """Stacked shares of answers, from memory, others, from the page; the title of each bar stands above it."""
    figure = go.Figure()
    places = list(range(len(rows)))
    parts = (
        ([row.memory for row in rows], palette.under, palette.paper),
        ([1 - row.memory - row.context for row in rows], palette.quiet, None),
        ([row.context for row in rows], palette.over, palette.paper),
    )
    for values, colour, ink in parts:
        figure.add_bar(
            x=values,
            y=places,
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            text=[percent(value) if ink and value >= 0.08 else "" for value in values],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"size": 14, "color": ink or palette.ink},
            hoverinfo="skip",
        )
    for place, row in zip(places, rows, strict=True):
        figure.add_annotation(
            x=0,
            y=place,
            yshift=24,
            text=row.label,
            showarrow=False,
            xanchor="left",
            font={"size": 13, "color": palette.ink},
        )
    figure.update_yaxes(visible=False, range=[len(rows) - 0.5, -0.85], fixedrange=True)
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    figure.update_layout(barmode="stack", bargap=0.48)
    _plain(figure, 62 * len(rows) + 20, palette)
    return figure


def knockout_curves(result: KnockoutResult, cuts: Sequence[str], side: int, palette: Palette) -> go.Figure:
    """Relative change of one answer's probability over the centre of the window, with 95 % intervals."""
    figure = go.Figure()
    seats, dashes = (palette.under, palette.over, palette.ink), ("solid", "solid", "dot")
    ends = []
    for place, cut in enumerate(cuts):
        row = result.cuts.index(cut)
        values, half = result.change[row, :, side], np.nan_to_num(result.half_width[row, :, side])
        layers = np.arange(len(values))
        figure.add_scatter(
            x=np.concatenate([layers, layers[::-1]]), y=np.concatenate([values - half, (values + half)[::-1]]),
            fill="toself", fillcolor=seats[place], opacity=0.14, line={"width": 0}, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=layers,
            y=values,
            mode="lines",
            line={"color": seats[place], "width": 3, "dash": dashes[place]},
            text=[f"{cut}, layer {layer}: {value:+.0%}" for layer, value in zip(layers, values, strict=True)],
            hovertemplate="%{text}<extra></extra>",
        )
        ends.append((cut, seats[place], float(values[np.abs(values).argmax()]), int(np.abs(values).argmax())))
    low = float(np.min([result.change[result.cuts.index(cut), :, side].min() for cut in cuts]))
    high = float(np.max([result.change[result.cuts.index(cut), :, side].max() for cut in cuts]))
    bottom, top = min(1.2 * low, -0.1), min(max(1.2 * high, 0.15), CUT_TOP)
    for cut, colour, value, layer in ends:
        figure.add_annotation(
            x=layer, y=min(value, 0.93 * top), text=cut.removeprefix("last → "), showarrow=False,
            yshift=-12 if value < 0 else 12, font={"size": 13, "color": colour}, bgcolor=palette.paper, opacity=0.9,
        )  # fmt: skip
    font = {"size": 12, "color": palette.ink}
    figure.update_yaxes(
        tickformat="+.0%", tickfont=font, gridcolor=palette.grid, zeroline=True, zerolinecolor=palette.grid,
        range=[bottom, top], fixedrange=True,
    )  # fmt: skip
    figure.update_xaxes(
        tickfont=font, title={"text": "layer", "font": font}, showgrid=False, zeroline=False, fixedrange=True
    )
    _plain(figure, 300, palette)
    figure.update_layout(margin={"l": 8, "r": 12, "t": 12, "b": 44})
    return figure


def _plain(figure: go.Figure, height: int, palette: Palette) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 4, "b": 8},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )


def heads_thumbnail(result: HeadsResult | ConflictResult) -> list[list[float]]:
    """Rows of 0..1, heads down, layers across: how strongly a head takes sides."""
    values = np.abs(strength(result.scores, result.request.rank_by))
    return [[round(float(v), 3) for v in row] for row in np.clip(values / limit(values), 0, 1).T]


def knockout_thumbnail(result: KnockoutResult) -> list[list[float]]:
    """Rows of 0..1, cuts down, layers across: how much of the remembered answer is lost."""
    return [[round(float(v), 3) for v in row] for row in np.clip(-result.change[:3, :, 0], 0, 1)]
