"""How much it is to ask who wins: every head patched into the answer, then silenced, over so many conflicts."""

from analysis import ConflictRequest, HeadsRequest, KnockoutRequest, TransferRequest
from app.jobs.work import FEW, READ, Shape, put

LONG = 20
"""Tokens of a conflict's prompt."""
FIND, ASK = 40, 3
"""Prompts tried until those wanted are known, at most; forwards to know one."""


def heads_work(request: HeadsRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    tokens = put(request, request.prompt)
    sets = 2 * request.most * request.most
    receivers = (1 + len(request.receivers)) * _patched(shape, request.corruption)
    return receivers + 6 * shape.forward(tokens) + shape.forward(tokens, sets)


def conflict_work(request: ConflictRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    known = (request.find + request.validation + request.test) * ASK * shape.forward(LONG)
    found = request.find * _patched(shape, request.corruption)
    sets = len(request.ks) * (3 + request.draws) * request.test + 3 * len(request.ks) * max(1, request.validation)
    return known + found + shape.forward(LONG, sets)


def transfer_work(request: TransferRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    groups = len(request.relations) * len(request.forms)
    known = groups * (request.find + request.test) * ASK * shape.forward(LONG)
    found = groups * request.find * _patched(shape, request.corruption)
    return known + found + shape.forward(LONG, groups * groups * request.test * 2)


def knockout_work(request: KnockoutRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    roads = 5 * shape.layers
    cut = roads * (max(shape.layers, FEW) + READ) / 2
    silenced = 6 * shape.layers * (shape.layers / 2 * LONG / 3 + READ) if request.modules else 0.0
    return request.n * (2 * ASK * shape.forward(LONG) + cut + silenced)


def _patched(shape: Shape, corruption: str) -> float:
    """Every head of one prompt, by one way of corrupting it or two: what is behind it is run for the last token."""
    ways = 2 if corruption == "both" else 1
    return ways * shape.layers * shape.heads * (shape.layers / 2 + READ)
