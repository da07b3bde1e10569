"""The figures of attention drift with their titles and captions."""

from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.drift import captions
from app.studies.drift import figure as drift_maps
from editors.attention_drift.result import DriftResult, DriftsResult
from editors.cases.case import counted


def drift_panels(result: DriftResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    found = [Panel("Attention to the subject", drift_maps.drift_map(result, palette), captions.DRIFT)]
    if "layers" in result.grids:
        title = "Is it attention that breaks it?"
        found.append(Panel(title, drift_maps.window_curve(result, palette), captions.drift_window(result)))
    top = drift_maps.substitution_top(result)
    for kind in ("mlp", "attn"):
        if kind in result.grids:
            figure = drift_maps.substitution_map(result, kind, palette, top=top)
            note = captions.drift_substitution(result, kind)
            found.append(Panel(drift_maps.GRID_TITLES[kind], figure, note, beside=2))
    return found


def drifts_panels(result: DriftsResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    more = f"Mean over {counted(len(result.prompt), 'prompt')}."
    said = f"{captions.drift_correlation(result)} ● same subject, ◇ neighbour after the edit."
    return [
        Panel("Attention to the subject", drift_maps.mean_drift_map(result, None, palette), f"{captions.DRIFT} {more}"),
        Panel("Drift and what is lost", drift_maps.correlation_plot(result, palette), said),
    ]
