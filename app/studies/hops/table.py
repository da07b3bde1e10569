"""Chains as a tidy table, and as plain data."""

from typing import Any

import pandas as pd

from analysis import HopsResult
from analysis.multihop.result import ASKED, PLACES
from app.exports.columns import floats
from app.exports.fields import everything


def hops_table(result: HopsResult) -> pd.DataFrame:
    """One row per chain, every question with its answer."""
    columns: dict[str, Any] = {
        "id": [one.id for one in result.chains],
        "question": [one.whole() for one in result.chains],
        "bridge": [one.bridge for one in result.chains],
        "answer": [one.answer for one in result.chains],
    }
    for number, name in enumerate(ASKED):
        columns[f"{name}_probability"] = floats(result.probability[:, number])
        columns[f"{name}_said"] = [said[number] for said in result.said]
        columns[f"{name}_correct"] = result.correct[:, number]
    columns["wordings_correct"] = result.whole_correct.sum(1)
    columns["genuine"] = result.genuine()
    return pd.DataFrame(columns)


def hops_fields(result: HopsResult) -> dict[str, Any]:
    """Everything, and what was asked."""
    found = everything(result)
    return {"asked": ASKED, "recall_of": PLACES} | found | {"genuine": result.genuine()}
