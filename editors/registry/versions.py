"""Versions of a comparison: a method, and what it is to have beside, as in rome+sadr or memit+protect+sadr.

What stands behind a + is set once here: its words, and the field a method must read to have it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from analysis.one_of import stored
from editors.registry.methods import METHODS, NO_EDIT, writing


@dataclass(frozen=True)
class Extra:
    """Something a method may have beside."""

    label: str
    """As people read it."""
    reads: str
    """Field of the request that a method must read."""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What is asked for; what depends on the comparison is filled in there."""
    of: str = ""
    """Another thing beside, without which it means nothing."""


ENOUGH = 0.9
"""Probability at which a search that keeps answers ends. Of a hundred facts (bench locality) at .9 PS is 88.5, NS 95.6,
DNS 90.8, RS 82.7; at .97 PS 91.0, NS 94.1, DNS 89.0, RS 76.3: other wordings are paid for with the rest."""

EXTRAS = {
    "sadr": Extra("SADR", "sadr", {"sadr": 0.1}),
    "protect": Extra("protected neighbours", "protect_keys"),
    "firm": Extra("firm protection", "protect_keys", {"protect_weight": 1.0}, of="protect"),
    "values": Extra("kept answers", "others_weight", {"others_weight": 1.0, "behind_weight": 1.0, "stop_at": ENOUGH}),
    "lti": Extra(
        "a teacher (LTI)", "lti_subject", {"lti_subject": 0.0425, "lti_output": 0.0725, "answer_weight": 0.35}
    ),
    "early": Extra("an early stop", "stop_after", {"stop_after": 3}),
    "gentle": Extra("a gentle search", "kl", {"rate": 0.1, "steps": 100}),
    "anchored": Extra("anchored lengths", "norm_anchor", {"norm_anchor": True}),
    "subjects": Extra("all stored subjects protected", "subjects_weight", {"subjects_weight": 0.3}),
}
"""By what stands behind the +, in the order they are said."""


def method_in(version: str) -> str:
    """The method of a version."""
    return version.partition("+")[0]


def extras_in(version: str) -> tuple[str, ...]:
    """What a version has beside."""
    return tuple(version.split("+")[1:])


def version_of(method: str, extras: Sequence[str]) -> str:
    """A version's one name: its extras in their order."""
    return "+".join((method, *(one for one in EXTRAS if one in extras)))


def offers(method: str, extra: str) -> bool:
    """Whether a method may have this beside."""
    own = METHODS[method]
    return bool(own.write) and extra not in own.without and EXTRAS[extra].reads in own.uses


def asked_by(version: str) -> dict[str, Any]:
    """Fields of the request that a version sets, but those that depend on what is compared."""
    return {name: value for extra in extras_in(version) for name, value in EXTRAS[extra].fields.items()}


def settled_version(version: str) -> str:
    """A version said in its one way; `ValueError` for one there is none of, with those there are."""
    method, extras = method_in(version), extras_in(version)
    if method not in METHODS or not all(extra in EXTRAS and offers(method, extra) for extra in extras):
        each = "; ".join(
            f"+{extra} with {', '.join(name for name in writing() if offers(name, extra))}" for extra in EXTRAS
        )
        raise ValueError(f"there is no method “{version}”; take {', '.join(METHODS)}, or {each}")
    for extra in extras:
        if (other := EXTRAS[extra].of) and other not in extras:
            raise ValueError(f"+{extra} goes with +{other}; take {version_of(method, (*extras, other))}")
    return version_of(method, extras)


@dataclass(frozen=True)
class _OneVersion:
    """Stands in `Annotated[str, …]`: says a version in its one way, and refuses others unless they were stored."""

    def _checked(self, version: str, info: ValidationInfo) -> str:
        return version if stored(info) else settled_version(version)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._checked, handler(source))


VersionName = Annotated[str, _OneVersion()]


def compared() -> list[str]:
    """What a comparison offers: all that write facts, and the first of them with each thing beside it as well."""
    first = writing()[0]
    return [
        *writing(),
        *(version_of(first, (extra,)) for extra in EXTRAS if offers(first, extra) and not EXTRAS[extra].of),
    ]


def label_of(version: str) -> str:
    """A version as people read it; the bare name of a method that is absent here."""
    name, extras = method_in(version), extras_in(version)
    label = "No edit" if name == NO_EDIT else METHODS[name].label if name in METHODS else name
    words = [EXTRAS[extra].label if extra in EXTRAS else extra for extra in extras]
    return f"{label} with {' and '.join(words)}" if words else label
