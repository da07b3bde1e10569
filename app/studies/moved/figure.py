"""The map of who moved: nearness of keys across, share of the new value up."""

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import axes, framed, thumbnail_of
from app.charts.palette import Palette
from app.charts.words import percent, token_label
from editors.who_moved.result import MovedResult

SYMBOLS = {"written": "star", "protected": "diamond", "scored": "circle", "like": "circle-open", "same subject": "x"}
SIZES = {"written": 17, "protected": 10, "scored": 12, "like": 9, "same subject": 10}
NAMED, APART, WORTH = 8, 0.05, 0.1
"""Names written beside points, how far apart two of them stand at least, in shares of the height, and from which shift
on one whose answer is kept is named.
"""


def moved_map(result: MovedResult, palette: Palette, at: int = 0, *, chosen: int | None = None) -> go.Figure:
    """A point a prompt under one of the edits; its customdata is the prompt's number."""
    figure, kept, shift = go.Figure(), result.kept(at), result.shift[at]
    _from_unprotected(figure, result, palette, at)
    for kind, symbol in SYMBOLS.items():
        for held, colour in ((True, palette.under), (False, palette.over)):
            own = [p for p, one in enumerate(result.standings) if one == kind and bool(kept[p]) == held]
            if kind == "written":
                colour = palette.gold if held else palette.over
            if not own:
                continue
            marker = {"symbol": symbol, "size": SIZES[kind], "color": colour, "line": {"width": 1.6, "color": colour}}
            figure.add_scatter(
                x=result.cosine[own], y=shift[own], mode="markers", marker=marker, cliponaxis=False,
                selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
                customdata=own, text=[_hover(result, at, p) for p in own], hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    if chosen is not None:
        figure.add_scatter(
            x=[result.cosine[chosen]], y=[shift[chosen]], mode="markers", hoverinfo="skip", cliponaxis=False,
            marker={"symbol": "circle-open", "size": 24, "color": palette.gold, "line": {"width": 3}},
        )  # fmt: skip
    top = 1.1 * max(1.0, float(result.shift.max()))
    _names(figure, result, palette, at, top)
    axes(figure, palette, across="how near its key is (cosine)", up="shift")
    low, high = float(result.cosine.min()), 1.0
    figure.update_xaxes(range=[min(0.0, low) - 0.04, high + 0.06], tickformat=".1f")
    figure.update_yaxes(range=[-0.04 * top, top], tickvals=[0, 0.5, 1], ticktext=["0", percent(0.5), percent(1.0)])
    return framed(figure, palette, 400, right=24, top=16, clickable=True)


def _from_unprotected(figure: go.Figure, result: MovedResult, palette: Palette, at: int) -> None:
    bare = next((one for one in result.order if not result.weights[one]), None)
    if bare is None or not result.weights[at]:
        return
    x = np.column_stack([result.cosine, result.cosine, np.full(len(result.cosine), np.nan)]).ravel()
    y = np.column_stack([result.shift[bare], result.shift[at], np.full(len(result.cosine), np.nan)]).ravel()
    line = {"color": palette.quiet, "width": 1}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", opacity=0.55, cliponaxis=False)


def _names(figure: go.Figure, result: MovedResult, palette: Palette, at: int, top: float) -> None:
    """Names of the fact and of those that moved, farthest first, where there is room."""
    kept, shift = result.kept(at), result.shift[at]
    rank = sorted(range(len(shift)), key=lambda p: (p > 0, kept[p], -shift[p]))
    placed: list[tuple[float, float]] = []
    for p in rank:
        x, y = float(result.cosine[p]), float(shift[p])
        if len(placed) == NAMED or (kept[p] and y < WORTH):
            break
        if result.standings[p] == "same subject" or any(
            abs(y - other) < APART * top and abs(x - across) < 0.3 for across, other in placed
        ):
            continue
        placed.append((x, y))
        figure.add_annotation(
            x=x, y=y, text=token_label(result.subjects[p], 24), showarrow=False,
            xanchor="right" if x > 0.8 else "left", xshift=-13 if x > 0.8 else 11, yshift=1,
            font={"size": 13, "color": palette.ink},
        )  # fmt: skip


def _hover(result: MovedResult, at: int, p: int) -> str:
    said = f"{token_label(result.before.said[p])} → {token_label(result.after[at].said[p])}"
    where = "the fact" if result.standings[p] == "written" else result.standings[p]
    return (
        f"<b>{token_label(result.subjects[p], 40)}</b> ({where})<br>{said}<br>"
        f"shift {percent(float(result.shift[at, p]))}, cosine {result.cosine[p]:.2f}"
    )


def moved_alt(result: MovedResult, at: int) -> str:
    """The map in sentences."""
    others = [p for p, kind in enumerate(result.standings) if kind not in ("written", "same subject")]
    far = sorted(others, key=lambda p: -result.shift[at, p])[:5]
    named = ", ".join(f"{result.subjects[p]} {percent(float(result.shift[at, p]))}" for p in far)
    lost = [result.subjects[p] for p in others if not result.kept(at)[p]]
    said = f"Otherwise answered: {', '.join(lost[:8])}." if lost else "Nobody else is answered otherwise."
    return f"Who gets how much of the new value with protection {result.weights[at]:g}: {named or 'nobody'}. {said}"


def moved_thumbnail(result: MovedResult) -> list[list[float]]:
    """Where points stand, nearness across and shift up."""
    counts, _, _ = np.histogram2d(
        1 - result.shift[0].clip(0, 1), result.cosine.clip(0, 1), bins=(6, 16), range=[[0, 1]] * 2
    )
    return thumbnail_of(counts**0.5)
