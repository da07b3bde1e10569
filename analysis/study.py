"""One idea for everything a person does: request, run, result.

A study is a frozen request, a function that runs it on a loaded model, and a typed result of
plain data and numpy arrays. Page, command and notebook call the same function; cache key,
permalink, export and history follow from the request alone.
"""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import UnionType
from typing import Any, ClassVar, Literal, Protocol, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from analysis.one_of import STORED


class Request(BaseModel):
    """Base of all requests: frozen, hashable, JSON both ways; a mistyped field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    edition: ClassVar[int] = 0
    """Raised when the same request has come to mean other numbers: what was stored before is then computed anew."""
    later: ClassVar[tuple[str, ...]] = ()
    """Fields that came after results had been stored: not said at their defaults, so that keys and ids stay."""
    units: ClassVar[dict[str, str]] = {}
    """Of its numbers, by field, as of a result's: of what a count is, or the unit; share, weight, seed for the rest."""

    @model_serializer(mode="wrap")
    def _without_later(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in whole(self).items()
            if name not in self.later or getattr(self, name) != fields[name].get_default()
        }

    def own_edition(self) -> int:
        """The class's edition; a later one for those of its requests that alone have come to mean other numbers."""
        return self.edition

    def needs(self) -> tuple[str, ...]:
        """What of `analysis.model.capabilities` a model must have for this."""
        return ()

    def refuse(self, read: Callable[[str], Any]) -> None:
        """Raise `BadRequest` for what a tokenizer alone shows cannot be run; `read` gives the tokens of a prompt.

        A form asks before a run waits in line. The run itself says the same, whether or not it was asked.
        """

    def key(self, model: str) -> str:
        """Content hash of this request on the model with weights hash `model`."""
        edition = self.own_edition()
        said = [type(self).__name__, model, self.model_dump(mode="json"), *([edition] if edition else [])]
        content = json.dumps(said, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:24]

    def given(self) -> dict[str, Any]:
        """Fields that differ from their defaults, as plain JSON data: what a link or a command must say."""
        return self.model_dump(mode="json", exclude_defaults=True)


class Report(Protocol):
    """How a run tells its progress. It may raise `Cancelled` to end the run."""

    def __call__(self, done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        """`done` of `total` steps; `share` of the work, where steps differ in cost; `partial`, the result so far."""


def silent(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
    """A report nobody listens to."""


def within(report: Report, done: int, total: int, note: str) -> Report:
    """A report for what is run inside one step: it says the step and lets a cancel through, whatever goes on within.

    Partial results from within are another study's, so they are not passed on.
    """

    def told(*_: Any, **__: Any) -> None:
        report(done, total, note)

    return told


def stretch(report: Report, begin: float, end: float, title: str = "") -> Report:
    """A report for a stretch of the work, from one share of it to another; `title` is said where nothing else is."""

    def told(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        part = share if share is not None else done / max(total, 1)
        report(done, total, note or title, partial, begin + (end - begin) * part)

    return told


@dataclass(frozen=True)
class Study:
    """A registered kind of run: name, request and result types, and the function between them."""

    name: str
    request: type[Request]
    result: type
    run: Callable[..., Any]
    resumable: bool = False
    """Whether `run` takes `resume_from`, a stopped result of the same request."""
    on_edits: bool = False
    """Whether `run` takes `stack`, the edits that are on, and applies them itself; they are applied for all others."""
    passing: bool = False
    """Whether its results are looked at once and need no place among the earlier runs."""
    parts: str = ""
    """Study its parts are runs of; `run` then takes `part`, a function that runs one or finds it stored."""
    kept: bool = True
    """Whether results are stored and listed; not those that are files of their own."""


def edited_hash(own: str, edits: Sequence[str]) -> str:
    """Identity of weights with edits over them, in this order; without edits their own."""
    return hashlib.sha256("|".join((own, *edits)).encode()).hexdigest() if edits else own


def provenance(seconds: float) -> dict[str, Any]:
    """Versions, time and duration, kept with every result."""
    packages = ("torch", "transformers", "transformer-lens", "numpy")
    return {
        "palimpsest": _version("palimpsest"),
        "versions": {name: _version(name) for name in packages} | {"python": platform.python_version()},
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@dataclass(frozen=True)
class StoredAs:
    """Beside a field's type, by `Annotated`: stored results have the field by this name, its values in `words`."""

    name: str
    words: Mapping[str, str] = field(default_factory=dict)


@cache
def _stored(kind: type) -> dict[str, StoredAs]:
    """How every field of a result is stored, by its name."""
    hints = get_type_hints(kind, include_extras=True)
    said = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {
        one.name: next((beside for beside in said[one.name] if isinstance(beside, StoredAs)), StoredAs(one.name))
        for one in dataclasses.fields(kind)
    }


def pack(value: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """A result as plain JSON data and the arrays it refers to, `{"$array": name}` in their place.

    Fields that came after results had been stored, its class's `came_later`, are left out where they are None: what was
    stored before is packed as it was, and so are its hashes.
    """
    arrays: dict[str, np.ndarray] = {}

    def flat(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {"$array": name}
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {
                stored.name: flat(stored.words[own] if stored.words else own)
                for name, stored in _stored(type(value)).items()
                for own in [getattr(value, name)]
                if own is not None or name not in getattr(type(value), "came_later", ())
            }
        if isinstance(value, dict):
            return {str(key): flat(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [flat(item) for item in value]
        return value

    return flat(value), arrays


def _kept(kind: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Fields of a result to read; one that came after it was stored, and has a default, need not be there."""
    nothing, found = dataclasses.MISSING, {}
    for one in dataclasses.fields(kind):
        stored = _stored(kind)[one.name]
        if stored.name in data or (one.default is nothing and one.default_factory is nothing):
            back = {word: own for own, word in stored.words.items()}
            found[one.name] = back[data[stored.name]] if back else data[stored.name]
    return found


def unpack(kind: Any, data: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `pack`: a value of the annotated type `kind` from plain data and arrays.

    Data of another form raises `TypeError`, `ValueError` or `LookupError`, or what the result says of itself.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any or (data is None and type(None) in (kind, *parts)):
        return data
    if isinstance(data, dict) and data.keys() == {"$array"}:
        return arrays[data["$array"]]
    if origin is UnionType:
        return unpack(next(part for part in parts if part is not type(None)), data, arrays)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate(data, context=STORED)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: unpack(hints[name], item, arrays) for name, item in _kept(kind, data).items()})
    _of_form(kind, origin or kind, data)
    if origin is dict:
        return {key: unpack(parts[1], value, arrays) for key, value in data.items()}
    if origin is list:
        return [unpack(parts[0], value, arrays) for value in data]
    if origin is tuple:
        kinds = [parts[0]] * len(data) if parts[-1] is Ellipsis else parts
        return tuple(unpack(part, value, arrays) for part, value in zip(kinds, data, strict=True))
    return data


FORMS: dict[Any, tuple[type, ...]] = {
    bool: (bool,), int: (int,), float: (float, int), str: (str,), dict: (dict,), list: (list,), tuple: (list,),
}  # fmt: skip
"""What JSON holds for a value of a type."""


def _of_form(kind: Any, form: Any, data: Any) -> None:
    """Raise where plain data is of another type than the annotation says."""
    wanted = FORMS.get(form)
    fits = data in get_args(kind) if form is Literal else wanted is None or type(data) in wanted
    if form is np.ndarray or not fits:
        raise TypeError(f"{str(data)[:40]} stands where {kind} is wanted")
    if form is float:
        float(data)  # a whole number may be too large for one
