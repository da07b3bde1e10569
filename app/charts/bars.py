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
    limit = limit or max([*values, 1e-9])
    figure = marked_bars(words, values, [percent(value) for value in values], palette, (before, after), size=14)
    figure.update_xaxes(visible=False, range=[0, limit * 1.22], fixedrange=True)
    figure.update_layout(bargap=0.38)
    return framed(figure, palette, ROW * len(words) + 12, top=4, bottom=8)


def marked_bars(
    words: Sequence[str], values: Sequence[float], numbers: Sequence[str], palette: Palette,
    marked: tuple[str | None, str | None], *, size: int,
) -> go.Figure:  # fmt: skip
    """A bar a word with its number at the end; of the two `marked` the first in undertext, the second in overtext."""
    seats = {marked[1]: palette.over, marked[0]: palette.under}
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(range(len(words))),
            orientation="h",
            marker={"color": [seats.get(word, palette.quiet) for word in words], "line": {"width": 0}},
            text=list(numbers),
            textposition="outside",
            textfont={"size": size, "color": palette.ink},
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    labels = [f"<b>{token_label(word)}</b>" if word in marked else token_label(word) for word in words]
    rows_down(figure, palette, labels, size=size)
    return figure
