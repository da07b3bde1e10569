"""What a sweep leaves behind: a small file that names its requests' results, and how to read them back together."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from analysis.errors import BadFile, BadRequest
from analysis.model.spec import ModelSpec
from app.exports.tables import table
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from app.sweeps.plan import Unit
from app.sweeps.sweep import Swept

LARGEST = 256 << 20
"""Bytes."""


class Entry(BaseModel):
    """One request, by what it was made of and the key of its result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    setting: str
    key: str


class SweepFile(BaseModel):
    """A sweep that was run, whole or in part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    model: ModelSpec
    name: str
    weights_hash: str
    entries: tuple[Entry, ...]
    refused: dict[str, str] = {}
    """Key and sentence."""
    left_out: tuple[str, ...] = ()
    """Cases that do not fit the study, and why."""


def file_of(
    study: str, model: ModelSpec, engine: Any, units: list[Unit], swept: Swept, left_out: list[str]
) -> SweepFile:
    """The file of a sweep that has ended."""
    entries = tuple(
        Entry(case=unit.case, setting=unit.setting, key=key) for unit, key in zip(units, swept.keys, strict=True)
    )
    return SweepFile(
        study=study,
        model=model,
        name=engine.name,
        weights_hash=engine.own_hash,
        entries=entries,
        refused=swept.refused,
        left_out=tuple(left_out),
    )


def read_sweep(place: Path) -> SweepFile:
    """The file of a sweep; `BadFile` where it is none."""
    try:
        if place.stat().st_size > LARGEST:
            raise BadFile(f"{place} is too large for the file of a sweep.")
        found = SweepFile.model_validate(json.loads(place.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise BadFile(f"There is no file {place}. `palimpsest sweep` writes one and says where.") from error
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise BadFile(f"{place} is not the file of a sweep. `palimpsest sweep` writes one.") from error
    if found.study not in STUDIES:
        raise BadFile(f"{place} is of a study “{found.study}”, which there is not.")
    return found


def results(sweep: SweepFile, store: ResultStore) -> Iterator[tuple[Entry, Any]]:
    """Each request's result, in order; those that are not there are passed over. `Unreadable` where one that is there
    cannot be read now: a report would leave it out."""
    for entry in sweep.entries:
        if (found := store.read(STUDIES[sweep.study], entry.key)) is not None:
            yield entry, found


def wholes(sweep: SweepFile, store: ResultStore) -> dict[str, Any]:
    """What the results of each setting are parts of, over the cases whose parts are all there.

    `BadRequest` for another study, or where no case is whole.
    """
    entry = ENTRIES[sweep.study]
    if not entry.join:
        raise BadRequest(f"This sweep is of “{sweep.study}”; only evaluations have a report. Take --csv or --json.")
    wanted: dict[tuple[str, str], int] = {}
    for one in sweep.entries:
        place = (one.setting, one.case)
        wanted[place] = wanted.get(place, 0) + 1
    there: dict[tuple[str, str], list[Any]] = {}
    for one, result in results(sweep, store):
        there.setdefault((one.setting, one.case), []).append(result)
    parts: dict[str, list[Any]] = {}
    for place, count in wanted.items():
        if len(own := there.get(place, [])) == count:
            parts.setdefault(place[0], []).extend(own)
    if not parts:
        raise BadRequest("No case of this sweep has all its results. Run the same sweep again; it goes on from there.")
    whole = entry.read("join")
    return {setting: whole(own) for setting, own in parts.items()}


def whole_table(sweep: SweepFile, store: ResultStore) -> pd.DataFrame:
    """All results' tables one below another, with case and setting."""
    if ENTRIES[sweep.study].join:
        return pd.concat(
            [table(one).assign(setting=setting) for setting, one in wholes(sweep, store).items()],
            ignore_index=True,
        )
    frames = [table(result).assign(case=entry.case, setting=entry.setting) for entry, result in results(sweep, store)]
    if not frames:
        raise BadRequest("None of this sweep's results is stored. Run the same sweep again.")
    return pd.concat(frames, ignore_index=True)
