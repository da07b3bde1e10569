"""Evaluations and abilities as tidy tables, and as plain data."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from app.exports.fields import everything, records
from editors.ability_tests.result import CHANCE, AbilitiesResult
from editors.evaluation.result import IN_PERCENT, PROTOCOLS, SHORT, EvaluateResult, Mean, mean_of
from editors.quizzes.result import PROTOCOL

SHARES = (*IN_PERCENT, PROTOCOL)
"""Protocols whose means are shares: their intervals end at 0 and 1."""


def evaluate_table(result: EvaluateResult) -> pd.DataFrame:
    """One row per method, protocol and kind of prompt: mean over cases, 95 % interval, n, and what no edit has."""
    rows = []
    for at, version in enumerate(result.versions):
        for protocol in PROTOCOLS:
            for kind in result.there():
                if (own := result.mean(at, protocol, kind)) is None:
                    continue
                change = result.paired(at, 0, protocol, kind) if at else None
                name = SHORT.get(kind, "") if protocol == "likelihood" else ""
                rows.append(score_row(version, protocol, kind, name, own, change))
        for kept, name, values in (("fluency", "GE", result.fluency), ("consistency", "", result.consistency)):
            if (texts := mean_of(values[at])) is not None:
                change = mean_of(values[at] - values[0]) if at else None
                rows.append(score_row(version, kept, "texts", name, texts, change))
    return pd.DataFrame(rows)


def evaluate_fields(result: EvaluateResult) -> dict[str, Any]:
    """Everything, with the means a reader would compute first."""
    found = everything(result)
    scores = records(evaluate_table(result))
    return {"protocols": PROTOCOLS, "scores": scores} | found


def abilities_table(result: AbilitiesResult) -> pd.DataFrame:
    """One row per question."""
    return pd.DataFrame(
        {
            "group": result.groups,
            "prompt": result.prompts,
            "answer": result.answers,
            "right": result.right,
            "margin": result.margin.astype(np.float64),
        }
    )


def abilities_fields(result: AbilitiesResult) -> dict[str, Any]:
    """Everything, with the means a reader would compute first."""
    found = everything(result)
    shares = {group: result.share(group) for group in result.there()} | {"all": result.share()}
    scores = {group: dataclasses.asdict(share) for group, share in shares.items() if share is not None}
    return {"protocol": "likelihood", "chance": CHANCE, "scores": scores} | found


def score_row(method: str, protocol: str, prompts: str, name: str, own: Mean, change: Mean | None) -> dict[str, Any]:
    """One mean with its interval, and its change from no edit."""
    ends = (0.0, 1.0) if protocol in SHARES else (-np.inf, np.inf)
    return {
        "method": method,
        "protocol": protocol,
        "prompts": prompts,
        "name": name,
        "value": own.value,
        "low": float(np.clip(own.value - own.half_width, *ends)),
        "high": float(np.clip(own.value + own.half_width, *ends)),
        "n": own.n,
        "change": change.value if change else np.nan,
        "change_half_width": change.half_width if change else np.nan,
    }
