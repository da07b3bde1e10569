"""How much drift is: heads, then layers of heads set back one at a time, from each token on."""

from app.jobs.work import READ, Shape, put
from editors.attention_drift.result import DriftRequest, DriftsRequest, PatchRequest

PROMPTS, LONG = 4, 24
"""Test prompts of a task for an edit of one fact (over the stored facts 3 and 5), and tokens of one."""


def drift_work(request: DriftRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    tokens = put(request, request.prompt)
    half = shape.layers / 2
    each = {
        "heads": shape.layers * shape.heads * (half * tokens + READ),
        "layers": shape.layers * (half * tokens + READ),
        "mlp": shape.layers * tokens * (half * tokens / 2 + READ),
        "attn": shape.layers * tokens * (half * tokens / 2 + READ),
    }
    return 6 * shape.forward(tokens) + sum(each[grid] for grid in request.grids)


def patch_work(request: PatchRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    return 8 * shape.forward(put(request, request.prompt))


def drifts_work(request: DriftsRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    return PROMPTS * len(request.tasks) * 8 * shape.forward(put(request, "") + LONG)
