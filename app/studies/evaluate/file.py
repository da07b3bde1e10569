"""Reads back the JSON of an evaluation, so that a verdict can be worked out again from its numbers by anyone."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from analysis.errors import BadFile
from editors.evaluation.result import PROTOCOLS, EvaluateRequest, EvaluateResult

LARGEST = 512 << 20
"""Bytes."""


@dataclasses.dataclass(frozen=True)
class EvaluationFile:
    """An evaluation as it lay in a file."""

    result: EvaluateResult
    gate: dict[str, Any] | None  # what the file says of the gate it was run under
    sha256: str  # of the file


def read_evaluation(place: Path) -> EvaluationFile:
    """The evaluation `palimpsest evaluate --json` wrote there; `BadFile` where it is none."""
    try:
        if place.stat().st_size > LARGEST:
            raise BadFile(f"{place} is larger than {LARGEST >> 20} MB. Evaluate fewer cases in one file.")
        raw = place.read_bytes()
        data = json.loads(raw)
        if not isinstance(data, dict) or data.get("study") != "evaluate":
            raise BadFile(f"{place} is not an evaluation. Make one with palimpsest evaluate --json {place}.")
        return EvaluationFile(_result(data), data.get("gate"), hashlib.sha256(raw).hexdigest())
    except OSError as error:
        raise BadFile(f"{place} cannot be read ({error.strerror or error}). Name the JSON of an evaluation.") from error
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise BadFile(
            f"{place} is not an evaluation that can be read ({type(error).__name__}: {str(error).splitlines()[0]}). "
            "Make it anew with palimpsest evaluate --json."
        ) from error


def _result(data: dict[str, Any]) -> EvaluateResult:
    values: dict[str, Any] = {}
    for one in dataclasses.fields(EvaluateResult):
        if one.name not in data:
            if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
                raise ValueError(f"{one.name} is missing")
            continue
        part = data[one.name]
        if one.name == "request":
            values[one.name] = EvaluateRequest.model_validate(part)
        elif one.type is np.ndarray:
            values[one.name] = np.array(part, dtype=int if one.name == "case" else float)  # null becomes NaN
        else:
            values[one.name] = part
    given = list(data["protocols"])  # an older file may have fewer, or another order
    rows, versions, prompts = values["values"], values["versions"], len(values["prompts"])
    if rows.shape != (len(versions), len(given), prompts) or not len(values["kinds"]) == len(values["case"]) == prompts:
        raise ValueError(f"values are {rows.shape}, not ({len(versions)}, {len(given)}, {prompts})")
    if prompts and not 0 <= values["case"].min() <= values["case"].max() < len(values["request"].cases):
        raise ValueError("a prompt belongs to a case that is not there")
    ordered = np.full((len(versions), len(PROTOCOLS), prompts), np.nan)
    for at, protocol in enumerate(PROTOCOLS):
        if protocol in given:
            ordered[:, at] = rows[:, given.index(protocol)]
    return EvaluateResult(**(values | {"values": ordered}))
