"""The figures of neurons with their titles and captions."""

from analysis import NeuronsResult
from app.charts.palette import Palette
from app.charts.panels import Panel
from app.studies.neurons import captions, neuron_graph
from app.studies.neurons import figure as neuron_charts


def neurons_panels(result: NeuronsResult, palette: Palette) -> list[Panel]:
    """All of them, in their order."""
    found = [
        Panel("From the words to the answer", neuron_graph.pathway(result, palette), captions.pathway()),
        Panel("What each layer adds", neuron_charts.layer_gains(result, palette), captions.gains(result)),
    ]
    if result.tokens_ablated.size:
        found.append(
            Panel("What each word adds", neuron_charts.token_bars(result, palette), captions.word_gains(result))
        )
    off = [one for one in result.ablations if one.counts]
    for number, one in enumerate(off, start=1):
        note = captions.ablations(result) if number == len(off) else ""
        title = f"Switched off together: {one.role} neurons"
        found.append(Panel(title, neuron_charts.ablation_curves(result, one, palette), note, beside=2))
    return found
