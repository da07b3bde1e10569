"""How much a stream of edits is: each written and asked, and all asked again at every milestone."""

from app.jobs.work import Shape
from app.studies.evaluate.work import abilities_work, asked_work, written_work
from editors.ability_tests.result import AbilitiesRequest
from editors.lifelong_editing.result import LifelongRequest

TEXT = 4_000
"""Tokens of the text, and of others' prompts gone on with, at a milestone."""


def lifelong_work(request: LifelongRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    asked = [asked_work(request, case, shape) for case in request.cases]
    again = sum(sum(asked[:count]) if count else sum(asked) for count in request.stops())
    held = len(request.stops()) * (shape.forward(TEXT) + shape.written(10, request.words, 16))
    able = len(request.stops()) * abilities_work(AbilitiesRequest(**request.framing()), shape) * request.abilities
    return written_work(request, request.cases, request.method, shape) + sum(asked) + again + held + able
