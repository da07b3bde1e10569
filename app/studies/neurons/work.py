"""How much reading all neurons is: each is read through the head, unless most are screened out first."""

from analysis import NeuronsRequest
from app.jobs.work import BACK, READ, Shape, put

PER_LAYER, SCREENED = 2_100, 0.2
"""Neurons of a layer of the embedded model; the share of their reading that a screening takes."""


def neurons_work(request: NeuronsRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    tokens = put(request, request.prompt)
    read = READ * shape.layers * PER_LAYER * (1.0 if request.mode == "exact" else SCREENED)
    sets = 2 * (1 + request.draws) * len(request.counts) + 4 * request.top
    opinions = BACK * 50 * shape.forward(tokens) * request.second_opinion
    return read + 3 * shape.forward(tokens) + shape.forward(tokens, sets) / 2 + opinions
