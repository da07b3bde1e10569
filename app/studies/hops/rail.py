"""How chains stand on the rail of earlier runs."""

from analysis import HopsResult
from app.jobs.run_entry import Told


def hops_told(result: HopsResult) -> Told:
    """The question, or how many."""
    several = f"{len(result.chains)} chains"
    return several if len(result.chains) > 1 else result.chains[0].whole(), "hop by hop", None
