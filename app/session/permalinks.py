"""Requests as addresses: what a permalink says is what the form says.

Only fields that differ from their defaults are written, so links stay short and a changed
default does not change what an old link with that field means.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from pydantic import BaseModel, TypeAdapter, ValidationError

from analysis.errors import BadRequest, WorkbenchError
from analysis.study import Request

LONGEST = 80
"""Characters of a name, and of what is said of it, that a sentence shows."""
MOST = 8
"""Faults of a link that a sentence names."""


def to_query(request: Request) -> dict[str, str]:
    """Query parameters that reproduce the request."""
    return {name: _text(value) for name, value in request.given().items()}


def _text(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(part, dict) or _needs_json(str(part)) for part in value):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _needs_json(part: str) -> bool:
    """Whether a part of a list would be lost among the commas."""
    return "," in part or part.startswith("[") or not part


def link(page: str, request: Request) -> str:
    """Address, relative to the server, of a page with its form filled in."""
    return f"/{page}?{urlencode(to_query(request))}"


def own_request(result: Any) -> Request:
    """What a page's form is filled with where it asks for the request itself."""
    return result.request


@dataclass(frozen=True)
class Link:
    """What a link says: the request of all that could be read, and a few words on each field that was left out.

    `misfit`: why the fields, each right by itself, do not fit together. The form shows them so, and says it too.
    """

    request: Request
    faults: dict[str, str]
    misfit: str = ""

    def sentence(self) -> str:
        """What was left out and why; empty where nothing was."""
        return left_out(self.faults, self.misfit)


def left_out(faults: Mapping[str, str], misfit: str = "") -> str:
    """What of a link was left out and why, in one sentence; empty where nothing was."""
    shown = [f"{_cut(name)} ({_cut(said)})" for name, said in [*faults.items()][:MOST]]
    more = f" and {len(faults) - MOST} more" if len(faults) > MOST else ""
    parts = [f" Left out: {', '.join(shown)}{more}."] if shown else []
    parts += [f" Its fields do not fit together: {misfit.rstrip('.')}."] if misfit else []
    return f"The link could not be read in full.{''.join(parts)}" if parts else ""


def read(kind: type[Request], query: Mapping[str, str], needed: Mapping[str, Any] | None = None) -> Link:
    """The request of a link, whatever the link says; parameters that are not fields of it are left to others.

    What a link does not say, and what cannot be read of it, is as in `needed`, else at its default.
    """
    values = {name: _value(kind, name, query[name]) for name in kind.model_fields if name in query}
    faults: dict[str, str] = {}
    while True:
        try:
            return Link(kind(**{**(needed or {}), **values}), faults)
        except ValidationError as error:
            found: dict[str, tuple[str, str]] = {}
            for fault in error.errors(include_input=False, include_url=False, include_context=False):
                found.setdefault(str(fault["loc"][0]) if fault["loc"] else "", _fault(kind, fault))
            wrong = {name: said for name, said in found.items() if name in values}
            if not wrong:
                faults |= {place: said for name, (place, said) in found.items() if name and name not in (needed or {})}
                return Link(_as_said(kind, needed or {}, values), faults, found.get("", ("", ""))[1])
            faults |= dict(wrong.values())
            values = {name: value for name, value in values.items() if name not in wrong}
        except WorkbenchError as error:
            return Link(_as_said(kind, needed or {}, values), faults, str(error))


def _value(kind: type[Request], name: str, text: str) -> Any:
    annotation = kind.model_fields[name].annotation
    if "tuple" in str(annotation):
        return _several(text)
    return _nested(text) if nested_of(annotation) is not None else text


def _as_said(kind: type[Request], needed: Mapping[str, Any], values: dict[str, Any]) -> Request:
    """Fields that are right one by one, as a request that is not."""
    fields = kind.model_fields
    right: dict[str, Any] = {}
    for name, value in values.items():
        one: Any = Annotated[fields[name].annotation, fields[name]]  # type: ignore[name-defined]
        right[name] = TypeAdapter(one).validate_python(value)
    return kind.model_construct(**{**needed, **right})


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def nested_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, by itself or else nothing: None for fields of other kinds."""
    parts = [annotation, *get_args(annotation)]
    return next((one for one in parts if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _nested(text: str) -> Any:
    """The fields of a model within a request, as JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _several(text: str) -> Any:
    """The parts of a list: JSON where they are more than words, else separated by commas."""
    if text.startswith(("[{", '["')):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return [part for part in text.split(",") if part]


def validated(kind: type[BaseModel], values: dict[str, Any]) -> Any:
    """A request from loose values; `BadRequest` names every field at fault in one sentence each."""
    try:
        return kind(**values)
    except ValidationError as error:
        faults = [": ".join(_fault(kind, fault)) for fault in error.errors()]
        raise BadRequest("; ".join(faults) + ".") from error


WANTED = {
    "int_parsing": "a whole number is wanted",
    "int_parsing_size": "the number is too large",
    "int_from_float": "a whole number is wanted",
    "float_parsing": "a number is wanted",
    "bool_parsing": "yes or no is wanted",
    "finite_number": "a finite number is wanted",
}
"""What is said of a value that is nothing of its kind."""


def _fault(kind: type[BaseModel], fault: Any) -> tuple[str, str]:
    """The place of a fault, and what is wrong there."""
    place = ".".join(map(str, fault["loc"])) or kind.__name__
    said = _too_short(kind, place) if fault["type"] == "too_short" else WANTED.get(fault["type"], fault["msg"])
    return place, said.removeprefix("Value error, ")


def _too_short(kind: type[BaseModel], name: str) -> str:
    """What is wanted in a list that is empty, in words where its field is one of the request's own."""
    field = kind.model_fields.get(name)
    return f"choose at least one ({field.description})" if field and field.description else "choose at least one"
