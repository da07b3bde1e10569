"""How much going on with a prompt is: one pass a token, and many a text ends before its last."""

from app.jobs.work import EARLY, Shape, put
from editors.generation.result import GenerateRequest


def generate_work(request: GenerateRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    return sum(shape.written(put(request, prompt), EARLY * request.tokens) for prompt in request.prompt)
