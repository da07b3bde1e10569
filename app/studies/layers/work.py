"""How much writing a fact at one layer after another is: so many edits, and a trace."""

from app.jobs.work import Shape, put
from app.studies.edit.work import written
from app.studies.trace.work import traced
from editors.layer_sweep.result import LayersRequest


def layers_work(request: LayersRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    tried = len(request.layers) if request.layers else -(-shape.layers // 3)
    found = 0.0
    for fact in request.facts:
        tokens = put(request, fact.text)
        found += traced(tokens, tokens, 1, request.samples, shape)
        found += tried * written(request, (fact,), request.method, shape)
    return found
