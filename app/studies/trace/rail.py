"""How traces stand on the rail of earlier runs."""

from analysis import AverageResult, TraceResult
from app.jobs.run_entry import Told
from app.studies.trace.average_figure import average_thumbnail
from app.studies.trace.figure import thumbnail
from editors.cases.case import counted

SHORT_KIND = {
    "state": "states",
    "mlp": "MLP",
    "attn": "attention",
    "severed_mlp": "cut MLPs",
    "severed_attn": "cut attention",
}


def trace_told(result: TraceResult) -> Told:
    """Subject, kinds, picture."""
    kinds = ", ".join(SHORT_KIND[kind] for kind in result.grids)
    return result.request.subject, kinds, thumbnail(result)


def average_told(result: AverageResult) -> Told:
    """How many facts."""
    return f"{counted(len(result.ids), 'fact')}", "average", average_thumbnail(result)
