"""Requests as addresses: what a permalink says is what the form says.

Only fields that differ from their defaults are written, so links stay short and a changed
default does not change what an old link with that field means.
"""

import json
from typing import Any, get_args
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from analysis.errors import BadRequest
from analysis.study import Request


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


def from_query(kind: type[Request], query: dict[str, str]) -> Request:
    """The request of a link; parameters that are not fields of it are left to others.

    Raises `BadRequest` with every field at fault.
    """
    values: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name in query:
            several, nested = "tuple" in str(field.annotation), nested_of(field.annotation) is not None
            values[name] = _several(query[name]) if several else _nested(query[name]) if nested else query[name]
    return validated(kind, values)


def nested_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, by itself or else nothing: None for fields of other kinds."""
    parts = [annotation, *get_args(annotation)]
    return next((one for one in parts if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _nested(text: str) -> Any:
    """The fields of a model within a request, as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _several(text: str) -> Any:
    """The parts of a list: JSON where they are more than words, else separated by commas."""
    if text.startswith(("[{", '["')):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return [part for part in text.split(",") if part]


def validated(kind: type[BaseModel], values: dict[str, Any]) -> Any:
    """A request from loose values; `BadRequest` names every field at fault in one sentence each."""
    try:
        return kind(**values)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            place = ".".join(map(str, fault["loc"])) or kind.__name__
            said = _too_short(kind, place) if fault["type"] == "too_short" else fault["msg"]
            faults.append(f"{place}: {said.removeprefix('Value error, ')}")
        raise BadRequest("; ".join(faults) + ".") from error


def _too_short(kind: type[BaseModel], name: str) -> str:
    """What is wanted in a list that is empty, in words where its field is one of the request's own."""
    field = kind.model_fields.get(name)
    return f"choose at least one ({field.description})" if field and field.description else "choose at least one"
