"""Attention drift in figures: heads that turned to the subject, one head's attention, and what experiments bring back.

Orange is more attention with the edits, blue less.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.internals.head_names import head_name
from app.charts.frame import HALVES, STILL, axes, framed, heat, name_ends, rows_down, small, thumbnail_of
from app.charts.head_map import Head, head_map
from app.charts.palette import Palette
from app.charts.token_map import token_map
from app.charts.words import axis_labels, percent, signed, token_label, word
from editors.attention_drift.result import DriftResult, DriftsResult

GRID_TITLES = {
    "heads": "One head set back",
    "layers": "Attention of some layers set back",
    "mlp": "MLP outputs of the edited model",
    "attn": "Attention outputs of the edited model",
}


def drift_map(
    result: DriftResult,
    palette: Palette,
    *,
    selected: Head | None = None,
    crossed: Sequence[Head] = (),
    top: float | None = None,
    title: str | None = None,
) -> go.Figure:
    """Drift of every head of one prompt."""
    before, after = (run[:, :, -1, result.key] for run in (result.before, result.after))
    hover = np.empty(before.shape, dtype=object)
    for place in np.ndindex(before.shape):
        hover[place] = (
            f"layer {place[0]}, head {place[1]}<br>looks at “{token_label(result.tokens[result.key])}” with "
            f"{percent(float(before[place]))} before, {percent(float(after[place]))} after"
        )
    return _turned(result.drift, palette, top, hover=hover, selected=selected, silenced=crossed, title=title)


def mean_drift_map(result: DriftsResult, task: str | None, palette: Palette, *, top: float | None = None) -> go.Figure:
    """Mean drift of every head over the prompts of a task."""
    return _turned(result.mean(task), palette, top)


def _turned(values: np.ndarray, palette: Palette, top: float | None, **more: Any) -> go.Figure:
    limit = top or max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-6)
    stops = {-0.72 * limit: f"less {percent(limit)}", 0.0: "0", 0.72 * limit: f"more {percent(limit)}"}
    return head_map(values, palette, limit=limit, stops=stops, **more)


def drift_alt(result: DriftResult) -> str:
    """What the drift map shows, in a sentence."""
    layers, heads = result.drift.shape
    most = ", ".join(f"{head_name(head)} {signed(float(result.drift[head]))}" for head in result.strongest(3))
    return (
        f"Attention drift of {layers} layers × {heads} heads on “{result.request.prompt}”, from the last token to "
        f"“{word(result.tokens[result.key])}”. {f'Most: {most}.' if most else 'No head turned to it.'}"
    )


def row_bars(result: DriftResult, layer: int, head: int, palette: Palette) -> go.Figure:
    """Where a head looks from the last token: before dotted in blue, after in orange, a pair of bars a token."""
    before, after = result.before[layer, head, -1], result.after[layer, head, -1]
    rows = list(range(len(result.tokens)))
    figure = go.Figure()
    for name, values, colour in (("before", before, palette.under), ("after", after, palette.over)):
        figure.add_bar(
            x=values,
            y=rows,
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            text=[percent(float(value)) if value >= 0.05 else "" for value in values],
            textposition="outside",
            textfont={"size": 12, "color": palette.ink},
            constraintext="none",
            cliponaxis=False,
            hovertext=[
                f"“{token_label(result.tokens[row])}”: {name} {percent(float(values[row]))}, difference "
                f"{signed(float(after[row] - before[row]))}"
                for row in rows
            ],
            hoverinfo="text",
        )
    rows_down(figure, palette, axis_labels(result.tokens, result.roles, palette, stars=range(*result.subject)))
    limit = max(float(before.max()), float(after.max()), 1e-6)
    figure.update_xaxes(visible=False, range=[0, limit * 1.25], fixedrange=True)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.0)
    return framed(figure, palette, 24 * len(rows) + 20, right=12, top=8, bottom=8)


def pattern_map(result: DriftResult, layer: int, head: int, which: str, palette: Palette) -> go.Figure:
    """One head's whole pattern, queries down, keys across; `which` is before, after or difference."""
    before, after = result.before[layer, head], result.after[layer, head]
    values = {"before": before, "after": after, "difference": after - before}[which]
    size = len(result.tokens)
    seen = np.where(np.tri(size, dtype=bool), values, np.nan)
    signed_ = which == "difference"
    limit = max(float(np.abs(after - before).max()), 1e-6) if signed_ else 1.0
    labels = axis_labels(result.tokens, result.roles, palette, limit=9, stars=range(*result.subject))
    hover = np.empty(values.shape, dtype=object)
    for query, key in np.ndindex(values.shape):
        number = signed(float(values[query, key])) if signed_ else percent(float(values[query, key]))
        hover[query, key] = f"“{token_label(result.tokens[query])}” → “{token_label(result.tokens[key])}”: {number}"
    figure = heat(
        seen, palette.diverging if signed_ else palette.sequential, -limit if signed_ else 0, limit, showscale=False,
        text=hover, hovertemplate="%{text}<extra></extra>", hoverongaps=False,
    )  # fmt: skip
    rows_down(figure, palette, labels, size=12)
    figure.update_xaxes(
        tickvals=list(range(size)), ticktext=labels, tickfont=small(palette), tickangle=90, showgrid=False,
        ticks="", **STILL,
    )  # fmt: skip
    return framed(figure, palette, 18 * max(size, 6) + 90, top=8, bottom=70)


