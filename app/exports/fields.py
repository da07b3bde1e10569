"""Parts of JSON files that several studies have."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd


def everything(result: Any) -> dict[str, Any]:
    """Every field of a result by its name."""
    return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data, what is missing as None."""
    return frame.astype(object).where(lambda whole: whole.notna(), None).to_dict("records")


def words_of(words: dict[str, str], ids: np.ndarray, probabilities: np.ndarray) -> list[Any]:
    """Lists shaped as `ids` (..., TOP), each leaf a word with its probability."""
    if ids.ndim == 1:
        pairs = zip(ids, probabilities, strict=True)
        return [{"word": words.get(str(int(token)), ""), "probability": float(p)} for token, p in pairs]
    return [words_of(words, *part) for part in zip(ids, probabilities, strict=True)]
