"""How known facts stand on the rail of earlier runs."""

from analysis import KnownResult
from app.jobs.run_entry import Told


def known_told(result: KnownResult) -> Told:
    """How many are known."""
    return f"{int(result.correct.sum())} of {len(result.ids)} known", "facts", None
