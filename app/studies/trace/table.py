"""A trace as a tidy table, and as plain data."""

from typing import Any

import numpy as np
import pandas as pd

from analysis import TraceResult
from analysis.internals.scores import Metric, Scores
from app.exports.columns import floats, top_words
from app.exports.fields import words_of
from app.studies.lens.table import states_of

METRICS: tuple[Metric, ...] = ("probability", "logit_difference", "normalised_logit_difference", "kl")


def trace_table(result: TraceResult) -> pd.DataFrame:
    """One row per computed cell, kinds in the order asked for, then layer, then token."""
    return pd.concat([_cells(result, kind) for kind in result.grids], ignore_index=True)


def _cells(result: TraceResult, kind: str) -> pd.DataFrame:
    grid = result.grids[kind]
    layers, positions = np.nonzero(grid.computed)
    columns: dict[str, Any] = {
        "kind": kind,
        "window": grid.window,
        "layer": layers,
        "token_index": positions,
        "token": [result.tokens[token] for token in positions],
        "in_subject": (positions >= result.subject[0]) & (positions < result.subject[1]),
    }
    numbers = {
        "probability": result.scores(kind),
        "effect": result.indirect_effects(kind),
        "half_width_95": result.uncertainty(kind),
        "logit_difference": result.scores(kind, "logit_difference"),
        "normalised_logit_difference": result.scores(kind, "normalised_logit_difference"),
        "kl": result.scores(kind, "kl"),
        "preview": result.previews[kind],
    }
    columns |= {name: floats(values[layers, positions]) for name, values in numbers.items()}
    columns |= {"clean": result.high, "corrupted": result.low}
    columns |= top_words(result.words, grid.top_ids[layers, positions], grid.top_probabilities[layers, positions])
    return pd.DataFrame(columns)


def trace_fields(result: TraceResult) -> dict[str, Any]:
    """Everything."""
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
        "corrupted": _run(result.corrupted, result.words),
        "sigma": result.sigma,
        "replacement": result.replacement,
        "lens": states_of(result.lens, result.words),
        "cells_computed": computed,
        "cells_asked": asked,
    }


def _grid(result: TraceResult, kind: str) -> dict[str, Any]:
    grid = result.grids[kind]
    words = words_of(result.words, grid.top_ids, grid.top_probabilities)
    return {
        "window": grid.window,
        **{metric: result.scores(kind, metric) for metric in METRICS},
        "effect": result.indirect_effects(kind),
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
        "top": words_of(words, scores.top_ids, scores.top_probabilities),
    }
