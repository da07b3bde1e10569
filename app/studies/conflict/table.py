"""Memory against page as tidy tables and as plain data."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.knowledge_conflict.result import (
    READING,
    ConflictResult,
    HeadsResult,
    KnockoutResult,
    Outcome,
    Scores,
    TransferResult,
)


def scores_table(scores: Scores, rank_by: Any = "probability") -> pd.DataFrame:
    """One row a head."""
    layers, heads = np.indices(scores.memory.shape).reshape(2, -1)
    nothing = np.full(scores.memory.shape, np.nan)
    columns = {
        "score_memory": scores.memory,
        "score_memory_half_width_95": scores.memory_half,
        "score_context": scores.context,
        "score_context_half_width_95": scores.context_half,
        "logit_difference": scores.logit_difference,
        "logit_difference_half_width_95": scores.logit_half,
        "attribution_patching": nothing if scores.attribution is None else scores.attribution,
        "direct_logit_attribution": nothing if scores.direct is None else scores.direct,
    }
    sides = [scores.side((int(a), int(b)), rank_by) or "neither" for a, b in zip(layers, heads, strict=True)]
    return pd.DataFrame(
        {"layer": layers, "head": heads, "side": sides}
        | {name: values.astype(np.float64).ravel() for name, values in columns.items()}
    )


def heads_table(result: HeadsResult) -> pd.DataFrame:
    """One row a head: its scores, the token it looks at most, the words it writes."""
    found = scores_table(result.scores, result.request.rank_by)
    looks = result.looks.reshape(len(found), -1)
    most = looks.argmax(-1)
    found["looks_at"] = [result.tokens[token] for token in most]
    found["looks_at_weight"] = looks[np.arange(len(found)), most].astype(np.float64)
    for name, ids in (("raises", result.writes.top_ids), ("lowers", result.writes.bottom_ids)):
        found[name] = [" | ".join(result.spans(row[:4])) for row in ids.reshape(len(found), -1)]
    return found


def outcomes_table(result: ConflictResult) -> pd.DataFrame:
    """One row a treatment: shares of answers from memory, from the page, and others."""
    return pd.DataFrame([outcome_row(one) for one in result.outcomes])


def outcome_row(one: Outcome) -> dict[str, Any]:
    """One treatment as plain numbers; means over draws, and the 95th percentile where heads were drawn."""
    drawn = len(one.memory) > 1
    return {
        "treatment": one.treatment,
        "side": one.side,
        "k": one.k,
        "heads": " ".join(one.heads) if not drawn else f"{len(one.memory)} draws",
        "RM": float(one.memory.mean()),
        "RC": float(one.context.mean()),
        "other": one.other,
        "M_R": one.memorisation,
        "RM_95th": float(np.percentile(one.memory, 95)) if drawn else np.nan,
        "RC_95th": float(np.percentile(one.context, 95)) if drawn else np.nan,
        "P_memory": float(one.p_memory.mean()),
        "P_context": float(one.p_context.mean()),
        "clean_accuracy": float(one.clean.mean()),
        "prompts": one.n,
    }


def knockout_table(result: KnockoutResult) -> pd.DataFrame:
    """One row a cut and a layer."""
    cuts, layers = np.indices(result.change.shape[:2]).reshape(2, -1)
    columns: dict[str, Any] = {"cut": [result.cuts[i] for i in cuts], "layer": layers, "window": result.window}
    for place, side in enumerate(("memory", "context")):
        columns[f"change_{side}"] = result.change[..., place].ravel()
        columns[f"change_{side}_half_width_95"] = result.half_width[..., place].ravel()
    return pd.DataFrame(columns | {"prompts": len(result.examples)})


def transfer_table(result: TransferResult) -> pd.DataFrame:
    """One row a side, a source and a target."""
    rows = []
    for side, shares in result.silenced.items():
        for i, source in enumerate(result.sources):
            for j, target in enumerate(result.targets):
                rows.append(
                    {
                        "silenced": side,
                        "found_on": source,
                        "tested_on": target,
                        "k": result.request.k,
                        "heads": " ".join(result.heads[source][side]),
                        "RM": float(shares[i, j, 0]),
                        "RC": float(shares[i, j, 1]),
                        "RM_before": float(result.base[j, 0]),
                        "RC_before": float(result.base[j, 1]),
                        "prompts": int(result.count[j]),
                    }
                )
    return pd.DataFrame(rows)


def heads_fields(result: HeadsResult) -> dict[str, Any]:
    """All of a prompt's heads."""
    return {
        "reading": READING,
        "tokens": result.tokens,
        "clean_prompt": result.clean_prompt,
        "corrupted_prompt": result.corrupted,
        "memory": result.memory,
        "context": result.context,
        "clean_probability": result.clean_probability,
        "probability": result.probability,
        "memory_heads": result.memory_heads,
        "context_heads": result.context_heads,
        "agreement": {name: result.scores.agreement(name) for name in ("attribution", "direct")},  # type: ignore[arg-type]
        "heads": heads_table(result).to_dict("records"),
        "silenced_probability": result.grid_probability,
        "notes": result.notes,
    }


def conflict_fields(result: ConflictResult) -> dict[str, Any]:
    """All of a study of many conflicts."""
    return {
        "reading": READING,
        "memory_heads": result.memory_heads,
        "context_heads": result.context_heads,
        "chosen_k": result.chosen,
        "agreement": {name: result.scores.agreement(name) for name in ("attribution", "direct")},  # type: ignore[arg-type]
        "outcomes": outcomes_table(result).to_dict("records"),
        "heads": scores_table(result.scores, result.request.rank_by).to_dict("records"),
        "examples": [vars(example) for example in result.examples],
        "skipped": result.skipped,
    }


def knockout_fields(result: KnockoutResult) -> dict[str, Any]:
    """All of a knock-out."""
    return {
        "reading": READING,
        "window": result.window,
        "curves": knockout_table(result).to_dict("records"),
        "examples": [vars(example) for example in result.examples],
        "skipped": result.skipped,
    }


def transfer_fields(result: TransferResult) -> dict[str, Any]:
    """All of a transfer table."""
    return {
        "reading": READING,
        "table": transfer_table(result).to_dict("records"),
        "skipped": result.skipped,
    }
