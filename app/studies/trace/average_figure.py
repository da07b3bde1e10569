"""Averages over facts as maps of six rows, and as curves with their intervals."""

import numpy as np
import plotly.graph_objects as go

from analysis.tracing.average_result import ROWS, AverageResult
from app.charts.curves import Curve, layer_curves
from app.charts.frame import thumbnail_of
from app.charts.palette import Palette
from app.charts.token_map import token_map
from app.charts.words import percent
from app.studies.trace.figure import TITLES
from editors.cases.case import counted

SUBJECT_ROWS = (0, 1, 2)
CURVES = (("first subject token", 2, "dot"), ("last subject token", 0, "solid"), ("last token", 1, "solid"))


def shared_top(result: AverageResult) -> float:
    """Largest mean effect over all kinds, rounded up to five points."""
    largest = max(float(np.nanmax(mean)) for mean in result.mean.values())
    return float(np.ceil(max(largest, 0.01) * 20) / 20)


def average_map(result: AverageResult, kind: str, palette: Palette, *, top: float, titled: bool = False) -> go.Figure:
    """Mean indirect effect of six roles of token over layers."""
    mean, half = result.mean[kind], result.half_width[kind]
    hover = np.empty(mean.T.shape, dtype=object)
    for layer, row in np.ndindex(hover.shape):
        width = half[row, layer]
        interval = "" if np.isnan(width) else f" ± {100 * width:.0f}"
        hover[layer, row] = (
            f"{ROWS[row]}, layer {layer}: {percent(float(mean[row, layer]))}{interval} (n = {result.count[row]})"
        )
    return token_map(
        mean.T,
        [*ROWS],
        palette,
        top=top,
        stars=SUBJECT_ROWS,
        hover=hover,
        title=TITLES[kind] if titled else None,
        wide_labels=True,
    )


def average_curves(result: AverageResult, kind: str, palette: Palette, *, top: float) -> go.Figure:
    """Three of the rows as curves with 95 % intervals."""
    curves = [
        Curve(
            name,
            result.mean[kind][ROWS.index(name)],
            np.nan_to_num(result.half_width[kind][ROWS.index(name)]),
            seat,
            dash,
        )
        for name, seat, dash in CURVES
    ]
    return layer_curves(curves, palette, top=top)


def average_alt(result: AverageResult, kind: str) -> str:
    """What a map of averages shows, in a sentence."""
    early, late = result.peak(kind, "last subject token"), result.peak(kind, "last token")
    return (
        f"{TITLES[kind]}, mean over {counted(len(result.ids), 'fact')}: the last subject token peaks at layer "
        f"{early[0]} with {percent(early[1])}, the last token at layer {late[0]} with {percent(late[1])}."
    )


def average_thumbnail(result: AverageResult) -> list[list[float]]:
    """Rows of 0..1 of the first kind."""
    return thumbnail_of(next(iter(result.mean.values())))
