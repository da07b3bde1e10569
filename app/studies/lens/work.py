"""How much a lens is: every state of a prompt is read through the head."""

from analysis import LensRequest
from app.jobs.work import READ, Shape, put


def lens_work(request: LensRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    tokens = put(request, request.prompt)
    return 3 * shape.forward(tokens) + READ * shape.layers * tokens
