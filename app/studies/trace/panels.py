"""The figures of traces and averages with their titles and captions."""

from analysis import AverageResult, TraceResult
from analysis.internals.scores import Metric
from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.trace import average_figure, captions
from app.studies.trace import figure as trace_maps


def trace_panels(result: TraceResult, palette: Palette, *, metric: Metric = "probability") -> list[Panel]:
    """All of them, in their order."""
    top = trace_maps.shared_top([result], metric)
    return [
        Panel(trace_maps.TITLES[kind], trace_maps.trace_map(result, kind, palette, top=top, metric=metric), beside=3)
        for kind in result.grids
    ]


def average_panels(result: AverageResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    top, found = average_figure.shared_top(result), []
    for kind in result.mean:
        title, sites = trace_maps.TITLES[kind], captions.average_sites(result, kind)
        found.append(Panel(title, average_figure.average_map(result, kind, palette, top=top), sites, beside=2))
        curves = average_figure.average_curves(result, kind, palette, top=top)
        found.append(Panel(f"{title}, as curves", curves, beside=2))
    return found
