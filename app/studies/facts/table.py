"""Known facts as a tidy table, and as plain data."""

from typing import Any

import pandas as pd

from analysis import KnownResult, read_facts
from app.exports.columns import floats


def known_table(result: KnownResult) -> pd.DataFrame:
    """One row per fact that could be asked."""
    relations = {fact.id: fact.relation for fact in read_facts()}
    return pd.DataFrame(
        {
            "id": result.ids,
            "relation": [relations.get(name, "") for name in result.ids],
            "prompt": result.prompts,
            "object": result.objects,
            "said": result.said,
            "probability": floats(result.probability),
            "correct": result.correct,
        }
    )


def known_fields(result: KnownResult) -> dict[str, Any]:
    """The facts as in the table, and how many are known."""
    return {
        "known": int(result.correct.sum()),
        "facts": known_table(result).to_dict("records"),
        "skipped": result.skipped,
    }
