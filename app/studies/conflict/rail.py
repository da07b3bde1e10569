"""How memory and page stand on the rail of earlier runs."""

from analysis import ConflictResult, HeadsResult, KnockoutResult
from app.jobs.run_entry import Told
from app.studies.conflict.figure import heads_thumbnail, knockout_thumbnail


def heads_told(result: HeadsResult) -> Told:
    """The two answers."""
    return f"{result.memory} or {result.context}", "heads", heads_thumbnail(result)


def conflict_told(result: ConflictResult) -> Told:
    """How many conflicts."""
    return f"{len(result.examples)} conflicts", "heads, many facts", heads_thumbnail(result)


def knockout_told(result: KnockoutResult) -> Told:
    """How many conflicts."""
    return f"{len(result.examples)} conflicts", "roads cut", knockout_thumbnail(result)
