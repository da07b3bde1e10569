"""How an edit stands on the rail of earlier runs."""

from app.jobs.run_entry import Told
from editors.edit.edit import Edit


def edit_told(result: Edit) -> Told:
    """What is said now, and the method."""
    return result.title, f"edit, {result.request.method}", None
