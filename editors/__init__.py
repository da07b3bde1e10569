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
    from editors.ability_tests.result import AbilitiesRequest, AbilitiesResult
    from editors.ability_tests.run import abilities
    from editors.attention_drift.result import (
        DriftRequest,
        DriftResult,
        DriftsRequest,
        DriftsResult,
        PatchRequest,
        PatchResult,
    )
    from editors.attention_drift.run import drift, patch
    from editors.attention_drift.tasks_run import drifts
    from editors.cases.chain_case import ChainCase
    from editors.chain_reach.result import ReachRequest, ReachResult
    from editors.chain_reach.run import reach
    from editors.edit.apply import written_over
    from editors.edit.edit import Edit
    from editors.edit.request import EditRequest, Rewrite
    from editors.edit.stack import EditStack
    from editors.evaluation.result import EvaluateRequest, EvaluateResult
    from editors.evaluation.run import evaluate
    from editors.generation.result import Generated, GenerateRequest
    from editors.generation.run import generate
    from editors.layer_sweep.result import LayersRequest, LayersResult
    from editors.layer_sweep.run import sweep_layers
    from editors.lifelong_editing.result import LifelongRequest, LifelongResult
    from editors.lifelong_editing.run import lifelong
    from editors.methods.run import write
    from editors.quizzes.result import QuizRequest, QuizResult
    from editors.quizzes.run import quiz
    from editors.recipes.recipe import read_recipe, write_recipe
    from editors.who_moved.result import MovedRequest, MovedResult
    from editors.who_moved.run import moved

_HOMES = {
    "ability_tests.run": ("abilities",),
    "ability_tests.result": ("AbilitiesRequest", "AbilitiesResult"),
    "edit.apply": ("written_over",),
    "attention_drift.result": (
        "DriftRequest",
        "DriftResult",
        "DriftsRequest",
        "DriftsResult",
        "PatchRequest",
        "PatchResult",
    ),
    "attention_drift.run": ("drift", "patch"),
    "attention_drift.tasks_run": ("drifts",),
    "edit.edit": ("Edit",),
    "layer_sweep.run": ("sweep_layers",),
    "layer_sweep.result": ("LayersRequest", "LayersResult"),
    "evaluation.result": ("EvaluateRequest", "EvaluateResult"),
    "evaluation.run": ("evaluate",),
    "generation.result": ("Generated", "GenerateRequest"),
    "generation.run": ("generate",),
    "lifelong_editing.run": ("lifelong",),
    "lifelong_editing.result": ("LifelongRequest", "LifelongResult"),
    "quizzes.result": ("QuizRequest", "QuizResult"),
    "quizzes.run": ("quiz",),
    "cases.chain_case": ("ChainCase",),
    "chain_reach.result": ("ReachRequest", "ReachResult"),
    "chain_reach.run": ("reach",),
    "recipes.recipe": ("read_recipe", "write_recipe"),
    "edit.request": ("EditRequest", "Rewrite"),
    "edit.stack": ("EditStack",),
    "methods.run": ("write",),
    "who_moved.result": ("MovedRequest", "MovedResult"),
    "who_moved.run": ("moved",),
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
    "MovedRequest",
    "MovedResult",
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
    "moved",
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
