"""How much a trace is: above each repaired state everything is run again, for every sample."""

from analysis import AverageRequest, TraceRequest
from app.jobs.work import READ, Shape, put

ASKED, SUBJECT_ON = 9, 0.7
"""Tokens of a stored fact's prompt, and the share of them from its subject's first on."""
OF_MANY = 0.6
"""Share of a pass's price where thousands are run side by side, as measured."""


def trace_work(request: TraceRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    tokens = put(request, request.prompt)
    before = max(0, request.prompt.find(request.subject)) / max(1, len(request.prompt)) * tokens
    return _lens(tokens, shape) + traced(tokens, tokens - before, len(request.kinds), request.samples, shape)


def average_work(request: AverageRequest, shape: Shape) -> float:
    """See `Entry.work`; facts whose probability is too low cost a forward."""
    tokens = put(request, "") + ASKED
    each = traced(tokens, SUBJECT_ON * tokens, len(request.kinds), request.samples, shape) + _lens(tokens, shape)
    return request.facts * (each + 3 * shape.forward(tokens))


def traced(tokens: float, blurred: float, kinds: int, samples: int, shape: Shape) -> float:
    """Every cell from the first blurred token on."""
    rerun = shape.layers**2 / 2 * blurred * (blurred + 1) / 2
    return kinds * samples * (OF_MANY * rerun + READ * shape.layers * blurred)


def _lens(tokens: float, shape: Shape) -> float:
    return 3 * shape.forward(tokens) + READ * shape.layers * tokens
