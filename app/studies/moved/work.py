"""How much a map of who moved is: all subjects are asked once a weight, and keys that are protected are read."""

from app.jobs.work import Shape
from editors.who_moved.result import MovedRequest

SUBJECTS, LONG, PROTECTED = 45, 10, 200
"""Subjects of a stored relation, tokens of a prompt, and pieces of text whose keys are protected."""


def moved_work(request: MovedRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    each = shape.forward(LONG, SUBJECTS)
    keys = PROTECTED * LONG * shape.layers / 4
    return each * (3 + len(request.weights)) + keys * (1 + len(request.weights) / 4)
