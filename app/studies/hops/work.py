"""How much it is to ask chains: each hop and the whole in several wordings, and windows cut or states put back."""

from analysis.facts.chains import read_chains
from analysis.multihop.result import HopsRequest
from app.jobs.work import READ, Shape, put

QUESTIONS, LONG = 8, 14
"""Prompts of a chain, and tokens of one."""


def hops_work(request: HopsRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    own = [
        chain
        for chain in read_chains()
        if (not request.chains or chain.id in request.chains)
        and (not request.first or chain.first in request.first)
        and (not request.second or chain.second in request.second)
    ]
    count = min(len(own), request.limit or len(own))
    long, tried = put(request, "") + LONG, -(-shape.layers // request.stride)
    each = QUESTIONS * shape.forward(long) + READ * shape.layers * long
    each += tried * 2 * shape.forward(long) * request.knock_out
    each += tried**2 / 2 * shape.forward(long) * request.back_patch
    return count * each
