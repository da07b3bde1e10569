"""How a run stands on the rail: its title, what it was, its little picture."""

from functools import singledispatch
from typing import Any

from analysis import AverageResult, KnownResult, LensResult, TraceResult
from analysis.study import Study
from app.charts.average_maps import average_thumbnail
from app.charts.lens_map import lens_thumbnail
from app.charts.trace_maps import thumbnail
from app.history import Run, now

Face = tuple[str, str, list[list[float]] | None]
"""Title, note, thumbnail."""


def run_of(study: Study, key: str, result: Any) -> Run:
    """The entry of a result in the history."""
    title, note, picture = face(result)
    return Run(
        key=key,
        study=study.name,
        title=title,
        note=note,
        request=result.request.model_dump(mode="json"),
        model=result.model["name"],
        thumbnail=picture,
        complete=getattr(result, "complete", True),
        seconds=getattr(result, "provenance", {}).get("seconds", 0.0),
        created_at=now(),
    )


@singledispatch
def face(result: Any) -> Face:
    """Title, note and thumbnail of a result."""
    return type(result).__name__, "", None


@face.register
def _trace(result: TraceResult) -> Face:
    return result.request.subject, "trace" if result.complete else "trace, stopped", thumbnail(result)


@face.register
def _average(result: AverageResult) -> Face:
    return f"{len(result.ids)} facts", "average", average_thumbnail(result)


@face.register
def _lens(result: LensResult) -> Face:
    return result.request.prompt, "lens", lens_thumbnail(result)


@face.register
def _known(result: KnownResult) -> Face:
    return f"{int(result.correct.sum())} of {len(result.ids)} facts known", "facts", None
