"""What a person takes away: CSV of the table, JSON of everything.

JSON is strict: a cell that was not computed is null, never NaN. Its numbers are those of the
table, at full precision.
"""

import dataclasses
import json
import re
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from pydantic import BaseModel

from analysis import (
    AverageResult,
    ConflictResult,
    HeadsResult,
    HopsResult,
    KnockoutResult,
    KnownResult,
    LensResult,
    NeuronsResult,
    TraceResult,
    TransferResult,
)
from analysis.internals.scores import Metric, Scores
from analysis.lens.result import Lens
from analysis.multihop.result import ASKED, PLACES
from analysis.tracing.average_result import ROWS
from app.exports.tables import table
from app.registry.studies import STUDIES
from app.studies.conflict import table as conflict_tables
from app.studies.drift import table as drift_tables
from app.studies.evaluate import table as evaluation_tables
from app.studies.evaluate.table import everything
from editors.ability_tests.result import AbilitiesResult
from editors.attention_drift.result import DriftResult, DriftsResult, PatchResult
from editors.chain_reach.result import ReachResult
from editors.edit.edit import Edit
from editors.evaluation.result import EvaluateResult
from editors.generation.result import Generated
from editors.layer_sweep.result import LayersResult
from editors.lifelong_editing.result import LifelongResult
from editors.quizzes.result import QuizResult
from editors.recipes.recipe import recipe_of

METRICS: tuple[Metric, ...] = ("probability", "logit_difference", "normalised_logit_difference", "kl")


RUNS = re.compile(r"'*[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]")
"""How text begins that a spreadsheet would take for a formula, or that was made harmless already."""


def to_csv(result: Any) -> str:
    """The table of a result as CSV, numbers at full precision, lines as RFC 4180 ends them.

    Text that a spreadsheet would run as a formula has an apostrophe before it, and so has text that begins with
    apostrophes before such: taking one away gives the text back. JSON has every text as it is.
    """
    return csv_of(table(result))


def csv_of(rows: pd.DataFrame) -> str:
    """A table as CSV; see `to_csv`."""
    words = [name for name, kind in rows.dtypes.items() if not is_numeric_dtype(kind)]
    return rows.assign(**{name: rows[name].map(_harmless) for name in words}).to_csv(index=False, lineterminator="\r\n")


def csv_file(result: Any) -> bytes:
    """The CSV for a spreadsheet: with the mark by which Excel knows UTF-8. A file for programs goes without."""
    return to_csv(result).encode("utf-8-sig")


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and RUNS.match(cell) else cell


def to_json(result: Any, more: dict[str, Any] | None = None) -> str:
    """A result as strict JSON, one line a key; `more` is what else the file is to say."""
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in (plain(result) | _plain_data(more or {})).items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plain(result: Any) -> dict[str, Any]:
    """A result as plain JSON data, an edit as its recipe; `TypeError` for what is no result."""
    if isinstance(result, Edit):
        return _plain_data(recipe_of(result)[0])
    own = _fields(result)
    study = next(name for name, study in STUDIES.items() if study.result is type(result))
    head = {"study": study, "model": result.model, "request": result.request}
    return _plain_data(head | own | {"provenance": getattr(result, "provenance", {})})


@singledispatch
def _fields(result: Any) -> dict[str, Any]:
    raise TypeError(f"There is no export for {type(result).__name__}.")


@_fields.register
def _trace(result: TraceResult) -> dict[str, Any]:
    computed, asked = result.cells
    return {
        "tokens": result.tokens,
        "subject": result.subject,
        "answer": result.answer,
        "answer_id": result.answer_id,
        "foil": result.foil,
        "foil_id": result.foil_id,
        "high": result.high,
        "low": result.low,
        "scores": result.scores(next(iter(result.grids))),
        "grids": {kind: _grid(result, kind) for kind in result.grids},
        "clean": _run(result.clean, result.words),
        "blurred": _run(result.blurred, result.words),
        "sigma": result.sigma,
        "replacement": result.replacement,
        "lens": _lens_fields(result.lens, result.words),
        "cells_computed": computed,
        "cells_asked": asked,
    }


