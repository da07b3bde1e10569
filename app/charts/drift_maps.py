"""Attention drift in figures: heads that turned to the subject, one head's attention, and what experiments bring back.

Zero is paper. Orange is more attention with the edits, blue less; the four strongest heads are named, silenced ones
crossed, the selected one ringed.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.token_map import token_map
from app.charts.words import percent, signed, token_label, word
from editors.drift_result import DriftResult, DriftsResult

HEAD_ROW, NAMED = 22, 4
GRID_TITLES = {
    "heads": "One head set back",
    "layers": "Attention of some layers set back",
    "mlp": "MLP outputs of the edited model",
    "attn": "Attention outputs of the edited model",
}


def head_map(
    values: np.ndarray,
    palette: Palette,
    *,
    words: tuple[str, str] = ("less", "more"),
    hover: np.ndarray | None = None,
    selected: tuple[int, int] | None = None,
    crossed: Sequence[tuple[int, int]] = (),
    top: float | None = None,
    title: str | None = None,
) -> go.Figure:
    """Figure of `values` (L, H), signed: layers across, heads down; the scatter's customdata is [layer, head]."""
    layers, heads = values.shape
    limit = top or max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-6)
    down, across = np.mgrid[0:heads, 0:layers]
    figure = go.Figure(
        go.Heatmap(
            z=np.clip(values.T, -limit, limit),
            zmin=-limit,
            zmax=limit,
            xgap=1,
            ygap=1,
            hoverinfo="skip",
            colorscale=[list(stop) for stop in palette.diverging],
            colorbar={
                "orientation": "h", "thickness": 6, "len": 0.4, "lenmode": "fraction", "x": 1, "xanchor": "right",
                "y": 1.0, "yanchor": "bottom", "ypad": 6, "outlinewidth": 0, "ticks": "",
                "tickvals": [-limit, 0, limit],
                "ticktext": [f"{words[0]} {percent(limit)}", "0", f"{words[1]} {percent(limit)}"],
                "tickfont": {"size": 12, "color": palette.ink}, "ticklabelposition": "outside bottom",
            },
        )
    )  # fmt: skip
    figure.add_scatter(
        x=across.ravel(),
        y=down.ravel(),
        mode="markers",
        marker={"symbol": "square", "size": 13, "opacity": 0, "color": palette.ink},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=np.stack([across.ravel(), down.ravel()], -1),
        text=None if hover is None else hover.T.ravel(),
        hovertemplate="%{text}<extra></extra>" if hover is not None else "layer %{x}, head %{y}<extra></extra>",
    )
    if crossed:
        figure.add_scatter(
            x=[layer for layer, _ in crossed],
            y=[head for _, head in crossed],
            mode="text",
            text=["✕"] * len(crossed),
            textfont={"size": 15, "color": palette.ink},
            hoverinfo="skip",
        )
    if selected is not None:
        layer, head = selected
        figure.add_shape(
            type="rect", x0=layer - 0.55, x1=layer + 0.55, y0=head - 0.55, y1=head + 0.55,
            line={"color": palette.gold, "width": 3},
        )  # fmt: skip
    strength = np.abs(np.nan_to_num(values))
    for flat in np.argsort(strength, axis=None)[::-1][:NAMED]:
        layer, head = divmod(int(flat), heads)
        if strength[layer, head] > 0.2 * limit and (layer, head) not in crossed:
            figure.add_annotation(
                x=layer, y=head, text=f"{layer}·{head}", showarrow=False, yshift=-17 if head < heads - 1 else 17,
                font={"size": 12, "color": palette.ink}, bgcolor=palette.paper, borderpad=1, opacity=0.92,
            )  # fmt: skip
    step = 5 if layers <= 40 else 10
    ticks = [tick for tick in range(0, layers, step) if layers - 1 - tick >= step * 0.4] + [layers - 1]
    ink = {"size": 12, "color": palette.ink}
    figure.update_xaxes(
        tickvals=ticks, ticktext=[str(tick) for tick in ticks], tickfont=ink, showgrid=False, zeroline=False,
        title={"text": "layer", "standoff": 6, "font": ink}, range=[-0.6, layers - 0.4], fixedrange=True, tickangle=0,
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(heads)), ticktext=[str(head) for head in range(heads)], tickfont=ink, showgrid=False,
        zeroline=False, title={"text": "head", "standoff": 6, "font": ink}, range=[heads - 0.4, -0.6], fixedrange=True,
        ticks="", automargin=True,
    )  # fmt: skip
    _dress(figure, palette, HEAD_ROW * max(heads, 4) + 116, title)
    return figure


