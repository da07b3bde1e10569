"""A stream of edits: what is left at each milestone, and, at its end, by age."""

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import HALVES, axes, framed, intervals, name_ends, share_ticks, thumbnail_of
from app.charts.palette import Palette
from app.charts.words import percent
from editors.cases.case import counted
from editors.lifelong_editing.result import LifelongResult

LINES = (("rewrite", "the facts", 3), ("paraphrase", "in other words", 4), ("neighbour", "neighbours", 5))
"""Kind, its name at the line's end, its seat among the categories."""
ABLE = "abilities"


def retention_curves(result: LifelongResult, palette: Palette) -> go.Figure:
    """Share of what was written so far, of its neighbours and of small abilities, over milestones evenly spaced."""
    figure = go.Figure()
    every = range(len(result.milestones))
    ends: list[tuple[float, str, str]] = []
    for kind, name, seat in LINES:
        means = [result.kept(at, kind) if at or kind == "neighbour" else None for at in every]
        values = np.array([mean.value if mean else np.nan for mean in means])
        halves = np.array([mean.bar if mean else 0.0 for mean in means])
        _line(figure, ends, result, name, values, halves, palette.over if kind == "rewrite" else palette.category[seat])
    if result.groups:
        _line(figure, ends, result, ABLE, result.abilities.mean(1), np.zeros(len(every)), palette.quiet, palette.ink)
    name_ends(figure, ends, x=every[-1], least=0.085)
    axes(figure, palette, across="edits written")
    figure.update_yaxes(**HALVES)
    figure.update_xaxes(
        range=[-0.3, every[-1]], tickvals=list(every), ticktext=[str(count) for count in result.milestones]
    )
    return framed(figure, palette, 260, right=120, top=16)


def _line(
    figure: go.Figure, ends: list[tuple[float, str, str]], result: LifelongResult, name: str,
    values: np.ndarray, halves: np.ndarray, colour: str, ink: str = "",
) -> None:  # fmt: skip
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        return
    figure.add_scatter(
        x=there, y=values[there], mode="lines+markers", line={"color": colour, "width": 3}, marker={"size": 8},
        cliponaxis=False,
        error_y=intervals(values[there], halves[there]) | {"thickness": 1.5, "width": 0, "color": colour},
        text=[f"{name}, after {result.milestones[at]} edits: {percent(float(values[at]))}" for at in there],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    ends.append((float(values[there[-1]]), name, ink or colour))


MOVED = (("text", "text", 1), ("others", "near, by others", 4), ("own", "near, by its own", 3))
"""What is moved, its name at the line's end, its seat among the categories."""


def moved_curves(result: LifelongResult, palette: Palette) -> go.Figure:
    """How far the edits move what the changed matrices write, for text and for neighbours, over milestones."""
    figure, moved, every = go.Figure(), result.moved, range(len(result.milestones))
    ends: list[tuple[float, str, str]] = []
    assert moved is not None
    for name, told, seat in MOVED:
        _line(figure, ends, result, told, getattr(moved, name), np.zeros(len(every)), palette.category[seat])
    top = 1.15 * max((float(np.nanmax(part.y)) for part in figure.data), default=0.0) or 1.0
    name_ends(figure, ends, x=every[-1], least=0.085 * top)
    axes(figure, palette, across="edits written")
    figure.update_yaxes(range=[-0.02 * top, top], **share_ticks(top))
    figure.update_xaxes(
        range=[-0.3, every[-1]], tickvals=list(every), ticktext=[str(count) for count in result.milestones]
    )
    return framed(figure, palette, 260, right=120, top=16)


def moved_alt(result: LifelongResult) -> str:
    """The curves of what is moved in sentences."""
    parts, moved = [], result.moved
    assert moved is not None
    for at, count in enumerate(result.milestones):
        values = [(told, float(getattr(moved, name)[at])) for name, told, _ in MOVED]
        told = [f"{name} {percent(value)}" for name, value in values if value == value]
        parts.append(f"after {counted(count, 'edit')} {', '.join(told) or 'nothing that can be told'}")
    return f"How far the edits move what the changed layers write: {'; '.join(parts)}."


def age_bars(result: LifelongResult, palette: Palette) -> go.Figure:
    """At the end of the stream: share of facts still said, the youngest edits first."""
    ages = result.by_age()
    titles = [f"{young}–{old}" if young != old else str(young) for young, old, _ in ages]
    figure = go.Figure(
        go.Bar(
            x=titles, y=[mean.value for _, _, mean in ages], marker={"color": palette.over}, width=0.6,
            error_y=intervals([mean.value for *_, mean in ages], [mean.bar for *_, mean in ages])
            | {"thickness": 1.5, "width": 0, "color": palette.ink},
            text=[percent(mean.value) for _, _, mean in ages], textposition="inside", insidetextanchor="start",
            textangle=0, constraintext="none",
            textfont={"color": palette.paper, "size": 13},
            hovertext=[
                f"{title} edits ago: {percent(mean.value)} of {counted(mean.n, 'fact')}"
                for title, (_, _, mean) in zip(titles, ages, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )  # fmt: skip
    axes(figure, palette, across="edits since it was written")
    figure.update_yaxes(**HALVES | {"range": [0, 1.08]})
    figure.update_xaxes(type="category")
    return framed(figure, palette, 260, right=16, top=16)


def lifelong_thumbnail(result: LifelongResult) -> list[list[float]]:
    """Kinds of prompts × milestones."""
    values = [
        [np.nan if (mean := result.kept(at, kind)) is None else mean.value for at in range(len(result.milestones))]
        for kind, *_ in LINES
    ]
    return thumbnail_of(np.array(values), top=1.0)


def retention_alt(result: LifelongResult) -> str:
    """The curves in sentences."""
    parts = []
    for at, count in enumerate(result.milestones):
        kept = [(name, result.kept(at, kind)) for kind, name, _ in LINES if at or kind == "neighbour"]
        told = [f"{name} {percent(mean.value)}" for name, mean in kept if mean]
        told += [f"{ABLE} {percent(float(result.abilities[at].mean()))}"] if result.groups else []
        parts.append(f"after {counted(count, 'edit')} {', '.join(told)}")
    return f"What is left: {'; '.join(parts)}."


def age_alt(result: LifelongResult) -> str:
    """The bars in sentences."""
    told = [f"{young} to {old} edits ago {percent(mean.value)}" for young, old, mean in result.by_age()]
    return f"Facts still said at the end, by age: {', '.join(told)}."
