"""How much it is to ask how far an edit reaches: each chain written with each method, and asked hop by hop."""

from app.jobs.work import Shape, put
from app.studies.edit.work import written
from editors.chain_reach.result import ReachRequest

THOUGHTS = 60
"""Tokens of an answer that is thought about first."""


def reach_work(request: ReachRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    found = 0.0
    for case in request.cases:
        asked = [hop.prompt for hop in case.hops] + list(case.questions)
        new = request.words + THOUGHTS * request.thoughts
        answers = shape.written(max(put(request, text) for text in asked), new, len(asked))
        found += (1 + len(request.methods)) * answers
        found += sum(written(request, case.rewrites, method, shape) for method in request.methods)
    return found
