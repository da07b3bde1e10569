"""Who moved as a tidy table."""

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
