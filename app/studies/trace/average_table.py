"""Averages over facts as a tidy table, and as plain data."""

from typing import Any

import numpy as np
import pandas as pd

from analysis import AverageResult
from analysis.tracing.average_result import ROWS
from app.exports.columns import floats


def average_table(result: AverageResult) -> pd.DataFrame:
    """One row per kind, row of tokens and layer."""
    parts = []
    for kind, mean in result.mean.items():
        rows, layers = np.indices(mean.shape).reshape(2, -1)
        parts.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "window": result.window[kind],
                    "row": [ROWS[row] for row in rows],
                    "layer": layers,
                    "effect": floats(mean.ravel()),
                    "half_width_95": floats(result.half_width[kind].ravel()),
                    "tokens": result.count[rows],
                    "facts": len(result.ids),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def average_fields(result: AverageResult) -> dict[str, Any]:
    """Everything."""
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


def so_far(result: AverageResult) -> str:
    """What a file's name says of an average of fewer facts than were asked for."""
    return f"-{len(result.ids)}-facts" if len(result.ids) < result.request.facts else ""
