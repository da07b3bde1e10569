"""How much going on with a prompt is: one pass a token, of the model as it was and with the edits."""

from app.jobs.work import Shape, put
from editors.generation.result import GenerateRequest


def generate_work(request: GenerateRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    return sum(shape.written(put(request, prompt), request.tokens) for prompt in request.prompt)
