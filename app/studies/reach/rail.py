"""How chains written over stand on the rail of earlier runs."""

from app.jobs.run_entry import Told
from editors.chain_reach.result import ReachResult


def reach_told(result: ReachResult) -> Told:
    """The question, or how many."""
    several = f"{len(result.request.cases)} chains"
    title = several if len(result.request.cases) > 1 else result.request.cases[0].rewrites[0].text
    return title, "how far edits reach", None