def _grid(result: TraceResult, kind: str) -> dict[str, Any]:
    grid = result.grids[kind]
    words = _words(result.words, grid.top_ids, grid.top_probabilities)
    return {
        "window": grid.window,
        **{metric: result.scores(kind, metric) for metric in METRICS},
        "effect": result.effects(kind),
        "half_width_95": result.uncertainty(kind),
        "preview": result.previews[kind],
        "preview_agreement": result.agreement(kind) if grid.computed.all() else None,
        "top": [
            [cell if there else None for cell, there in zip(row, known, strict=True)]
            for row, known in zip(words, grid.computed, strict=True)
        ],
    }


def _run(scores: Scores, words: dict[str, str]) -> dict[str, Any]:
    return {
        "probability": scores.probability,
        "logit_difference": scores.logit_difference,
        "kl": scores.kl,
        "top": _words(words, scores.top_ids, scores.top_probabilities),
    }


@_fields.register
def _average(result: AverageResult) -> dict[str, Any]:
    mean, half_width = result.total_effect
    return {
        "facts": result.ids,
        "high": result.high,
        "low": result.low,
        "total_effect": {"mean": mean, "half_width_95": half_width},
        "rows": ROWS,
        "tokens_per_row": result.count,
        "grids": {
            kind: {"window": result.window[kind], "effect": result.mean[kind], "half_width_95": result.half_width[kind]}
            for kind in result.mean
        },
        "skipped": result.skipped,
    }


@_fields.register
def _lens(result: LensResult) -> dict[str, Any]:
    return {
        "tokens": result.tokens,
        "answer": result.answer,
        "lens": _lens_fields(result.lens, result.words),
    }


def _lens_fields(lens: Lens, words: dict[str, str]) -> dict[str, Any]:
    return {
        "answer_probability": lens.answer_probability,
        "answer_rank": lens.answer_rank,
        "top": _words(words, lens.top_ids, lens.top_probabilities),
    }


@_fields.register
def _known(result: KnownResult) -> dict[str, Any]:
    return {
        "known": int(result.correct.sum()),
        "facts": table(result).to_dict("records"),
        "skipped": result.skipped,
    }


@_fields.register
def _neurons(result: NeuronsResult) -> dict[str, Any]:
    found = everything(result)
    cards = {
        role: [dataclasses.asdict(card) | {"name": card.name} for card in found[role]] for role in ("value", "query")
    }
    ablations = [dataclasses.asdict(one) for one in result.ablations]
    return found | cards | {"ablations": ablations, "neurons_scored": result.scored}


@_fields.register
def _hops(result: HopsResult) -> dict[str, Any]:
    found = everything(result)
    return {"asked": ASKED, "recall_of": PLACES} | found | {"genuine": result.genuine()}


@_fields.register
def _layers(result: LayersResult) -> dict[str, Any]:
    return {
        "layers": result.layers,
        "rewrite_score": result.score,
        "likelier": result.likelier,
        "greedy": result.greedy,
        "trace_effect": result.effect,
        "correlation": result.correlation(),
        "edits_made": result.cells[0],
        "edits_asked": result.cells[1],
    }


@_fields.register
def _generated(result: Generated) -> dict[str, Any]:
    return {
        "edits": result.edits,
        "before": result.before,
        "after": result.after,
    }


for _kind, _own in (
    (HeadsResult, conflict_tables.heads_fields),
    (ConflictResult, conflict_tables.conflict_fields),
    (KnockoutResult, conflict_tables.knockout_fields),
    (TransferResult, conflict_tables.transfer_fields),
    (DriftResult, drift_tables.drift_fields),
    (PatchResult, drift_tables.patch_fields),
    (DriftsResult, drift_tables.drifts_fields),
    (EvaluateResult, evaluation_tables.evaluate_fields),
    (AbilitiesResult, evaluation_tables.abilities_fields),
    (QuizResult, evaluation_tables.quiz_fields),
    (LifelongResult, evaluation_tables.lifelong_fields),
    (ReachResult, evaluation_tables.reach_fields),
):
    _fields.register(_kind, _own)


def _words(words: dict[str, str], ids: np.ndarray, probabilities: np.ndarray) -> list[Any]:
    """Lists shaped as `ids` (..., TOP), each leaf a word with its probability."""
    if ids.ndim == 1:
        pairs = zip(ids, probabilities, strict=True)
        return [{"word": words.get(str(int(token)), ""), "probability": float(p)} for token, p in pairs]
    return [_words(words, *part) for part in zip(ids, probabilities, strict=True)]


def _plain_data(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, np.ndarray | np.generic):
        return _plain_data(value.tolist())
    if isinstance(value, dict):
        return {str(name): _plain_data(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
