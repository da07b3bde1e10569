"""What a comparison protects where a version is to protect neighbours: never what it scores."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from editors.cases.case import Case
from editors.edit.request import Protected
from editors.evaluation.comparison import Comparison
from editors.methods.protection.like_subjects import scored_subjects
from editors.methods.protection.protected_prompts import OTHERS
from editors.registry.versions import asked_by, extras_in

SCORED = ("neighbour", "distracting")
"""Kinds of prompts that go with a neighbour."""


def scored(request: Comparison) -> tuple[Case, ...]:
    """The cases with the prompts that are scored: of halved ones, the second half of each fact's neighbours."""
    if not request.halved:
        return request.cases
    return tuple(
        replace(case, probes=tuple(p for at, p in enumerate(case.probes) if at not in set(_first_half(case, SCORED))))
        for case in request.cases
    )


def beside(request: Comparison, version: str) -> dict[str, Any]:
    """Fields of an edit of all cases: what its version has beside."""
    extras, asked = extras_in(version), asked_by(version)
    if "sadr" in extras:
        asked["sadr"] = request.sadr
    for extra, fields in (("protect", protection), ("values", kept_answers), ("subjects", held_out)):
        if extra in extras:
            asked |= fields(request)
    return asked


def protection(request: Comparison) -> dict[str, Any]:
    """Fields of an edit of all cases: whom to protect, and who is held out because a score is taken of them."""
    if not request.halved:
        return {"protect_keys": "relation", **held_out(request)}
    halves = [case.probes[at].prompt for case in request.cases for at in _first_half(case, ("neighbour",))]
    left = {probe.prompt for case in scored(request) for probe in case.probes}
    named = (Protected(prompt=prompt) for prompt in dict.fromkeys(halves) if prompt not in left and "{}" not in prompt)
    return {"protected": tuple(named)}


def kept_answers(request: Comparison) -> dict[str, Any]:
    """Fields of an edit of all cases: prompts whose answers stay, none of them scored, and subjects that are not asked.

    The weights, and where the search ends, are the version's own.
    """
    probes = [probe for case in scored(request) for probe in case.probes]
    asked = {probe.prompt for probe in probes}
    subjects = {rewrite.subject for case in request.cases for rewrite in case.rewrites}
    others = tuple(text for text in OTHERS if not any(text.replace("{}", one) in asked for one in subjects))
    return {"others": others, **held_out(request)}


def held_out(request: Comparison) -> dict[str, Any]:
    """Subjects a score is taken of, as the field of an edit that says so."""
    return {"held_out": scored_subjects(probe for case in scored(request) for probe in case.probes)}


def beside_in_stream(version: str, cases: Sequence[Case]) -> dict[str, Any]:
    """Fields of every edit of a stream: what its version has beside, the same subjects held out of each.

    Held out are all that are scored or written anywhere in the stream, so that all edits have one normal matrix where
    they protect all stored subjects together.
    """
    extras, asked = extras_in(version), asked_by(version)
    if not {"protect", "values", "subjects"} & {*extras}:
        return asked
    scored_ones = scored_subjects(probe for case in cases for probe in case.probes)
    written = (rewrite.subject for case in cases for rewrite in case.rewrites)
    keys = {"protect_keys": "relation"} if "protect" in extras else {}
    return asked | keys | {"held_out": tuple(dict.fromkeys((*scored_ones, *written)))}


def _first_half(case: Case, kinds: Iterable[str]) -> list[int]:
    """Places of the first half of a case's prompts of each of these kinds, fact by fact; of an odd one more is left."""
    found: list[int] = []
    for kind in kinds:
        for fact in range(len(case.rewrites)):
            own = [at for at, probe in enumerate(case.probes) if probe.kind == kind and probe.fact == fact]
            found += own[: len(own) // 2]
    return found
