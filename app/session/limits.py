"""What a public server takes: a whole request is bounded here, by its texts, its files and its work.

Nothing is bounded field by field: whatever a request is made long with, it is refused by what it would cost. On one's
own machine nothing is refused; the price is told.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from analysis.errors import BadRequest
from analysis.model.spec import ModelSpec
from analysis.moments.request import OWN, SHIPPED
from analysis.study import Request, Study
from app.charts.words import duration
from app.jobs.services import Services
from app.jobs.work import texts_of

CHARACTERS = 400
"""Of a prompt, an answer, a chat's text."""
CASE_CHARACTERS = 2_000
"""Of a text in a file of cases."""
ALL_CHARACTERS = 400_000
"""Of all texts of a request."""
WORK = 10_000_000
"""Passes of a token through a layer; at a usual pace some ten minutes with the embedded model."""
BY_WAY = ("cases", "chains")
"""Fields that are filled from files."""


def refuse(made: Services, study: Study, request: Request, spec: ModelSpec) -> None:
    """Raise `BadRequest` for what a public server does not run, with what to lower."""
    for name, value in _fields(request):
        if (name == "file" and value) or (name == "source" and value not in (OWN, SHIPPED)):
            raise BadRequest("This server reads no files of its own.")
    _refuse_long(request)
    work = made.work(study, request, spec)
    if work is not None and work > WORK:
        seconds, most = (duration(made.models.paces.seconds(study.name, much, spec)) for much in (work, WORK))
        raise BadRequest(
            f"This run would take about {seconds}; this server takes runs of about {most} at most. "
            f"{_heaviest(made, study, request, spec, work)}."
        )


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of a request and of what it holds, cases of files left out: they name no files."""
    for name in type(value).model_fields:
        held = getattr(value, name)
        yield name, held
        for part in held if isinstance(held, tuple) else (held,):
            if isinstance(part, BaseModel):
                yield from _fields(part)


def _refuse_long(request: Request) -> None:
    whole = 0
    for name in type(request).model_fields:
        most = CASE_CHARACTERS if name in BY_WAY else CHARACTERS
        for text in texts_of(getattr(request, name)):
            whole += len(text)
            if len(text) > most:
                where = "texts of cases" if name in BY_WAY else "prompts"
                raise BadRequest(
                    f"This server takes {where} of at most {most:,} characters; “{text[:30]}…” has {len(text):,}."
                )
            if whole > ALL_CHARACTERS:
                raise BadRequest(f"This server takes requests of at most {ALL_CHARACTERS:,} characters in all.")


def _heaviest(made: Services, study: Study, request: Request, spec: ModelSpec, work: float) -> str:
    """What to lower: the fields that save most when they are halved, each with what it says."""
    saved: dict[str, float] = {}
    for name in type(request).model_fields:
        if (less := _halved(held := getattr(request, name))) is not None:
            do = f"shorten the {name}" if isinstance(held, str) else f"lower {name}"
            left = made.work(study, request.model_copy(update={name: less}), spec) or 0.0
            saved[f"{do} ({_said(held)})"] = work - left
    best = [name for name in sorted(saved, key=lambda name: -saved[name]) if saved[name] > work / 10]
    prompts = sum(len(getattr(case, "probes", ())) for case in getattr(request, "cases", ()))
    if not best and prompts:
        return f"Lower the prompts of its cases ({prompts:,})"
    told = " or ".join(best[:2]) or "ask for less"
    return told[0].upper() + told[1:]


def _halved(value: Any) -> Any:
    """Half as much of a field; None for one that is no amount."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value // 2 if value > 1 else None
    if isinstance(value, tuple):
        return value[: len(value) // 2] if len(value) > 1 else None
    return value[: len(value) // 2] if isinstance(value, str) and " " in value else None


def _said(value: Any) -> str:
    if isinstance(value, str):
        return f"{len(value):,} characters"
    return f"{value if isinstance(value, int) else len(value):,}"
