"""A second opinion on general ability: EleutherAI's evaluation harness, run on the loaded model, edits and all.

An optional extra. Its tasks fetch their data from the Hugging Face hub; a folder of task files can bring its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import BadRequest, WorkbenchError

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

EXTRA = "pip install 'palimpsest[lm-eval]'"


@dataclass(frozen=True)
class Opinion:
    """One metric of one task, in the task's own unit."""

    task: str
    metric: str
    value: float
    standard_error: float | None
    n: int


def second_opinion(
    lm: "LanguageModel", tasks: Sequence[str], *, limit: int | None = None, folder: Path | None = None, batch: int = 8
) -> tuple[list[Opinion], str]:
    """What the harness measures on the model as it is now, and the harness's version.

    `limit`: questions of each task; all when left out. Raises `BadRequest` where the extra is missing or a task is
    unknown, `WorkbenchError` where a task's data cannot be had.
    """
    try:
        import lm_eval
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise BadRequest(f"lm-eval is not installed ({error.name}). {EXTRA}, then ask again.") from error
    manager = TaskManager(include_path=str(folder) if folder else None)
    if unknown := [task for task in tasks if not manager.match_tasks([task])]:
        raise BadRequest(f"lm-eval {version('lm_eval')} has no task {', '.join(unknown)}.")
    model = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=batch, device=str(lm.device))
    try:
        found: dict[str, Any] | None = lm_eval.simple_evaluate(
            model, tasks=list(tasks), limit=limit, task_manager=manager, bootstrap_iters=100
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkbenchError(f"lm-eval could not run {', '.join(tasks)}: {error}") from error
    assert found is not None
    return [one for task, values in found["results"].items() for one in _opinions(task, values, found)], version(
        "lm_eval"
    )


def _opinions(task: str, values: dict[str, Any], found: dict[str, Any]) -> list[Opinion]:
    counts = found.get("n-samples", {}).get(task, {})
    told = []
    for name, value in values.items():
        metric, comma, kind = name.partition(",")
        if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        error = values.get(f"{metric}_stderr,{kind}")
        told.append(
            Opinion(task, metric, float(value), error if isinstance(error, float) else None, counts.get("effective", 0))
        )
    return told
