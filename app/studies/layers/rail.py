"""How edits at one layer after another stand on the rail of earlier runs."""

from app.jobs.run_entry import Told
from editors.cases.case import counted
from editors.layer_sweep.result import LayersResult


def layers_told(result: LayersResult) -> Told:
    """How many facts, at how many layers."""
    facts, layers = len(result.request.facts), len(result.layers)
    return f"{counted(facts, 'fact')} at {counted(layers, 'layer')}", "layers", None
