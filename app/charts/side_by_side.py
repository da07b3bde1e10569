"""Methods side by side: a dot and its 95 % interval for every row, one method under another within a row."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from app.charts.frame import STILL, framed, intervals, rows_down, small
from app.charts.palette import Palette
from app.charts.words import percent
from editors.cases.case import counted
from editors.evaluation.result import Mean

SEATS = (1, 0, 4, 3, 5, 6)
SHAPES = ("circle", "diamond", "square")
"""Of the first six methods, the next six and so on, which begin with the first colour again."""


@dataclass(frozen=True)
class Series:
    """One method and its mean in each row; None where it has none."""

    name: str
    means: Sequence[Mean | None]


def said(value: float, in_percent: bool) -> str:
    """A score in its unit."""
    return percent(value) if in_percent else f"{value:.3f}"


def side_by_side(rows: Sequence[str], series: Sequence[Series], palette: Palette, *, in_percent: bool) -> go.Figure:
    """Rows from the top; the first of the series is what the others are held against, and quiet."""
    figure = go.Figure()
    for at, one in enumerate(series):
        turn, seat = divmod(at - 1, len(SEATS))
        colour = palette.quiet if at == 0 else palette.category[SEATS[seat]]
        shape = "circle-open" if at == 0 else SHAPES[turn % len(SHAPES)]
        there = [(row, mean) for row, mean in enumerate(one.means) if mean is not None]
        figure.add_scatter(
            x=[mean.value for _, mean in there],
            y=[row + 0.7 * ((at + 0.5) / len(series) - 0.5) for row, _ in there],
            mode="markers", name=one.name, cliponaxis=False,
            marker={"size": 10, "color": colour, "symbol": shape},
            error_x=intervals(
                [mean.value for _, mean in there], [mean.bar for _, mean in there], shares=in_percent
            ) | {"thickness": 2, "width": 0, "color": colour},
            text=[f"{one.name}, {rows[row]}: {said(mean.value, in_percent)}, {counted(mean.n)}" for row, mean in there],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    rows_down(figure, palette, rows)
    if in_percent:
        figure.update_xaxes(
            range=[-0.03, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1], ticktext=["0", "25", "50", "75", "100 %"]
        )
    figure.update_xaxes(showgrid=True, gridcolor=palette.grid, tickfont=small(palette), **STILL)
    framed(figure, palette, 90 + 26 * len(rows) + 16 * len(series) * len(rows), right=24, top=36, bottom=36)
    return figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "font": {"size": 13, "color": palette.ink}},
    )


def in_sentences(rows: Sequence[str], series: Sequence[Series], *, in_percent: bool) -> str:
    """The dots for who cannot see them."""
    parts = []
    for row, title in enumerate(rows):
        told = [f"{one.name} {said(mean.value, in_percent)}" for one in series if (mean := one.means[row]) is not None]
        parts.append(f"{title}: {', '.join(told)}")
    return "; ".join(parts)
