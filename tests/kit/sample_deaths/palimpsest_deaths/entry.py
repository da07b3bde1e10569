"""What the study says of itself."""

from typing import Any

from app.registry.entry import Entry


def rows(result: Any) -> list[dict[str, Any]]:
    """One row."""
    return [{"done": result.done}]


DEATHS = Entry(
    name="deaths",
    question="How does it end?",
    does="end as it is told to",
    request="palimpsest_deaths:DeathsRequest",
    result="palimpsest_deaths:DeathsResult",
    run="palimpsest_deaths:deaths",
    table="palimpsest_deaths.entry:rows",
    resumable=True,
)
