"""Chains written over in lines of text."""

from app.studies.evaluate.reports.markdown import with_interval
from app.terminal.text import columns, model_line
from editors.cases.case import counted
from editors.chain_reach.result import ReachResult


def reach_summary(result: ReachResult) -> str:
    """For the terminal."""
    scores = result.scores()
    means = {name: result.mean(values) for name, values in scores.items()}
    rows = [
        (version, *(with_interval(100 * mean[at][0], 100 * mean[at][1], 0) for mean in means.values()), mean[at][2])
        for at, version in enumerate(result.versions)
        for mean in [next(iter(means.values()))]
    ]
    said = columns(rows, ("method", *(f"{name} %" for name in scores), "cases"))
    return "\n\n".join(
        [f"{model_line(result.model)}, {counted(len(result.request.cases), 'chain')}\n{said}", *result.faults]
    )
