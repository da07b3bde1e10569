"""Words and how likely they are: horizontal bars, the number at the end, no axis."""

from collections.abc import Sequence

import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.words import percent, token_label

ROW = 36


def word_bars(
    words: Sequence[str],
    values: Sequence[float],
    palette: Palette,
    *,
    before: str | None = None,
    after: str | None = None,
    limit: float | None = None,
) -> go.Figure:
    """Bars of probabilities; the word `before` in undertext, `after` in overtext, others quiet.

    Equal words keep bars of their own. `limit` fixes the scale for bars that are compared.
    """
    rows = list(range(len(words)))
    colours = [palette.under if word == before else palette.over if word == after else palette.quiet for word in words]
    limit = limit or max([*values, 1e-9])
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=rows,
            orientation="h",
            marker={"color": colours, "line": {"width": 0}},
            text=[percent(value) for value in values],
            textposition="outside",
            textfont={"size": 14, "color": palette.ink},
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_yaxes(
        tickvals=rows,
        ticktext=[f"<b>{token_label(word)}</b>" if word in (before, after) else token_label(word) for word in words],
        tickfont={"size": 14, "color": palette.ink},
        range=[len(words) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
        automargin=True,
        ticks="",
    )
    figure.update_xaxes(visible=False, range=[0, limit * 1.22], fixedrange=True)
    figure.update_layout(
        height=ROW * len(words) + 12,
        bargap=0.38,
        margin={"l": 8, "r": 8, "t": 4, "b": 8},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure
