"""The studies this workbench offers. A new method is one line here.

Jobs, cache, links, exports, history and the command line all work from this table. It names the
functions and fetches them when they are called, so a page can show a stored result before torch has been read.
"""

from collections.abc import Callable
from typing import Any

import analysis
import editors
from analysis import (
    AverageRequest,
    AverageResult,
    ConflictRequest,
    ConflictResult,
    HeadsRequest,
    HeadsResult,
    HopsRequest,
    HopsResult,
    KnockoutRequest,
    KnockoutResult,
    KnownRequest,
    KnownResult,
    LensRequest,
    LensResult,
    NeuronsRequest,
    NeuronsResult,
    TraceRequest,
    TraceResult,
    TransferRequest,
    TransferResult,
)
from analysis.study import Study
from editors.ability_tests.result import AbilitiesRequest, AbilitiesResult
from editors.attention_drift.result import (
    DriftRequest,
    DriftResult,
    DriftsRequest,
    DriftsResult,
    PatchRequest,
    PatchResult,
)
from editors.chain_reach.result import ReachRequest, ReachResult
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.evaluation.result import EvaluateRequest, EvaluateResult
from editors.generation.result import Generated, GenerateRequest
from editors.layer_sweep.result import LayersRequest, LayersResult
from editors.lifelong_editing.result import LifelongRequest, LifelongResult
from editors.quizzes.result import QuizRequest, QuizResult


def _later(floor: Any, name: str) -> Callable[..., Any]:
    """A function of `analysis` or `editors`, fetched when it is called."""

    def run(*args: Any, **options: Any) -> Any:
        return getattr(floor, name)(*args, **options)

    run.__name__, run.__module__ = name, floor.__name__
    return run


STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study("trace", TraceRequest, TraceResult, _later(analysis, "trace"), resumable=True),
        Study("average", AverageRequest, AverageResult, _later(analysis, "average"), parts="trace"),
        Study("lens", LensRequest, LensResult, _later(analysis, "logit_lens")),
        Study("edit", EditRequest, Edit, _later(editors, "write"), on_edits=True),
        Study("drift", DriftRequest, DriftResult, _later(editors, "drift"), resumable=True, on_edits=True),
        Study("patch", PatchRequest, PatchResult, _later(editors, "patch"), on_edits=True, passing=True),
        Study("drifts", DriftsRequest, DriftsResult, _later(editors, "drifts"), on_edits=True),
        Study("neurons", NeuronsRequest, NeuronsResult, _later(analysis, "neurons")),
        Study("hops", HopsRequest, HopsResult, _later(analysis, "hops"), resumable=True),
        Study("evaluate", EvaluateRequest, EvaluateResult, _later(editors, "evaluate"), parts="evaluate"),
        Study("quiz", QuizRequest, QuizResult, _later(editors, "quiz"), resumable=True),
        Study("lifelong", LifelongRequest, LifelongResult, _later(editors, "lifelong"), resumable=True),
        Study("abilities", AbilitiesRequest, AbilitiesResult, _later(editors, "abilities")),
        Study("reach", ReachRequest, ReachResult, _later(editors, "reach"), on_edits=True, parts="reach"),
        Study("layers", LayersRequest, LayersResult, _later(editors, "sweep_layers")),
        Study("generate", GenerateRequest, Generated, _later(editors, "generate"), on_edits=True),
        Study("heads", HeadsRequest, HeadsResult, _later(analysis, "heads_on_prompt")),
        Study("conflict", ConflictRequest, ConflictResult, _later(analysis, "conflict"), resumable=True),
        Study("knockout", KnockoutRequest, KnockoutResult, _later(analysis, "knock_out")),
        Study("transfer", TransferRequest, TransferResult, _later(analysis, "transfer")),
        Study("facts", KnownRequest, KnownResult, _later(analysis, "known_facts")),
    )
}
