"""Words and how likely they are: horizontal bars, the number at the end, no axis."""

from collections.abc import Sequence

import plotly.graph_objects as go

from app.charts.frame import framed, rows_down
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
    bold = [f"<b>{token_label(word)}</b>" if word in (before, after) else token_label(word) for word in words]
    rows_down(figure, palette, bold, size=14)
    figure.update_xaxes(visible=False, range=[0, limit * 1.22], fixedrange=True)
    figure.update_layout(bargap=0.38)
    return framed(figure, palette, ROW * len(words) + 12, top=4, bottom=8)
