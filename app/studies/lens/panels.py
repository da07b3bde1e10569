"""The figure of the lens."""

from analysis import LensResult
from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.lens import figure as lens_map


def lens_panels(result: LensResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    return [Panel("", lens_map.lens_map(result, palette, tokens=range(len(result.tokens))))]
