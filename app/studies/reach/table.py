"""Chains written over as a tidy table, and as plain data."""

from typing import Any

import pandas as pd

from app.exports.fields import everything
from editors.chain_reach.result import ReachResult


def reach_table(result: ReachResult) -> pd.DataFrame:
    """One row per case and version: the metrics, and what was said."""
    scores, rows = result.scores(), []
    for number, case in enumerate(result.request.cases):
        for at, version in enumerate(result.versions):
            said, whole = result.hops_said[at][number], result.whole_said[at][number]
            rows.append(
                {
                    "id": case.id,
                    "edited": case.kind,
                    "method": version,
                    "targets": " | ".join(one.target for one in case.rewrites),
                    "answer": case.answers[0],
                    "old_answer": case.old[0] if case.old else "",
                }
                | {name: values[at, number] for name, values in scores.items()}
                | {"hops_said": " | ".join(said), "whole_said": " | ".join(whole)}
            )
    return pd.DataFrame(rows)


def reach_fields(result: ReachResult) -> dict[str, Any]:
    """Everything, with the means a reader would compute first."""
    found = everything(result)
    return found | {"scores": result.scores()}
