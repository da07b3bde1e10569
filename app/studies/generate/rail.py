"""How texts stand on the rail of earlier runs."""

from app.jobs.run_entry import Told
from editors.generation.result import Generated


def generated_told(result: Generated) -> Told:
    """The first prompt."""
    return result.request.prompt[0], "goes on", None
