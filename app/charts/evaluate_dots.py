"""Methods side by side: a dot and its 95 % interval for every kind of prompt, by one protocol."""

import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.words import percent
from app.evaluate_words import KIND_WORDS
from editors.evaluate_result import IN_PERCENT, EvaluateResult, Protocol
from editors.probes import Kind

SEATS = (1, 0, 4, 3, 5, 2)


def colour_of(number: int, palette: Palette) -> str:
    """Of a version; no edit is quiet."""
    return palette.quiet if number == 0 else palette.category[SEATS[(number - 1) % len(SEATS)]]


def evaluate_dots(result: EvaluateResult, protocol: Protocol, names: dict[str, str], palette: Palette) -> go.Figure:
    """Rows are kinds of prompts; versions lie one under another within a row."""
    kinds = shown(result, protocol)
    figure = go.Figure()
    versions = len(result.versions)
    for at, version in enumerate(result.versions):
        places, values, halves, texts = [], [], [], []
        for row, kind in enumerate(kinds):
            if (mean := result.mean(at, protocol, kind)) is None:
                continue
            places.append(row + 0.7 * ((at + 0.5) / versions - 0.5))
            values.append(mean.value)
            halves.append(0.0 if mean.half_width != mean.half_width else mean.half_width)
            texts.append(
                f"{names.get(version, version)}, {KIND_WORDS[kind]}: {said(mean.value, protocol)}, {mean.n} cases"
            )
        figure.add_scatter(
            x=values, y=places, mode="markers", name=names.get(version, version),
            marker={"size": 10, "color": colour_of(at, palette), "symbol": "circle-open" if at == 0 else "circle"},
            error_x={"type": "data", "array": halves, "thickness": 2, "width": 0, "color": colour_of(at, palette)},
            text=texts, hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(kinds))), ticktext=[KIND_WORDS[kind] for kind in kinds],
        range=[len(kinds) - 0.5, -0.5], showgrid=False, zeroline=False, fixedrange=True,
        tickfont={"size": 13, "color": palette.ink},
    )  # fmt: skip
    if protocol in IN_PERCENT:
        figure.update_xaxes(
            range=[-0.03, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1], ticktext=["0", "25", "50", "75", "100 %"]
        )
    figure.update_xaxes(
        gridcolor=palette.grid, zeroline=False, fixedrange=True, tickfont={"size": 12, "color": palette.ink}
    )
    figure.update_layout(
        height=90 + 26 * len(kinds) + 16 * versions * len(kinds),
        margin={"l": 8, "r": 8, "t": 36, "b": 36},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "font": {"size": 13, "color": palette.ink}},
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def evaluate_alt(result: EvaluateResult, protocol: Protocol, names: dict[str, str]) -> str:
    """The dots in sentences."""
    parts = []
    for kind in shown(result, protocol):
        told = [
            f"{names.get(version, version)} {said(mean.value, protocol)}"
            for at, version in enumerate(result.versions)
            if (mean := result.mean(at, protocol, kind)) is not None
        ]
        parts.append(f"{KIND_WORDS[kind]}: {', '.join(told)}")
    return f"Scores by {protocol}. {'; '.join(parts)}."


def shown(result: EvaluateResult, protocol: Protocol) -> list[Kind]:
    """Kinds of prompts this protocol says something about."""
    there = set(result.there())
    return [
        kind for kind in KIND_WORDS
        if kind in there and any(result.mean(at, protocol, kind) for at in range(len(result.versions)))
    ]  # fmt: skip


def said(value: float, protocol: Protocol) -> str:
    """A score in its unit."""
    return percent(value) if protocol in IN_PERCENT else f"{value:.3f}"
