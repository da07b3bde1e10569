"""How a map of who moved stands on the rail of earlier runs."""

from app.jobs.run_entry import Told
from app.studies.moved.figure import moved_thumbnail
from editors.who_moved.result import MovedResult


def moved_told(result: MovedResult) -> Told:
    """Of which fact, and where the others stand."""
    return f"Who moved with {result.subjects[0]}", "moved", moved_thumbnail(result)
