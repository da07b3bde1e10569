"""The logit lens as a page of words: layers up, tokens across, each cell says its first word.

Ink is the probability of that word; the answer stands in bold where a state says it first.
"""

import numpy as np
import plotly.graph_objects as go

from analysis.lens.result import LensResult
from app.charts.frame import STILL, framed, heat, layer_ticks, small, thumbnail_of
from app.charts.palette import Palette
from app.charts.words import axis_labels, percent, placed, token_label, word

ROW = 22
WORDS_FIT = 12
"""Up to this many tokens the words themselves are written into the cells."""
COLUMN, BESIDE = 62, 60
"""Pixels a word of a cell needs, and those of the axis beside all of them."""


def lens_map(result: LensResult, palette: Palette, *, tokens: range, show: str = "first word") -> go.Figure:
    """Cells of the given tokens; `show` is "first word" or "answer" (probability of the answer)."""
    lens = result.lens
    columns = list(tokens)
    first = lens.top_probabilities[:, columns, 0]
    values = first if show == "first word" else lens.answer_probability[:, columns]
    layers = values.shape[0]
    texts = np.empty(values.shape, dtype=object)
    hover = np.empty(values.shape, dtype=object)
    for layer, column in np.ndindex(values.shape):
        token = columns[column]
        ids = lens.top_ids[layer, token]
        said = result.words[str(int(ids[0]))]
        last = token == len(result.tokens) - 1
        texts[layer, column] = token_label(placed(said, last), 9)
        if said == result.answer:
            texts[layer, column] = f"<b>{texts[layer, column]}</b>"
        listed = ", ".join(
            f"{token_label(placed(result.words[str(int(i))], last))} {percent(float(p))}"
            for i, p in zip(ids, lens.top_probabilities[layer, token], strict=True)
        )
        hover[layer, column] = (
            f"“{token_label(result.tokens[token])}”, layer {layer}<br>{listed}<br>"
            f"“{token_label(result.answer)}” {percent(float(lens.answer_probability[layer, token]))}, "
            f"rank {int(lens.answer_rank[layer, token]) + 1}"
        )
    figure = heat(values, palette.sequential, 0, 1, showscale=False, text=hover, hovertemplate="%{text}<extra></extra>")
    if len(columns) <= WORDS_FIT and show == "first word":
        for dark in (False, True):
            chosen = (values > 0.42) == dark
            rows, across = np.nonzero(chosen)
            figure.add_scatter(
                x=across,
                y=rows,
                mode="text",
                text=texts[chosen],
                textfont={"size": 12, "color": palette.paper if dark else palette.ink},
                hoverinfo="skip",
            )
    ticks = layer_ticks(layers)
    figure.update_yaxes(
        tickvals=ticks, ticktext=[str(tick) for tick in ticks], tickfont=small(palette), showgrid=False,
        title={"text": "layer", "font": small(palette)}, range=[-0.5, layers - 0.5], **STILL,
    )  # fmt: skip
    ticks_of = axis_labels(result.tokens, result.roles, palette)
    figure.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=[ticks_of[token] for token in columns],
        tickfont={"size": 13, "color": palette.ink}, tickangle=0 if len(columns) <= WORDS_FIT else 60, side="bottom",
        showgrid=False, **STILL,
    )  # fmt: skip
    return framed(figure, palette, ROW * layers + 90, top=8, bottom=60)


def first_layer(result: LensResult) -> int | None:
    """First layer from which on the last token's state says the answer first and goes on saying it."""
    says = result.lens.answer_rank[:, -1] == 0
    if not says[-1]:
        return None
    silent = np.flatnonzero(~says)
    return int(silent[-1]) + 1 if len(silent) else 0


def lens_alt(result: LensResult) -> str:
    """What the lens shows, in a sentence."""
    layer = first_layer(result)
    where = f"from layer {layer} on" if layer is not None else "at no layer up to the last"
    return (
        f"Logit lens of “{result.request.prompt}”: the last token’s state says “{word(result.answer)}” first {where}; "
        f"at the last layer with {percent(float(result.lens.answer_probability[-1, -1]))}."
    )


def lens_thumbnail(result: LensResult) -> list[list[float]]:
    """Rows of 0..1, tokens down, layers across: probability of the answer."""
    return thumbnail_of(result.lens.answer_probability.T, top=1.0)