def substitution_map(
    result: DriftResult, kind: str, palette: Palette, *, top: float, title: str | None = None
) -> go.Figure:
    """Probability the answer loses when the edited run's outputs stand at one token (mlp, attn)."""
    base = float(result.said.answer[0])
    lost = base - result.grids[kind][0]
    hover = np.empty(lost.shape, dtype=object)
    for layer, token in np.ndindex(lost.shape):
        hover[layer, token] = (
            f"“{token_label(result.tokens[token])}”, layer {layer}: “{token_label(result.answer)}” "
            f"{percent(float(result.grids[kind][0, layer, token]))} of {percent(base)}, “{token_label(result.edited)}” "
            f"{percent(float(result.grids[kind][1, layer, token]))}"
        )
    return token_map(
        lost, result.tokens, palette, top=top, stars=range(*result.subject), hover=hover, title=title,
        top_label=percent(top), roles=result.roles,
    )  # fmt: skip


def substitution_top(result: DriftResult) -> float:
    """Top of the scale both substitution maps share."""
    lost = [
        float(np.nanmax(result.said.answer[0] - result.grids[k][0], initial=0.0))
        for k in ("mlp", "attn")
        if k in result.grids
    ]
    return max([*lost, 0.01])


def window_curve(result: DriftResult, palette: Palette) -> go.Figure:
    """Probability of both answers when attention of a window of layers is set back, over the window's centre."""
    figure = go.Figure()
    grid = result.grids["layers"]
    names = (word(result.answer), word(result.edited))
    said_ = (result.said.answer, result.said.edited)
    pairs = list(zip(names, (palette.under, palette.over), grid, said_, strict=True))
    for name, colour, values, said in pairs:
        figure.add_scatter(
            x=np.arange(len(values)), y=values, mode="lines", line={"color": colour, "width": 3},
            text=[f"layer {at}: {name} {percent(float(value))}" for at, value in enumerate(values)],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[0, len(values) - 1], y=[float(said[1])] * 2, mode="lines", hoverinfo="skip",
            line={"color": colour, "width": 1.5, "dash": "dot"},
        )  # fmt: skip
    size = grid.shape[1]
    ends = [
        (float(values[-1]) if values[-1] == values[-1] else float(said[1]), token_label(name), colour)
        for name, colour, values, said in pairs
    ]
    name_ends(figure, ends, x=size - 1, least=0.08)
    axes(figure, palette, across=f"middle of {result.window['layers']} layers")
    figure.update_yaxes(**HALVES)
    return framed(figure, palette, 280, right=90, top=16)


def correlation_plot(result: DriftsResult, palette: Palette) -> go.Figure:
    """A dot a prompt: drift of its largest head against the probability its right answer lost."""
    figure = go.Figure()
    for task, symbol, colour in (("relation", "circle", palette.over), ("distracting", "diamond-open", palette.ink)):
        own = result.of(task)
        if own.any():
            figure.add_scatter(
                x=result.factor[own], y=result.lost[own], mode="markers",
                marker={"symbol": symbol, "size": 9, "color": colour, "opacity": 0.75},
                text=[token_label(prompt, 90) for prompt, chosen in zip(result.prompt, own, strict=True) if chosen],
                hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    axes(figure, palette, across="drift of the largest head, points", up="probability lost")
    figure.update_xaxes(tickformat=".0%", zeroline=True, zerolinecolor=palette.grid)
    figure.update_yaxes(tickformat=".0%", zeroline=True, zerolinecolor=palette.grid)
    return framed(figure, palette, 320, right=16, top=16)


def drift_thumbnail(drift: np.ndarray) -> list[list[float]]:
    """Rows of 0..1, heads down, layers across: for the rail."""
    return thumbnail_of(drift.T)
