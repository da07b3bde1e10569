"""Any study over any cases: one request for each case and each setting of the fields that vary.

Requests are plain data with a content hash, so a sweep needs no bookkeeping of its own: what is stored is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args, get_origin

from analysis.errors import BadRequest, WorkbenchError
from analysis.study import Request, Study
from app.registry.studies import ENTRIES
from app.session.permalinks import nested_of, validated
from editors.cases.case import Case


@dataclass(frozen=True)
class Unit:
    """One request of a sweep."""

    case: str
    setting: str  # the fields that vary, as name=value
    request: Request


def planned(
    study: Study, cases: Sequence[Case], fields: Mapping[str, Any], vary: Sequence[str]
) -> tuple[list[Unit], list[str]]:
    """Every request of a sweep, cases first, and a sentence for each fact or case that does not fit the study.

    `vary`: words such as noise=1,3; every combination is taken, and a list among the values is written 4+5.
    `BadRequest` for fields the study does not have, or when nothing is left.
    """
    settings = list(product(*(_choices(study, word) for word in vary)))
    units: list[Unit] = []
    entry = ENTRIES[study.name]
    takers, split = entry.takers(), entry.read("split") if entry.split else lambda request: [request]
    faults: list[str] = []
    each = [one for number, case in enumerate(cases) for one in _asked(study, case.id or str(number), case)]
    for name, case in each:
        for setting in settings:
            varied = {field: value for field, value, _ in setting}
            try:
                taken = {field: take(case) for field, take in takers.items()}
                request = validated(study.request, {**taken, **fields, **varied})
            except WorkbenchError as error:
                faults.append(f"{name}: {error}")
                continue
            units += [Unit(name, ", ".join(said for *_, said in setting), part) for part in split(request)]
    if not units:
        raise BadRequest("\n".join(faults[:5]) or "There are no cases.")
    return units, faults


def _asked(study: Study, name: str, case: Case) -> list[tuple[str, Case]]:
    """A case as a study asks of it, with its name; a study of one prompt asks of each of the case's facts."""
    if "prompt" not in ENTRIES[study.name].from_case:
        return [(name, case)]
    return [
        (name if place == 1 else f"{name}, fact {place}", replace(case, rewrites=(rewrite,), olds=(old,)))
        for place, (rewrite, old) in enumerate(zip(case.rewrites, case.olds, strict=True), start=1)
    ]


def _choices(study: Study, word: str) -> list[tuple[str, Any, str]]:
    """Field, value and how it is told, for every value of one --vary."""
    name, mark, values = word.partition("=")
    field = name.strip().replace("-", "_")
    given = [value.strip() for value in values.split(",") if value.strip()]
    nested = {name for name, info in study.request.model_fields.items() if nested_of(info.annotation) is not None}
    free = sorted(set(study.request.model_fields) - set(ENTRIES[study.name].from_case) - nested)
    if not mark or not given or field not in free:
        raise BadRequest(f"--vary is “{word}”; it is written field=value,value, and may name {', '.join(free)}.")
    annotation = study.request.model_fields[field].annotation
    lists = any(get_origin(part) is tuple for part in (annotation, *get_args(annotation)))
    return [(field, tuple(one.split("+")) if lists else one, f"{field}={one}") for one in given]
