"""An edit as a tidy table."""

import pandas as pd

from app.exports.columns import floats
from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT


def edit_table(result: Edit) -> pd.DataFrame:
    """One row per probe, before and after."""
    before, after = result.before, result.after
    return pd.DataFrame(
        {
            "fact": [probe.fact for probe in result.probes],
            "kind": [probe.kind for probe in result.probes],
            "prompt": [probe.prompt for probe in result.probes],
            "new": [probe.new for probe in result.probes],
            "old": [probe.old for probe in result.probes],
            "new_before": floats(before.new),
            "new_after": floats(after.new),
            "old_before": floats(before.old),
            "old_after": floats(after.old),
            "said_before": before.said,
            "said_after": after.said,
            **({"measured": [BROUGHT] * len(result.probes)} if not result.measured else {}),
        }
    )
