"""Columns that tables of several studies have."""

from typing import Any

import numpy as np

from analysis.internals.scores import TOP


def floats(values: np.ndarray) -> np.ndarray:
    """As float64: written out, it is the same number in CSV and in JSON."""
    return values.astype(np.float64)


def top_words(words: dict[str, str], ids: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Columns of the likeliest words of states, `ids` and `probabilities` (states, TOP)."""
    columns: dict[str, Any] = {}
    for place in range(TOP):
        columns[f"top_{place + 1}"] = [words[str(int(token))] for token in ids[:, place]]
        columns[f"top_{place + 1}_probability"] = floats(probabilities[:, place])
    return columns
