"""A request with every setting filled in: layers from the model's depth, ACE's from what a model reads, defaults.

What does not fit the model is refused here, before any work.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.errors import BadRequest
from analysis.facts.chains import read_chains
from analysis.facts.facts import read_facts
from editors.edit.request import AIMS, ONE_FACT, EditRequest, MethodName, Rewrite, in_parts
from editors.methods.ace import choose_layers

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

SAID_WEIGHT = 0.1
"""PMET's weight of an answer that is said (its code)."""
TUNING_RATE, TUNING_NORM = 5e-4, 5e-4
"""FT's published rate and bound (ROME, appendix D, for GPT-2 XL)."""


def default_layers(lm: "LanguageModel", method: MethodName) -> tuple[int, ...]:
    """Layers to write to when none are named, from the model's depth and kind of positions.

    About a third of the depth for learned positions, a fifth for rotary ones (the published configs); methods that
    spread their write take two layers on each side of it. Those that write to one layer take an earlier one with
    rotary positions, .15 of the depth: layer 4 or 5 of 28 to 32, published configs 5. On the embedded model ROME at
    layer 3, 4, 6 keeps 88, 85, 61 % of neighbours with paraphrases 94, 89, 93 % (50 facts, bench editing --layer).
    """
    learned = hasattr(lm.bridge, "pos_embed")
    centre = min(lm.n_layers - 1, round((0.35 if learned else 0.2) * lm.n_layers))
    if method in ("rome", "emmet", "ft"):
        return (centre if learned else max(min(1, centre), round(0.15 * lm.n_layers)),)
    if method == "ifmet":
        return tuple(range(round(16 / 28 * lm.n_layers), round(20 / 28 * lm.n_layers) + 1))
    wing = min(2, lm.n_layers // 10)
    return tuple(range(max(0, centre - wing), min(lm.n_layers - 1, centre + wing) + 1))


def settled(lm: "LanguageModel", request: EditRequest, look: Callable[[], None] = lambda: None) -> EditRequest:
    """The request with every setting filled in; `BadRequest` where layers or facts do not fit.

    ACE chooses its layers by what each adds to the answer, which takes seconds: `look` is called meanwhile.
    """
    tuning = request.method == "ft"
    request = _grouped(lm, request, look)
    values = {
        "layers": request.layers or default_layers(lm, request.method),
        "steps": request.steps or 25,
        "rate": request.rate or (TUNING_RATE if tuning else 0.5),
        "norm": (request.norm or TUNING_NORM) if tuning else request.norm,
        "clamp": request.clamp or (4.0 if request.method in ("rome", "ft") else 0.75),
        "said_weight": request.said_weight or (SAID_WEIGHT if in_parts(request.method, request.aim) else None),
        "slack": request.slack if request.slack is not None else (0.0 if len(request.facts) == 1 else 1e-6),
    }
    full = request.model_copy(update=values)
    layers = full.layers or ()
    if outside := [layer for layer in layers if not 0 <= layer < lm.n_layers]:
        raise BadRequest(f"{lm.name} has layers 0 to {lm.n_layers - 1}; there is no layer {outside[0]}.")
    if full.method in ONE_FACT and (len(full.facts) != 1 or len(layers) != 1):
        raise BadRequest("ROME writes one fact to one layer. Take MEMIT, EMMET, AlphaEdit or PMET for more.")
    if tuning and len(layers) != 1:
        raise BadRequest("Fine-tuning changes one layer. Name one.")
    aims = full.aim == "block" if full.aim else full.method in ("memit", "emmet", "alphaedit")
    if aims and layers[-1] == lm.n_layers - 1:
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


def _grouped(lm: "LanguageModel", request: EditRequest, look: Callable[[], None]) -> EditRequest:
    """With the two groups of layers of ACE and IFMET filled in, and IFMET's two-hop questions."""
    if request.method not in ("ace", "ifmet"):
        return request
    values: dict[str, object] = {"aim": request.aim or AIMS[request.method]}
    if request.method == "ace":
        if request.layers is None or request.shallow is None:
            query, value = choose_layers(lm, request.facts, request.layers, look)
            shallow = query if request.shallow is None else request.shallow
            values |= {"layers": request.layers or value, "shallow": shallow}
    else:
        values["facts"] = tuple(
            fact.model_copy(update={"two_hop": fact.two_hop or stored_question(fact)}) for fact in request.facts
        )
        layers = request.layers or default_layers(lm, "ifmet")
        own = tuple(layer for layer in default_layers(lm, "pmet") if layer < layers[0])
        values |= {"layers": layers, "shallow": own if request.shallow is None else request.shallow}
    return request.model_copy(update=values)


def stored_question(fact: Rewrite) -> str:
    """A stored question that reaches the fact over a hop before it; `BadRequest` where there is none."""
    known = next(
        (own for own in read_facts() if own.subject == fact.subject and fact.prompt in (own.prompt, *own.paraphrases)),
        None,
    )
    for chain in read_chains():
        if known is not None and (chain.bridge, chain.second) == (known.subject, known.relation):
            return chain.whole()
    raise BadRequest(
        f"IFMET also writes on a question that reaches “{fact.text}” over a hop before it, and none is stored. "
        "Give one with two_hop, such as “The capital of the country where the Colosseum is located is”, or take ACE."
    )
