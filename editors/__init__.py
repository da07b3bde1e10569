"""Change a language model: write facts over, stack the edits, take recipes away. No Streamlit, no figures.

    from analysis import load
    from editors import EditRequest, Rewrite, write, written_over
    lm = load()
    fact = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
    edit = write(lm, EditRequest(facts=(fact,)))
    with written_over(lm, [edit]):
        ...

Names are fetched when they are first asked for, as in `analysis`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from editors.abilities_result import AbilitiesRequest, AbilitiesResult
    from editors.ability_probes import abilities
    from editors.applying import written_over
    from editors.drift_result import DriftRequest, DriftResult, DriftsRequest, DriftsResult, PatchRequest, PatchResult
    from editors.drifting import drift, patch
    from editors.drifting_over_tasks import drifts
    from editors.edit import Edit
    from editors.evaluate_result import EvaluateRequest, EvaluateResult
    from editors.evaluating import evaluate
    from editors.generate_result import Generated, GenerateRequest
    from editors.generating import generate
    from editors.layer_sweep import sweep_layers
    from editors.layers_result import LayersRequest, LayersResult
    from editors.lifelong_editing import lifelong
    from editors.lifelong_result import LifelongRequest, LifelongResult
    from editors.quiz_result import QuizRequest, QuizResult
    from editors.quizzing import quiz
    from editors.reach_result import ChainCase, ReachRequest, ReachResult
    from editors.reaching import reach
    from editors.recipe import read_recipe, write_recipe
    from editors.request import EditRequest, Rewrite
    from editors.stack import EditStack
    from editors.writing import write

_HOMES = {
    "ability_probes": ("abilities",),
    "abilities_result": ("AbilitiesRequest", "AbilitiesResult"),
    "applying": ("written_over",),
    "drift_result": ("DriftRequest", "DriftResult", "DriftsRequest", "DriftsResult", "PatchRequest", "PatchResult"),
    "drifting": ("drift", "patch"),
    "drifting_over_tasks": ("drifts",),
    "edit": ("Edit",),
    "layer_sweep": ("sweep_layers",),
    "layers_result": ("LayersRequest", "LayersResult"),
    "evaluate_result": ("EvaluateRequest", "EvaluateResult"),
    "evaluating": ("evaluate",),
    "generate_result": ("Generated", "GenerateRequest"),
    "generating": ("generate",),
    "lifelong_editing": ("lifelong",),
    "lifelong_result": ("LifelongRequest", "LifelongResult"),
    "quiz_result": ("QuizRequest", "QuizResult"),
    "quizzing": ("quiz",),
    "reach_result": ("ChainCase", "ReachRequest", "ReachResult"),
    "reaching": ("reach",),
    "recipe": ("read_recipe", "write_recipe"),
    "request": ("EditRequest", "Rewrite"),
    "stack": ("EditStack",),
    "writing": ("write",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AbilitiesRequest",
    "AbilitiesResult",
    "ChainCase",
    "DriftRequest",
    "DriftResult",
    "DriftsRequest",
    "DriftsResult",
    "Edit",
    "EditRequest",
    "EditStack",
    "EvaluateRequest",
    "EvaluateResult",
    "GenerateRequest",
    "Generated",
    "LayersRequest",
    "LayersResult",
    "LifelongRequest",
    "LifelongResult",
    "PatchRequest",
    "PatchResult",
    "QuizRequest",
    "QuizResult",
    "ReachRequest",
    "ReachResult",
    "Rewrite",
    "abilities",
    "drift",
    "drifts",
    "evaluate",
    "generate",
    "lifelong",
    "patch",
    "quiz",
    "reach",
    "read_recipe",
    "sweep_layers",
    "write",
    "write_recipe",
    "written_over",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'editors' has no attribute {name!r}")
    value = getattr(import_module(f"editors.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
