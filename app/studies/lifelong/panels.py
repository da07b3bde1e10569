"""The figures of a stream of edits."""

from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.lifelong import captions
from app.studies.lifelong import figure as lifelong_curves
from editors.lifelong_editing.result import LifelongResult


def lifelong_panels(result: LifelongResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    found = [Panel("What is left as edits go on", lifelong_curves.retention_curves(result, palette), beside=2)]
    if result.by_age():
        found.append(Panel("At the end, by age", lifelong_curves.age_bars(result, palette), beside=2))
    if result.moved is not None:
        curves = lifelong_curves.moved_curves(result, palette)
        found.append(Panel("Where the damage comes from", curves, captions.moved(result), beside=2))
    return found
