"""Read a language model: trace, lens, facts. No Streamlit, no figures; numbers in, numbers out.

    from analysis import TraceRequest, load, trace
    lm = load()
    result = trace(lm, TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower"))

Names are fetched when they are first asked for, so a command that needs no model does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.attribution import neurons
    from analysis.average_result import AverageRequest, AverageResult
    from analysis.averaging import average
    from analysis.conflict_result import (
        ConflictRequest,
        ConflictResult,
        HeadsRequest,
        HeadsResult,
        KnockoutRequest,
        KnockoutResult,
        TransferRequest,
        TransferResult,
    )
    from analysis.conflicting import conflict, heads_on_prompt
    from analysis.errors import Cancelled, WorkbenchError
    from analysis.facts import Fact, KnownRequest, KnownResult, read_facts
    from analysis.hops_result import HopsRequest, HopsResult
    from analysis.knockout import knock_out
    from analysis.known import known_facts
    from analysis.lens import logit_lens
    from analysis.lens_result import LensRequest, LensResult
    from analysis.loading import load, plan
    from analysis.model import LanguageModel
    from analysis.model_spec import ModelPlan, ModelSpec
    from analysis.multihop import hops
    from analysis.neurons_result import NeuronsRequest, NeuronsResult
    from analysis.trace_result import TraceRequest, TraceResult
    from analysis.tracing import trace
    from analysis.transferring import transfer

_HOMES = {
    "average_result": ("AverageRequest", "AverageResult"),
    "averaging": ("average",),
    "conflict_result": (
        "ConflictRequest",
        "ConflictResult",
        "HeadsRequest",
        "HeadsResult",
        "KnockoutRequest",
        "KnockoutResult",
        "TransferRequest",
        "TransferResult",
    ),
    "conflicting": ("conflict", "heads_on_prompt"),
    "errors": ("Cancelled", "WorkbenchError"),
    "facts": ("Fact", "KnownRequest", "KnownResult", "read_facts"),
    "knockout": ("knock_out",),
    "multihop": ("hops",),
    "hops_result": ("HopsRequest", "HopsResult"),
    "known": ("known_facts",),
    "lens": ("logit_lens",),
    "lens_result": ("LensRequest", "LensResult"),
    "loading": ("load", "plan"),
    "model": ("LanguageModel",),
    "model_spec": ("ModelPlan", "ModelSpec"),
    "attribution": ("neurons",),
    "neurons_result": ("NeuronsRequest", "NeuronsResult"),
    "trace_result": ("TraceRequest", "TraceResult"),
    "tracing": ("trace",),
    "transferring": ("transfer",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AverageRequest",
    "AverageResult",
    "Cancelled",
    "ConflictRequest",
    "ConflictResult",
    "Fact",
    "HeadsRequest",
    "HeadsResult",
    "HopsRequest",
    "HopsResult",
    "KnockoutRequest",
    "KnockoutResult",
    "KnownRequest",
    "KnownResult",
    "LanguageModel",
    "LensRequest",
    "LensResult",
    "ModelPlan",
    "ModelSpec",
    "NeuronsRequest",
    "NeuronsResult",
    "TraceRequest",
    "TraceResult",
    "TransferRequest",
    "TransferResult",
    "WorkbenchError",
    "average",
    "conflict",
    "heads_on_prompt",
    "hops",
    "knock_out",
    "known_facts",
    "load",
    "logit_lens",
    "neurons",
    "plan",
    "read_facts",
    "trace",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(f"analysis.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
