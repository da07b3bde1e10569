"""How a finished run stands on the rail: title, a line below, a thumbnail."""

from typing import Any

from analysis.study import Study
from app.jobs.history import Run, now
from app.registry.studies import ENTRIES

Told = tuple[str, str, list[list[float]] | None]
"""Title, a line below, thumbnail."""


def run_of(study: Study, key: str, result: Any, *, stopped: bool = False) -> Run:
    """The rail's entry of a result; `stopped`: it was cancelled, so that parts may be missing."""
    entry = ENTRIES[study.name]
    title, note, picture = entry.read("rail")(result) if entry.rail else (type(result).__name__, "", None)
    complete = getattr(result, "complete", not stopped)
    return Run(
        key=key,
        study=study.name,
        title=title,
        note=note if complete else f"{note}, stopped",
        request=result.request.model_dump(mode="json"),
        model=result.model["name"],
        thumbnail=picture,
        complete=complete,
        seconds=getattr(result, "provenance", {}).get("seconds", 0.0),
        created_at=now(),
    )
