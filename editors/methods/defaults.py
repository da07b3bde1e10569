"""A request with every setting filled in: layers from the model's depth, ACE's from what a model reads, defaults.

What does not fit the model is refused here, before any work.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.errors import BadRequest
from editors.edit.request import EditRequest
from editors.methods.protection.protected_prompts import with_prompts
from editors.methods.protection.protected_subjects import with_protected
from editors.methods.search.lti import with_middle
from editors.registry.entry import Method
from editors.registry.methods import METHODS, method_of, writing
from editors.registry.versions import label_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

FILLED = {"steps": 25, "rate": 0.5, "clamp": 0.75}
"""Fields that are left out, for methods that say nothing else of them."""
SAID_WEIGHT = 0.1
"""PMET's weight of an answer that is said (its code), for all that search in its way."""


def default_layers(lm: "LanguageModel", method: str) -> tuple[int, ...]:
    """Layers a method writes to when none are named."""
    return method_of(method).read("layers")(lm)


def settled(lm: "LanguageModel", request: EditRequest, look: Callable[[], None] = lambda: None) -> EditRequest:
    """The request with every setting filled in; `BadRequest` where layers or facts do not fit.

    ACE chooses its layers by what each adds to the answer, which takes seconds: `look` is called meanwhile.
    """
    own = method_of(request.method)
    request = own.read("settle")(lm, request, look) if own.settle else request
    values = (
        FILLED
        | dict(own.defaults)
        | {
            "layers": request.layers or default_layers(lm, request.method),
            "said_weight": SAID_WEIGHT if request.where == "mlp" else None,
            "slack": 0.0 if len(request.facts) == 1 else 1e-6,
        }
    )
    full = request.model_copy(update={name: value for name, value in values.items() if getattr(request, name) is None})
    full = with_protected(lm, full)
    if request.norm_relative is not None:
        if request.norm is not None:
            raise BadRequest("norm and norm_relative both bound how far a weight may move. Name one of them.")
        full = full.model_copy(update={"norm": None})
    full = with_prompts(full)
    layers = full.layers or ()
    if outside := [layer for layer in layers if not 0 <= layer < lm.n_layers]:
        raise BadRequest(f"{lm.name} has layers 0 to {lm.n_layers - 1}; there is no layer {outside[0]}.")
    _refuse_too_many(own, full)
    full = with_middle(lm, full)
    if full.where == "block" and layers[-1] == lm.n_layers - 1:
        raise BadRequest(
            f"Layer {layers[-1]} is the last: nothing behind it reads the state at the subject. Take layers below it."
        )
    if full.shallow and (full.shallow[0] < 0 or full.shallow[-1] >= layers[0]):
        raise BadRequest(
            f"The query layers {full.shallow} must lie below the value layers, which begin at {layers[0]}."
        )
    seen: dict[tuple[str, str], str] = {}
    for fact in full.facts:
        before = seen.setdefault((fact.prompt, fact.subject), fact.target)
        if before != fact.target:
            raise BadRequest(f"“{fact.text}” is to become both “{before}” and “{fact.target}”. Keep one of them.")
    return full


def _refuse_too_many(own: Method, full: EditRequest) -> None:
    """`BadRequest` for more facts or layers than a method takes."""
    facts, layers = len(full.facts), len(full.layers or ())
    if own.most_facts is not None and facts > own.most_facts:
        free = [label_of(name) for name in writing() if METHODS[name].most_facts is None]
        raise BadRequest(
            f"{own.label} writes {_counted(own.most_facts, 'fact')} an edit, and there are {facts}. "
            f"For more take {', '.join(free[:-1])} or {free[-1]}."
        )
    if own.most_layers is not None and layers > own.most_layers:
        named = _counted(own.most_layers, "layer")
        raise BadRequest(f"{own.label} changes {named}, and {layers} are named. Name {named}.")


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"
