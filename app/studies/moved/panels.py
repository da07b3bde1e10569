"""The map of who moved with its caption."""

from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.moved import captions
from app.studies.moved.figure import moved_map
from editors.who_moved.result import MovedResult


def moved_panels(result: MovedResult, palette: Palette) -> list[Panel]:
    """The edit as it is."""
    return [Panel("Who else moved?", moved_map(result, palette), f"{captions.standing(result, 0)} {captions.MAP}")]
