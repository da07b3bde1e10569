"""Edits at one layer after another as a tidy table, and as plain data."""

from typing import Any

import numpy as np
import pandas as pd

from editors.layer_sweep.result import OUTCOMES, LayersResult


def layers_table(result: LayersResult) -> pd.DataFrame:
    """One row per layer tried: means over the facts."""
    columns: dict[str, Any] = {"layer": result.layers, "facts": (~np.isnan(result.score)).sum(0)}
    columns["rewrite_score"], columns["rewrite_score_half_width_95"] = result.mean(result.score)
    for kind in OUTCOMES:
        columns[f"{kind}_likelier"] = result.mean(result.likelier[kind])[0]
        columns[f"{kind}_greedy"] = result.mean(result.greedy[kind])[0]
    columns["trace_effect"], columns["trace_effect_half_width_95"] = (
        part[result.layers] for part in result.mean(result.effect)
    )
    if result.nearest is not None:
        columns["nearest_cosine"] = result.mean(result.nearest)[0]
    return pd.DataFrame(columns)


def layers_fields(result: LayersResult) -> dict[str, Any]:
    """Everything."""
    return {
        "layers": result.layers,
        "rewrite_score": result.score,
        "likelier": result.likelier,
        "greedy": result.greedy,
        "trace_effect": result.effect,
        "correlation": result.correlation(),
        "nearest_cosine": result.nearest,
        "nearest": result.nearest_names,
        "edits_made": result.cells[0],
        "edits_asked": result.cells[1],
    }
