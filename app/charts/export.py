"""Figures that leave the app: stand-alone HTML with the theme written out and the request inside."""

import html
import json
from functools import singledispatch
from typing import Any

import plotly.graph_objects as go

from analysis import AverageResult, ConflictResult, HeadsResult, LensResult, NeuronsResult, TraceResult
from app.charts import average_maps, conflict_charts, drift_maps, lens_map, neuron_charts, pathways, trace_maps
from app.charts.palette import Light, Palette, written
from editors.drift_result import DriftResult, DriftsResult


@singledispatch
def figures(result: Any, palette: Palette) -> list[go.Figure]:
    """All figures of a result."""
    raise TypeError(f"{type(result).__name__} has no figure")


@figures.register
def _(result: TraceResult, palette: Palette) -> list[go.Figure]:
    top = trace_maps.shared_top([result])
    return [trace_maps.trace_map(result, kind, palette, top=top, titled=True) for kind in result.grids]


@figures.register
def _(result: AverageResult, palette: Palette) -> list[go.Figure]:
    top = average_maps.shared_top(result)
    return [average_maps.average_map(result, kind, palette, top=top, titled=True) for kind in result.mean]


@figures.register
def _(result: LensResult, palette: Palette) -> list[go.Figure]:
    return [lens_map.lens_map(result, palette, tokens=range(len(result.tokens)))]


@figures.register
def _(result: NeuronsResult, palette: Palette) -> list[go.Figure]:
    curves = [neuron_charts.ablation_curves(result, one, palette) for one in result.ablations if one.counts]
    words = [neuron_charts.token_bars(result, palette)] if result.tokens_ablated.size else []
    return [pathways.pathway(result, palette), neuron_charts.layer_gains(result, palette), *words, *curves]


@figures.register
def _(result: DriftResult, palette: Palette) -> list[go.Figure]:
    top = drift_maps.substitution_top(result)
    found = [drift_maps.drift_map(result, palette, title="Attention to the subject")]
    if "layers" in result.grids:
        found.append(drift_maps.window_curve(result, palette))
    kinds = [kind for kind in ("mlp", "attn") if kind in result.grids]
    titles = drift_maps.GRID_TITLES
    return found + [drift_maps.substitution_map(result, kind, palette, top=top, title=titles[kind]) for kind in kinds]


@figures.register
def _(result: DriftsResult, palette: Palette) -> list[go.Figure]:
    return [drift_maps.mean_drift_map(result, None, palette), drift_maps.correlation_plot(result, palette)]


@figures.register(HeadsResult)
@figures.register(ConflictResult)
def _(result: HeadsResult | ConflictResult, palette: Palette) -> list[go.Figure]:
    ranked = result.request.rank_by
    return [conflict_charts.conflict_map(result.scores, palette, rank_by=ranked, title="Memory or the page?")]


def figure_html(result: Any, light: Light = "light") -> str:
    """One HTML file that needs no network: the figures, the model and the request; from a page as from anywhere."""
    palette = written(light)
    drawn = figures(result, palette)
    for figure in drawn:
        figure.layout.template = "plotly"  # importing Streamlit registers another
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=index == 0, config={"displaylogo": False})
        for index, figure in enumerate(drawn)
    ]
    request = html.escape(json.dumps(result.request.model_dump(mode="json"), ensure_ascii=False))
    prompt = html.escape(getattr(result.request, "prompt", "Averages over facts"))
    model = html.escape(f"{result.model['name']}, weights {result.model['weights_hash'][:12]}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{prompt}</title>'
        f"<style>body{{background:{palette.paper};color:{palette.ink};font-family:{palette.font};margin:2rem}}"
        ".maps{display:flex;flex-wrap:wrap;gap:1rem}.maps>div{flex:1 1 340px;min-width:0}</style></head><body>"
        f'<h1>{prompt}</h1><p>{model}</p><div class="maps">{"".join(f"<div>{part}</div>" for part in parts)}</div>'
        f"<details><summary>Request</summary><pre>{request}</pre></details></body></html>"
    )
