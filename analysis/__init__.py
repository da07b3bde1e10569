"""Read a language model: trace, lens, facts. No Streamlit, no figures; numbers in, numbers out.

    from analysis import TraceRequest, load, trace
    lm = load()
    result = trace(lm, TraceRequest(prompt="The Eiffel Tower is located in the city of", subject="The Eiffel Tower"))

Names are fetched when they are first asked for, so a command that needs no model does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.errors import Cancelled, WorkbenchError
    from analysis.facts.facts import Fact, KnownRequest, KnownResult, read_facts
    from analysis.facts.run import known_facts
    from analysis.forward.generation import continued
    from analysis.knowledge_conflict.knockout_run import knock_out
    from analysis.knowledge_conflict.result import (
        ConflictRequest,
        ConflictResult,
        HeadsRequest,
        HeadsResult,
        KnockoutRequest,
        KnockoutResult,
        TransferRequest,
        TransferResult,
    )
    from analysis.knowledge_conflict.run import conflict, heads_on_prompt
    from analysis.knowledge_conflict.transfer_run import transfer
    from analysis.lens.result import LensRequest, LensResult
    from analysis.lens.run import logit_lens
    from analysis.model.language_model import LanguageModel
    from analysis.model.loading import load, plan
    from analysis.model.spec import ModelPlan, ModelSpec
    from analysis.multihop.result import HopsRequest, HopsResult
    from analysis.multihop.run import hops
    from analysis.neuron_attribution.result import NeuronsRequest, NeuronsResult
    from analysis.neuron_attribution.run import neurons
    from analysis.tracing.average_result import AverageRequest, AverageResult
    from analysis.tracing.average_run import average
    from analysis.tracing.result import TraceRequest, TraceResult
    from analysis.tracing.run import trace

_HOMES = {
    "tracing.average_result": ("AverageRequest", "AverageResult"),
    "tracing.average_run": ("average",),
    "forward.generation": ("continued",),
    "knowledge_conflict.result": (
        "ConflictRequest",
        "ConflictResult",
        "HeadsRequest",
        "HeadsResult",
        "KnockoutRequest",
        "KnockoutResult",
        "TransferRequest",
        "TransferResult",
    ),
    "knowledge_conflict.run": ("conflict", "heads_on_prompt"),
    "errors": ("Cancelled", "WorkbenchError"),
    "facts.facts": ("Fact", "KnownRequest", "KnownResult", "read_facts"),
    "knowledge_conflict.knockout_run": ("knock_out",),
    "multihop.run": ("hops",),
    "multihop.result": ("HopsRequest", "HopsResult"),
    "facts.run": ("known_facts",),
    "lens.run": ("logit_lens",),
    "lens.result": ("LensRequest", "LensResult"),
    "model.loading": ("load", "plan"),
    "model.language_model": ("LanguageModel",),
    "model.spec": ("ModelPlan", "ModelSpec"),
    "neuron_attribution.run": ("neurons",),
    "neuron_attribution.result": ("NeuronsRequest", "NeuronsResult"),
    "tracing.result": ("TraceRequest", "TraceResult"),
    "tracing.run": ("trace",),
    "knowledge_conflict.transfer_run": ("transfer",),
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
    "continued",
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
