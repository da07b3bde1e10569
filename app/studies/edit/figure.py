"""An edit in figures: how the new answer was found, and how much of each layer was scraped."""

import numpy as np
import plotly.graph_objects as go

from app.charts.frame import HALVES, axes, framed, name_ends
from app.charts.palette import Palette
from app.charts.words import THIN, percent, token_label
from editors.edit.edit import Edit, LayerChange


def search_curves(
    new: np.ndarray, former: np.ndarray, names: tuple[str, str], steps: int, palette: Palette
) -> go.Figure:
    """Probability of the new answer (solid) and of the former one (dotted) at every step of the search."""
    figure = go.Figure()
    ends: list[tuple[float, str, str]] = []
    for values, name, colour, dash in (
        (former, names[1], palette.under, "dot"),
        (new, names[0], palette.over, "solid"),
    ):
        shown = values[~np.isnan(values)]
        if not len(shown):
            continue
        figure.add_scatter(
            x=np.arange(len(shown)),
            y=shown,
            mode="lines",
            line={"color": colour, "width": 3, "dash": dash},
            text=[f"step {step}: {token_label(name)} {percent(float(value))}" for step, value in enumerate(shown)],
            hovertemplate="%{text}<extra></extra>",
        )
        ends.append((float(shown[-1]), token_label(name), colour))
    name_ends(figure, ends, x=max((len(part.x) for part in figure.data), default=1) - 1, least=0.08)
    axes(figure, palette, across="step of the search")
    figure.update_yaxes(**HALVES)
    figure.update_xaxes(range=[0, max(1, steps - 1)])
    return framed(figure, palette, 260, right=90, top=16)


def search_of(edit: Edit, palette: Palette) -> go.Figure:
    """The search for an edit's first fact, as long as it went on."""
    new, former = edit.found.probability[:, 0], edit.found.former[:, 0]
    steps = int((~np.isnan(new)).sum())
    return search_curves(new, former, (edit.request.facts[0].target, edit.before.said[0]), max(steps, 2), palette)


def scraped(changes: list[LayerChange], layers: int, palette: Palette) -> go.Figure:
    """‖ΔW‖ as a share of ‖W‖, a bar a layer; of three and more, standing close, the largest is named."""
    shares = [change.norm / change.weight_norm for change in changes]
    figure = go.Figure(
        go.Bar(
            x=[change.layer for change in changes],
            y=shares,
            marker={"color": palette.over, "line": {"width": 0}},
            text=[_share(share) if len(shares) < 3 or share == max(shares) else "" for share in shares],
            textposition="outside",
            textfont={"size": 13, "color": palette.ink},
            constraintext="none",
            textangle=0,
            cliponaxis=False,
            hovertext=[
                f"layer {change.layer}: {share:.2%} of the matrix, rank {change.rank}"
                for change, share in zip(changes, shares, strict=True)
            ],
            hoverinfo="text",
        )
    )
    top = max([*shares, 1e-6]) * 1.25
    axes(figure, palette, across="layer")
    figure.update_yaxes(range=[0, top], tickvals=[0, top / 1.25], ticktext=["0", f"{100 * top / 1.25:.1f}{THIN}%"])
    figure.update_xaxes(range=[-0.8, layers - 0.2])
    return framed(figure, palette, 260, right=16, top=16)


def _share(share: float) -> str:
    return percent(share) if share >= 0.01 else f"{100 * share:.1f}{THIN}%"
