"""How a finished run stands on the rail: title, a line below, a thumbnail."""

from typing import Any

import numpy as np

from analysis import (
    AverageResult,
    ConflictResult,
    HeadsResult,
    HopsResult,
    KnockoutResult,
    KnownResult,
    LensResult,
    NeuronsResult,
    TraceResult,
)
from analysis.study import Study
from app.jobs.history import Run, now
from app.studies.conflict.figure import heads_thumbnail, knockout_thumbnail
from app.studies.drift.figure import drift_thumbnail
from app.studies.evaluate.figure import evaluate_thumbnail
from app.studies.lens.figure import lens_thumbnail
from app.studies.lifelong.figure import lifelong_thumbnail
from app.studies.trace.average_figure import average_thumbnail
from app.studies.trace.figure import thumbnail
from editors.ability_tests.result import AbilitiesResult
from editors.attention_drift.result import DriftResult, DriftsResult
from editors.cases.case import counted
from editors.chain_reach.result import ReachResult
from editors.edit.edit import Edit
from editors.evaluation.result import EvaluateResult
from editors.generation.result import Generated
from editors.layer_sweep.result import LayersResult
from editors.lifelong_editing.result import LifelongResult
from editors.quizzes.result import QuizResult

SHORT_KIND = {
    "state": "states",
    "mlp": "MLP",
    "attn": "attention",
    "severed_mlp": "cut MLPs",
    "severed_attn": "cut attention",
}


def run_of(study: Study, key: str, result: Any, *, stopped: bool = False) -> Run:
    """The rail's entry of a result; `stopped`: it was cancelled, so that parts may be missing."""
    title, note, picture = _describe(result)
    complete = getattr(result, "complete", not stopped)
    return Run(
        key=key,
        study=study.name,
        title=title,
        note=note if complete else f"{note}, stopped",
        request=result.request.model_dump(mode="json"),
        model=result.model["name"],
        thumbnail=picture,
        complete=complete,
        seconds=getattr(result, "provenance", {}).get("seconds", 0.0),
        created_at=now(),
    )


def _describe(result: Any) -> tuple[str, str, list[list[float]] | None]:
    match result:
        case TraceResult():
            kinds = ", ".join(SHORT_KIND[kind] for kind in result.grids)
            return result.request.subject, kinds, thumbnail(result)
        case AverageResult():
            return f"{counted(len(result.ids), 'fact')}", "average", average_thumbnail(result)
        case LensResult():
            return result.request.prompt, "lens", lens_thumbnail(result)
        case HeadsResult():
            return f"{result.memory} or {result.context}", "heads", heads_thumbnail(result)
        case ConflictResult():
            return f"{len(result.examples)} conflicts", "heads, many facts", heads_thumbnail(result)
        case KnockoutResult():
            return f"{len(result.examples)} conflicts", "roads cut", knockout_thumbnail(result)
        case KnownResult():
            return f"{int(result.correct.sum())} of {len(result.ids)} known", "facts", None
        case DriftResult():
            return result.request.prompt, "drift", drift_thumbnail(result.drift)
        case DriftsResult():
            return f"Drift over {counted(len(result.prompt), 'prompt')}", "drift", drift_thumbnail(result.mean())
        case NeuronsResult():
            strongest = np.nan_to_num(result.ffn, nan=0.0).max(1).clip(min=0)
            bars = np.stack([strongest, result.attn_layer.clip(min=0)])
            shown = bars / max(float(bars.max()), 1e-9)
            return result.request.prompt, "neurons", [[round(float(v), 3) for v in row] for row in shown]
        case HopsResult():
            several = f"{len(result.chains)} chains"
            return several if len(result.chains) > 1 else result.chains[0].whole(), "hop by hop", None
        case EvaluateResult():
            return _compared(result), "evaluation", evaluate_thumbnail(result)
        case QuizResult():
            return _compared(result), "quiz", None
        case LifelongResult():
            title, note = f"{counted(len(result.request.cases), 'fact')} in a row", f"lifelong, {result.request.method}"
            return title, note, lifelong_thumbnail(result)
        case AbilitiesResult():
            return f"{int(result.right.sum())} of {len(result.right)} right", "abilities", None
        case ReachResult():
            several = f"{len(result.request.cases)} chains"
            title = several if len(result.request.cases) > 1 else result.request.cases[0].rewrites[0].text
            return title, "how far edits reach", None
        case LayersResult():
            return (
                f"{counted(len(result.request.facts), 'fact')} at {counted(len(result.layers), 'layer')}",
                "layers",
                None,
            )
        case Generated():
            return result.request.prompt[0], "goes on", None
        case Edit():
            return result.title, f"edit, {result.request.method}", None
    return type(result).__name__, "", None


def _compared(result: EvaluateResult | QuizResult) -> str:
    return f"{counted(len(result.request.cases))}, {counted(len(result.versions) - 1, 'method')}"
