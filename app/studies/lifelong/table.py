"""A stream of edits as a tidy table, and as plain data."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from app.exports.fields import everything
from editors.lifelong_editing.result import ASKED, LifelongResult


def lifelong_table(result: LifelongResult) -> pd.DataFrame:
    """One row per milestone: what is kept of the edits so far, and of the model."""
    rows = []
    drawdown = result.drawdown()
    for at, count in enumerate(result.milestones):
        row: dict[str, Any] = {"edits": count}
        for kind in ASKED:
            one = result.kept(at, kind)
            row[kind] = one.value if one else np.nan
            row[f"{kind}_half_width_95"] = one.half_width if one else np.nan
            row[f"{kind}_n"] = one.n if one else 0
        row |= {
            **{f"ability_{group}": result.abilities[at, place] for place, group in enumerate(result.groups)},
            "drawdown": drawdown[at],
            "perplexity": result.perplexity[at],
            "kl": result.kl[at],
            "mute": result.mute[at],
            "largest_change": result.change[at],
        }
        if (moved := result.moved) is not None:
            row |= {f"moved_{name}": getattr(moved, name)[at] for name in ("text", "own", "others", "both")}
            row["value_length"] = moved.lengths(result.milestones)[at]
        rows.append(row)
    return pd.DataFrame(rows)


def lifelong_fields(result: LifelongResult) -> dict[str, Any]:
    """Everything but the edits a stopped run goes on from, with the means a reader would compute first."""
    found = everything(result)
    del found["made"]
    found["moved"] = None if result.moved is None else everything(result.moved)
    ages = [{"from": young, "to": old} | dataclasses.asdict(mean) for young, old, mean in result.by_age()]
    return (
        {"protocol": "strict", "kinds": ASKED, "by_age": ages}
        | found
        | {"drawdown": result.drawdown(), "retention": result.retention()}
    )
