"""The logit lens as a tidy table, and as plain data."""

from typing import Any

import numpy as np
import pandas as pd

from analysis import LensResult
from analysis.lens.result import Lens
from app.exports.columns import floats, top_words
from app.exports.fields import words_of


def lens_table(result: LensResult) -> pd.DataFrame:
    """One row per state."""
    lens = result.lens
    layers, positions = np.indices(lens.answer_probability.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "layer": layers,
            "token_index": positions,
            "token": [result.tokens[token] for token in positions],
            "answer": result.answer,
            "answer_probability": floats(lens.answer_probability[layers, positions]),
            "answer_rank": lens.answer_rank[layers, positions],
        }
        | top_words(result.words, lens.top_ids[layers, positions], lens.top_probabilities[layers, positions])
    )


def lens_fields(result: LensResult) -> dict[str, Any]:
    """Everything."""
    return {
        "tokens": result.tokens,
        "answer": result.answer,
        "lens": states_of(result.lens, result.words),
    }


def states_of(lens: Lens, words: dict[str, str]) -> dict[str, Any]:
    """What every state says, and the words by their probabilities."""
    return {
        "answer_probability": lens.answer_probability,
        "answer_rank": lens.answer_rank,
        "top": words_of(words, lens.top_ids, lens.top_probabilities),
    }
