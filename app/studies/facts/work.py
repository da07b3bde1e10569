"""How much asking for stored facts is: a forward each, of so few tokens that it costs more than they are."""

from analysis import KnownRequest, read_facts
from app.jobs.work import Shape, put
from app.studies.trace.work import ASKED


def facts_work(request: KnownRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    count = sum(not request.relations or fact.relation in request.relations for fact in read_facts())
    return 1.3 * count * shape.forward(put(request, "") + ASKED)
