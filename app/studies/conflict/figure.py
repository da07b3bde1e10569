"""Memory against the page in figures: the heads of either side, what one writes, who wins, which road was cut.

Blue is memory, orange the page, as everywhere. Limits are symmetric and robust, so that one head does not bleach all
others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from analysis.internals.head_names import head_shown
from analysis.knowledge_conflict.result import ConflictResult, HeadsResult, KnockoutResult, Outcome, Scores
from app.charts.bars import marked_bars
from app.charts.frame import axes, band, framed, thumbnail_of
from app.charts.head_map import NAMED, Head, head_map
from app.charts.palette import Palette
from app.charts.words import percent

CUT_TOP = 2.0
"""Where the scale of relative changes ends: a small probability can be multiplied many times over."""


def strength(scores: Scores, rank_by: str = "probability") -> np.ndarray:
    """(L, H), below zero for memory and above it for the page, as the scale has it."""
    return -scores.balance(rank_by)  # type: ignore[arg-type]


def limit(values: np.ndarray) -> float:
    """Where the scale ends: most heads are faint, and one is not to bleach the rest."""
    return float(max(np.percentile(np.abs(values), 99.3), 1e-9))


def conflict_map(
    scores: Scores,
    palette: Palette,
    *,
    rank_by: str = "probability",
    selected: Head | None = None,
    silenced: Sequence[Head] = (),
    title: str | None = None,
) -> go.Figure:
    """Which side every head takes."""
    values = strength(scores, rank_by)
    top = limit(values)
    hover = np.empty(values.shape, dtype=object)
    for head in np.ndindex(values.shape):
        hover[head] = (
            f"head {head_shown(head)}: remembered answer {scores.memory[head]:+.0%}, page’s "
            f"{scores.context[head]:+.0%} without it"
        )
    return head_map(
        values, palette, limit=top, stops={-0.9 * top: "memory", 0.9 * top: "page"}, hover=hover, selected=selected,
        silenced=silenced, title=title,
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
    bare = [word.strip() for word in words]
    numbers = [f"{value:+.1f}" for value in values]
    figure = marked_bars(bare, values, numbers, palette, (under, over), size=13)
    low, high = min([*values, 0.0]), max([*values, 0.0])
    room = 0.25 * max(high - low, 1e-9)
    figure.update_xaxes(visible=False, range=[low - (room if low < 0 else 0), high + room], fixedrange=True)
    return framed(figure, palette, 28 * len(words) + 12, top=4, bottom=8)


@dataclass(frozen=True)
class Shares:
    """One bar of who wins."""

    label: str
    memory: float
    context: float
    n: int
    """Prompts."""


def begins(text: str, answer: str) -> bool:
    """Whether an answer begins with the text of a token."""
    return bool(text.strip()) and answer.startswith(text.strip())


def begun(words: Sequence[str], answer: str) -> str:
    """The one of some words that an answer begins with, else the answer."""
    return next((word for word in words if begins(word, answer)), answer)


def shares_of(many: ConflictResult, silenced: dict[str, int]) -> list[Shares]:
    """Who wins with nothing silenced, with so many heads of each side, and with as many at random."""
    if (base := many.outcome("none")) is None:
        return []
    rows = [_share("nothing silenced", base)]
    for side, wanted in silenced.items():
        k = min(wanted, sum((one.treatment, one.side) == ("ranked", side) for one in many.outcomes))
        if not k:
            continue
        if (ranked := many.outcome("ranked", side, k)) is not None:
            rows.append(_share(f"{'page' if side == 'context' else side}: {_heads(k)}", ranked))
        near = min(many.request.ks, key=lambda one: abs(one - k))
        if (drawn := many.outcome("random", side, near)) is not None:
            rows.append(_share(f"{_heads(near)} at random, same layers ({len(drawn.memory)} draws)", drawn))
    return rows


def every_share(many: ConflictResult) -> list[Shares]:
    """Who wins with as many heads silenced as were chosen on other prompts, else with the most that were tried."""
    most = max(many.request.ks)
    return shares_of(many, {side: many.chosen.get(side, most) for side in ("memory", "context")})


def _share(label: str, outcome: Outcome) -> Shares:
    return Shares(label, float(outcome.memory.mean()), float(outcome.context.mean()), outcome.n)


def _heads(count: int) -> str:
    return f"{count} head{'s' if count > 1 else ''}"


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
    return framed(figure, palette, 62 * len(rows) + 20, top=4, bottom=8)


def knockout_curves(result: KnockoutResult, cuts: Sequence[str], side: int, palette: Palette) -> go.Figure:
    """Relative change of one answer's probability over the centre of the window, with 95 % intervals."""
    figure = go.Figure()
    seats, dashes = (palette.under, palette.over, palette.ink), ("solid", "solid", "dot")
    ends = []
    for place, cut in enumerate(cuts):
        row = result.cuts.index(cut)
        values, half = result.change[row, :, side], np.nan_to_num(result.half_width[row, :, side])
        layers = np.arange(len(values))
        band(figure, values, half, seats[place])
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
    axes(figure, palette, across="layer")
    figure.update_yaxes(tickformat="+.0%", zeroline=True, zerolinecolor=palette.grid, range=[bottom, top])
    return framed(figure, palette, 300, right=12)


def heads_thumbnail(result: HeadsResult | ConflictResult) -> list[list[float]]:
    """Rows of 0..1, heads down, layers across: how strongly a head takes sides."""
    values = np.abs(strength(result.scores, result.request.rank_by))
    return thumbnail_of(values.T, top=limit(values))


def knockout_thumbnail(result: KnockoutResult) -> list[list[float]]:
    """Rows of 0..1, cuts down, layers across: how much of the remembered answer is lost."""
    return thumbnail_of(-result.change[:3, :, 0], top=1.0)
