"""What became of edits, as tidy tables and as plain data: evaluations, quizzes, streams, abilities, chains."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from editors.ability_tests.result import CHANCE, AbilitiesResult
from editors.chain_reach.result import ReachResult
from editors.evaluation.result import IN_PERCENT, PROTOCOLS, SHORT, EvaluateResult, Mean, mean_of
from editors.lifelong_editing.result import ASKED, LifelongResult
from editors.quizzes.result import DIMENSIONS, PROTOCOL, QuizResult

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
                rows.append(_scores(version, protocol, kind, name, own, change))
        for kept, name, values in (("fluency", "GE", result.fluency), ("consistency", "", result.consistency)):
            if (texts := mean_of(values[at])) is not None:
                change = mean_of(values[at] - values[0]) if at else None
                rows.append(_scores(version, kept, "texts", name, texts, change))
    return pd.DataFrame(rows)


def evaluate_fields(result: EvaluateResult) -> dict[str, Any]:
    """Everything, with the means a reader would compute first."""
    found = everything(result)
    scores = _records(evaluate_table(result))
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


def quiz_table(result: QuizResult) -> pd.DataFrame:
    """One row per method and dimension, then per method and form: mean over cases, 95 % interval, n."""
    rows = []
    for at, version in enumerate(result.versions):
        for name in DIMENSIONS:
            if (own := result.mean(at, name)) is not None:
                rows.append(_scores(version, PROTOCOL, name, "", own, result.paired(at, 0, name) if at else None))
        for form in result.there():
            if (own := result.form_mean(at, form)) is not None:
                change = mean_of(result.by_case(at, form) - result.by_case(0, form)) if at else None
                rows.append(_scores(version, PROTOCOL, form, "", own, change))
    return pd.DataFrame(rows)


def quiz_fields(result: QuizResult) -> dict[str, Any]:
    """Everything, with the means a reader would compute first."""
    found = everything(result)
    scores = _records(quiz_table(result))
    return {"protocol": PROTOCOL, "dimensions": DIMENSIONS, "scores": scores} | found


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
        rows.append(row)
    return pd.DataFrame(rows)


def lifelong_fields(result: LifelongResult) -> dict[str, Any]:
    """Everything but the edits a stopped run goes on from, with the means a reader would compute first."""
    found = everything(result)
    del found["made"]
    ages = [{"from": young, "to": old} | dataclasses.asdict(mean) for young, old, mean in result.by_age()]
    return (
        {"protocol": "strict", "kinds": ASKED, "by_age": ages}
        | found
        | {"drawdown": result.drawdown(), "retention": result.retention()}
    )


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


def _scores(method: str, protocol: str, prompts: str, name: str, own: Mean, change: Mean | None) -> dict[str, Any]:
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


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data, what is missing as None."""
    return frame.astype(object).where(lambda whole: whole.notna(), None).to_dict("records")


def everything(result: Any) -> dict[str, Any]:
    """Every field of a result by its name."""
    return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
