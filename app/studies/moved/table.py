"""Who moved as a tidy table, and as plain data."""

from typing import Any

import pandas as pd

from app.exports.columns import floats
from editors.who_moved.result import MovedResult


def moved_table(result: MovedResult) -> pd.DataFrame:
    """One row per weight and prompt; the edit as it is stands first."""
    parts = []
    for at, (weight, after) in enumerate(zip(result.weights, result.after, strict=True)):
        parts.append(
            pd.DataFrame(
                {
                    "edit": "as written" if not at else "solved anew",
                    "protect_weight": float(weight),
                    "subject": result.subjects,
                    "standing": result.standings,
                    "prompt": [probe.prompt for probe in result.probes],
                    "key_cosine": floats(result.cosine),
                    "shift": floats(result.shift[at]),
                    "said_before": result.before.said,
                    "said_after": after.said,
                    "kept": result.kept(at),
                    "old_before": floats(result.before.old),
                    "old_after": floats(after.old),
                    "new_before": floats(result.before.new),
                    "new_after": floats(after.new),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def moved_fields(result: MovedResult) -> dict[str, Any]:
    """Everything; answers are in the table's order."""
    return {
        "edit": result.edit,
        "layers": result.layers,
        "subjects": result.subjects,
        "standings": result.standings,
        "prompts": [probe.prompt for probe in result.probes],
        "new": [probe.new for probe in result.probes],
        "old": [probe.old for probe in result.probes],
        "key_cosine": result.cosine,
        "protect_weights": result.weights,
        "shift": result.shift,
        "said": {"before": result.before.said, "after": [one.said for one in result.after]},
        "new_probability": {"before": result.before.new, "after": [one.new for one in result.after]},
        "old_probability": {"before": result.before.old, "after": [one.old for one in result.after]},
        "kept": [result.kept(at) for at in range(len(result.weights))],
        "note": result.told,
    }
