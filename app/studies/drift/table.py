"""Attention drift as tables and as plain data: one prompt, heads set back, many prompts."""

from typing import Any

import numpy as np
import pandas as pd

from editors.attention_drift.result import PATCHED, DriftResult, DriftsResult, PatchResult, Said


def drift_table(result: DriftResult) -> pd.DataFrame:
    """One row per head, with its attention to the subject; then one per cell of the other grids."""
    parts = []
    key = result.key
    for kind in ("heads", *(name for name in result.grids if name != "heads")):
        grid = result.grids.get(kind)
        shape = result.drift.shape if kind == "heads" else grid[0].shape  # type: ignore[index]
        index = np.indices(shape).reshape(len(shape), -1)
        token = index[1] if kind in ("mlp", "attn") else None
        heads = kind == "heads"
        parts.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "window": result.window.get(kind, 1),
                    "layer": index[0],
                    "head": index[1] if heads else None,
                    "token_index": token,
                    "token": None if token is None else [result.tokens[place] for place in token],
                    "attention_before": result.before[:, :, -1, key].ravel().astype(np.float64) if heads else np.nan,
                    "attention_after": result.after[:, :, -1, key].ravel().astype(np.float64) if heads else np.nan,
                    "drift": result.drift.ravel().astype(np.float64) if heads else np.nan,
                    "answer_probability": np.nan if grid is None else grid[0].ravel().astype(np.float64),
                    "edited_probability": np.nan if grid is None else grid[1].ravel().astype(np.float64),
                }
            )
        )
    return pd.concat([part.astype({"head": "Int64", "token_index": "Int64"}) for part in parts], ignore_index=True)


def patch_table(result: PatchResult) -> pd.DataFrame:
    """One row per run and word."""
    runs = ("without the edits", "with them", "heads set back")
    rows = [
        {"run": run, "word": word, "probability": float(value)}
        for run, values in zip(runs, result.said.probability, strict=True)
        for word, value in zip(result.said.words, values, strict=True)
    ]
    return pd.DataFrame(rows)


def drifts_table(result: DriftsResult) -> pd.DataFrame:
    """One row per prompt."""
    return pd.DataFrame(
        {
            "task": result.task,
            "fact": result.fact,
            "prompt": result.prompt,
            "right": result.right,
            "wrong": result.wrong,
            "right_before": result.right_probability[:, 0].astype(np.float64),
            "right_after": result.right_probability[:, 1].astype(np.float64),
            "wrong_before": result.wrong_probability[:, 0].astype(np.float64),
            "wrong_after": result.wrong_probability[:, 1].astype(np.float64),
            "drift_of_largest_head": result.factor.astype(np.float64),
            "drift_summed": result.summed.astype(np.float64),
            "fails": result.failing,
        }
        | {f"first_token, {run}": result.first[:, place].astype(np.float64) for place, run in enumerate(PATCHED)}
    )


def drift_fields(result: DriftResult) -> dict[str, Any]:
    """One prompt as plain data: words, drift of every head, attention, grids."""
    return {
        "tokens": result.tokens,
        "subject": result.subject,
        "answer": result.answer,
        "edited": result.edited,
        "said": _said(result.said, ("without the edits", "with them")),
        "drift": result.drift,
        "drift_by_layer": result.by_layer,
        "attention_before": result.before,
        "attention_after": result.after,
        "grids": {
            kind: {"window": result.window[kind], "answer": grid[0], "edited": grid[1]}
            for kind, grid in result.grids.items()
        },
    }


def _said(said: Said, runs: tuple[str, ...]) -> dict[str, Any]:
    return {
        run: {
            "answer": said.answer[place],
            "edited": said.edited[place],
            "words": dict(zip(said.words, said.probability[place], strict=True)),
        }
        for place, run in enumerate(runs)
    }


def patch_fields(result: PatchResult) -> dict[str, Any]:
    """Heads set back, as plain data."""
    return {
        "answer": result.answer,
        "edited": result.edited,
        "said": _said(result.said, ("without the edits", "with them", "heads set back")),
    }


def drifts_fields(result: DriftsResult) -> dict[str, Any]:
    """Many prompts as plain data: a record each, means, correlations."""
    tasks = [None, *result.request.tasks]
    return {
        "prompts": drifts_table(result).to_dict("records"),
        "runs": PATCHED,
        "mean_drift": {task or "all": result.mean(task) for task in tasks if result.of(task).any()},
        "correlation_with_lost_probability": {
            task or "all": {
                "largest head": vars(result.correlation(task)),
                "summed": vars(result.correlation(task, summed=True)),
            }
            for task in tasks
        },
        "skipped": result.skipped,
    }


def so_far(result: DriftResult) -> str:
    """What a file's name says of maps that are not whole."""
    left = sum(int(np.isnan(grid[0]).sum()) for grid in result.grids.values())
    return f"-{left}-cells-left" if left else ""
