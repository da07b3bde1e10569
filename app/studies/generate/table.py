"""Texts that go on as a tidy table, and as plain data."""

from typing import Any

import pandas as pd

from editors.generation.result import Generated


def generated_table(result: Generated) -> pd.DataFrame:
    """One row per prompt, with how it goes on as far as it was asked."""
    prompts = list(result.request.prompt)
    sides = ((*side, *[""] * (len(prompts) - len(side))) for side in (result.before, result.after))
    return pd.DataFrame({"prompt": prompts, **dict(zip(("before", "after"), sides, strict=True))})


def generated_fields(result: Generated) -> dict[str, Any]:
    """The texts, and the edits they were made under."""
    return {
        "edits": result.edits,
        "before": result.before,
        "after": result.after,
    }
