"""The figure of edits at one layer after another."""

from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.layers import figure as layer_outcome
from editors.layer_sweep.result import LayersResult


def layers_panels(result: LayersResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    return [Panel("", layer_outcome.layer_outcome(result, palette))]