def drift_map(
    result: DriftResult,
    palette: Palette,
    *,
    selected: tuple[int, int] | None = None,
    crossed: Sequence[tuple[int, int]] = (),
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
    return head_map(result.drift, palette, hover=hover, selected=selected, crossed=crossed, top=top, title=title)


def mean_drift_map(result: DriftsResult, task: str | None, palette: Palette, *, top: float | None = None) -> go.Figure:
    """Mean drift of every head over the prompts of a task."""
    return head_map(result.mean(task), palette, top=top)


def drift_alt(result: DriftResult) -> str:
    """What the drift map shows, in a sentence."""
    layers, heads = result.drift.shape
    most = ", ".join(
        f"{layer}.{head} {signed(float(result.drift[layer, head]))}" for layer, head in result.strongest(3)
    )
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
            cliponaxis=False,
            hovertext=[
                f"“{token_label(result.tokens[row])}”: {name} {percent(float(values[row]))}, difference "
                f"{signed(float(after[row] - before[row]))}"
                for row in rows
            ],
            hoverinfo="text",
        )
    ticks = [
        ("★ " if result.subject[0] <= row < result.subject[1] else "") + token_label(result.tokens[row]) for row in rows
    ]
    figure.update_yaxes(
        tickvals=rows, ticktext=ticks, tickfont={"size": 13, "color": palette.ink}, range=[len(rows) - 0.4, -0.6],
        showgrid=False, zeroline=False, fixedrange=True, automargin=True, ticks="",
    )  # fmt: skip
    limit = max(float(before.max()), float(after.max()), 1e-6)
    figure.update_xaxes(visible=False, range=[0, limit * 1.25], fixedrange=True)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.0)
    _dress(figure, palette, 26 * len(rows) + 30, None)
    return figure


def pattern_map(result: DriftResult, layer: int, head: int, which: str, palette: Palette) -> go.Figure:
    """One head's whole pattern, queries down, keys across; `which` is before, after or difference."""
    before, after = result.before[layer, head], result.after[layer, head]
    values = {"before": before, "after": after, "difference": after - before}[which]
    size = len(result.tokens)
    seen = np.where(np.tri(size, dtype=bool), values, np.nan)
    signed_ = which == "difference"
    limit = max(float(np.abs(after - before).max()), 1e-6) if signed_ else 1.0
    labels = [
        ("★" if result.subject[0] <= row < result.subject[1] else "") + token_label(token, 9)
        for row, token in enumerate(result.tokens)
    ]
    hover = np.empty(values.shape, dtype=object)
    for query, key in np.ndindex(values.shape):
        number = signed(float(values[query, key])) if signed_ else percent(float(values[query, key]))
        hover[query, key] = f"“{token_label(result.tokens[query])}” → “{token_label(result.tokens[key])}”: {number}"
    figure = go.Figure(
        go.Heatmap(
            z=seen, zmin=-limit if signed_ else 0, zmax=limit, xgap=1, ygap=1, showscale=False,
            colorscale=[list(stop) for stop in (palette.diverging if signed_ else palette.sequential)],
            text=hover, hovertemplate="%{text}<extra></extra>", hoverongaps=False,
        )
    )  # fmt: skip
    tick = {"size": 12, "color": palette.ink}
    places = list(range(size))
    figure.update_yaxes(
        tickvals=places, ticktext=labels, tickfont=tick, range=[size - 0.4, -0.6], showgrid=False, zeroline=False,
        fixedrange=True, automargin=True, ticks="",
    )  # fmt: skip
    figure.update_xaxes(
        tickvals=places, ticktext=labels, tickfont=tick, tickangle=90, showgrid=False, zeroline=False, fixedrange=True,
        automargin=True, ticks="",
    )  # fmt: skip
    _dress(figure, palette, 18 * max(size, 6) + 120, None)
    return figure


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
        top_label=f"loses {percent(top)}",
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
    pairs = zip(names, (palette.under, palette.over), grid, (result.said.answer, result.said.edited), strict=True)
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
        figure.add_annotation(
            x=len(values) - 1, y=float(values[-1]), text=token_label(name), xanchor="left", xshift=8, showarrow=False,
            font={"size": 13, "color": colour},
        )  # fmt: skip
    ink = {"size": 12, "color": palette.ink}
    figure.update_yaxes(
        range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["0", "50\u2009%", "100\u2009%"], tickfont=ink,
        gridcolor=palette.grid, zeroline=False, fixedrange=True,
    )  # fmt: skip
    figure.update_xaxes(
        title={"text": f"middle of {result.window['layers']} layers", "font": ink}, tickfont=ink, showgrid=False,
        zeroline=False, fixedrange=True,
    )  # fmt: skip
    _dress(figure, palette, 280, None)
    figure.update_layout(margin={"l": 8, "r": 90, "t": 16, "b": 44})
    return figure


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
    ink = {"size": 12, "color": palette.ink}
    figure.update_xaxes(
        title={"text": "drift of the largest head, points", "font": ink}, tickfont=ink, tickformat=".0%",
        showgrid=False, zeroline=True, zerolinecolor=palette.grid, fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(
        title={"text": "probability lost", "font": ink}, tickfont=ink, tickformat=".0%", gridcolor=palette.grid,
        zeroline=True, zerolinecolor=palette.grid, fixedrange=True,
    )  # fmt: skip
    _dress(figure, palette, 320, None)
    figure.update_layout(margin={"l": 8, "r": 16, "t": 16, "b": 48})
    return figure


def drift_thumbnail(drift: np.ndarray) -> list[list[float]]:
    """Rows of 0..1, heads down, layers across: for the rail."""
    size = np.clip(drift, 0, None).T
    return [[round(float(value), 3) for value in row] for row in size / max(float(size.max()), 1e-9)]


def _dress(figure: go.Figure, palette: Palette, height: int, title: str | None) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 64 if title else 44, "b": 52},
        showlegend=False,
        dragmode=False,
        clickmode="event+select",
        font={"family": palette.font, "size": 13, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"font": {"size": 13}},
        title=None if title is None else {"text": title, "font": {"size": 18}, "x": 0, "xref": "container"},
    )
