"""The figures of chains with their titles and captions."""

from analysis import HopsResult
from app.charts.marked import escape
from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.hops import captions
from app.studies.hops import figure as hop_charts


def hops_panels(result: HopsResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    found = []
    for number in range(min(len(result.chains), captions.MOST_CHAINS)):
        of = f": {escape(result.chains[number].whole())} …" if len(result.chains) > 1 else ""
        recall = hop_charts.recall_curves(result, palette, number)
        found.append(Panel(f"Where the middle can be read{of}", recall, captions.recall(result, number), 2))
        if result.was_cut(number):
            cut = hop_charts.cut_curves(result, palette, number)
            found.append(Panel("What the last word must look at", cut, captions.cuts(result), 2))
    return found
