"""An edit in figures: how the new answer was found, and how much of each layer was scraped."""

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.words import percent, token_label
from editors.edit import LayerChange


def search_curves(
    new: np.ndarray, former: np.ndarray, names: tuple[str, str], steps: int, palette: Palette
) -> go.Figure:
    """Probability of the new answer (solid) and of the former one (dotted) at every step of the search."""
    figure = go.Figure()
    ends = [float(values[~np.isnan(values)][-1]) for values in (new, former) if not np.isnan(values).all()]
    apart = 9 if len(ends) == 2 and abs(ends[0] - ends[1]) < 0.08 else 0  # names that would lie on one another
    upper = names[int(ends[0] < ends[-1])]
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
        figure.add_annotation(
            x=len(shown) - 1,
            y=float(shown[-1]),
            text=token_label(name),
            xanchor="left",
            xshift=8,
            yshift=apart if name == upper else -apart,
            showarrow=False,
            font={"size": 13, "color": colour},
        )
    figure.update_yaxes(range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["0", "50\u2009%", "100\u2009%"])
    figure.update_xaxes(range=[0, max(1, steps - 1)], title={"text": "step of the search"})
    return dressed(figure, palette, right=90)


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
    figure.update_yaxes(range=[0, top], tickvals=[0, top / 1.25], ticktext=["0", f"{100 * top / 1.25:.1f}\u2009%"])
    figure.update_xaxes(range=[-0.8, layers - 0.2], title={"text": "layer"})
    return dressed(figure, palette, right=16)


def _share(share: float) -> str:
    return percent(share) if share >= 0.01 else f"{100 * share:.1f}\u2009%"


def dressed(figure: go.Figure, palette: Palette, *, right: int) -> go.Figure:
    """Axes, margins and ground of the small figures of the edit page."""
    ink = {"size": 12, "color": palette.ink}
    figure.update_yaxes(tickfont=ink, gridcolor=palette.grid, zeroline=False, fixedrange=True)
    figure.update_xaxes(tickfont=ink, title_font=ink, showgrid=False, zeroline=False, fixedrange=True)
    figure.update_layout(
        height=260,
        margin={"l": 8, "r": right, "t": 16, "b": 44},
        showlegend=False,
        dragmode=False,
        font={"family": palette.font, "color": palette.ink},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure
