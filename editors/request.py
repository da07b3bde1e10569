"""What to write over: facts, a method, and every setting the methods have.

One request serves all methods, so that pages, commands and recipes say the same words. A setting
left out takes the method's default, which `settled` fills in from the model's structure.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from analysis.chains import read_chains
from analysis.errors import BadRequest
from analysis.facts import Fact, read_facts
from analysis.moments_request import OWN
from analysis.study import Request

if TYPE_CHECKING:
    from analysis.model import LanguageModel

MethodName = Literal["rome", "memit", "emmet", "alphaedit", "pmet", "ace", "ifmet", "ft", "prune"]
ONE_FACT: tuple[MethodName, ...] = ("rome",)
"""Methods that write one fact an edit."""
KeyMode = Literal["rome", "r_rome", "p_rome"]
Order = Literal["query_first", "value_first"]
Aim = Literal["block", "mlp"]
Spreading = Literal["linear", "sqrt"]


TUNING_RATE, TUNING_NORM = 5e-4, 5e-4
"""FT's published rate and bound (ROME, appendix D, for GPT-2 XL)."""


class Rewrite(BaseModel):
    """One fact to write: the prompt holds one `{}` where the subject stands and ends before the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(description="sentence with {} in place of the subject, ending just before its answer")
    subject: str = Field(min_length=1, description="what the fact is about")
    target: str = Field(min_length=1, description="the answer to write")
    two_hop: str | None = Field(None, description="IFMET: a question that reaches the fact over a hop before it")

    @field_validator("prompt")
    @classmethod
    def _one_slot(cls, prompt: str) -> str:
        if prompt.count("{}") != 1:
            raise ValueError(f"“{prompt}” must hold {{}} exactly once, in place of the subject")
        return prompt.rstrip()

    @field_validator("subject", "target")
    @classmethod
    def _bare(cls, text: str) -> str:
        return text.strip()

    @property
    def text(self) -> str:
        """The prompt with its subject in place."""
        return self.prompt.replace("{}", self.subject)

    @classmethod
    def of(cls, fact: Fact, target: str) -> "Rewrite":
        """A stored fact with another answer."""
        return cls(prompt=fact.prompt, subject=fact.subject, target=target)


class EditRequest(Request):
    """Write these facts over what the model says now."""

    edition: ClassVar[int] = 2  # the layers of ACE and of methods that write to one
    facts: tuple[Rewrite, ...] = Field(min_length=1, description="facts to write")
    method: MethodName = Field("rome", description="editor: rome, memit, …; ft tunes, prune silences heads")
    layers: tuple[int, ...] | None = Field(None, description="layers to write to; the method's own when left out")
    shallow: tuple[int, ...] | None = Field(
        None, description="ACE: query layers, IFMET: layers of the first stage; the method's own when left out"
    )
    order: Order = Field("query_first", description="ACE: which of its groups of layers is written first")
    aim: Aim | None = Field(None, description="ACE, IFMET: block (as MEMIT) or mlp (as PMET, the published codes)")
    spreading: Spreading = Field("linear", description="ACE: share of what is left, 1/n or 1/sqrt(n), in each group")
    key_mode: KeyMode = Field(
        "r_rome", description="ROME's key: r_rome and p_rome use one key throughout, rome mixes two as published"
    )
    contexts: int = Field(5, ge=0, le=50, description="texts put before the prompt, written by the model")
    context_tokens: int = Field(10, ge=2, le=50, description="length of these texts")
    steps: int | None = Field(None, ge=1, le=500, description="steps of the search for the new value")
    rate: float | None = Field(None, gt=0, description="rate of Adam in that search")
    clamp: float | None = Field(None, gt=0, description="longest change, in lengths of the old value")
    kl: float = Field(0.0625, ge=0, description="weight of keeping what the model says of the subject otherwise")
    decay: float = Field(1e-3, ge=0, description="weight of the change's length")
    enough: float = Field(0.05, gt=0, description="the search ends below this loss")
    sadr: float = Field(0.0, ge=0, description="weight of holding back heads that turn to the subject (SADR); 0 is off")
    sadr_selective: bool = Field(True, description="SADR: only heads beyond the layer's largest before; else all heads")
    sadr_steps: int = Field(25, ge=0, le=500, description="SADR: steps the search may take beyond the others")
    sadr_epsilon: float | None = Field(
        None, gt=0, description="SADR: added to weights of attention; 1e-8, in float16 1e-7, when left out"
    )
    moments_weight: float = Field(0.3, gt=0, description="MEMIT, PMET: weight of the text, in dimensions of a key")
    slack: float | None = Field(None, ge=0, description="EMMET: how far the new values may be missed; 0 for one fact")
    norm: float | None = Field(None, gt=0, description="FT: furthest any weight may move")
    protect: float = Field(
        0.8, ge=0, lt=1, description="AlphaEdit: share of the text's energy to leave untouched; 0 is no projection"
    )
    spare: bool = Field(True, description="AlphaEdit: spare the keys of the facts written before")
    ridge: float = Field(0.1, gt=0, description="AlphaEdit: ridge, in energies of a typical projected key")
    source: str = Field(OWN, description="text for second moments: own, a file, or hf:owner/name")
    heads: tuple[str, ...] = Field((), description="prune: heads to silence, as layer.head")
    scale: float = Field(0.0, ge=-10, le=10, description="prune: what they are multiplied by")
    tokens: int | None = Field(None, ge=1, description="tokens of that text; ten for each dimension when left out")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the texts the model writes")

    @field_validator("layers")
    @classmethod
    def _ascending(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return tuple(sorted(set(layers))) if layers else None

    @field_validator("shallow")
    @classmethod
    def _ascending_or_none(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if layers is None else tuple(sorted(set(layers)))


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


def settled(lm: "LanguageModel", request: EditRequest) -> EditRequest:
    """The request with every setting filled in; `BadRequest` where layers or facts do not fit."""
    tuning = request.method == "ft"
    request = _grouped(lm, request)
    values = {
        "layers": request.layers or default_layers(lm, request.method),
        "steps": request.steps or 25,
        "rate": request.rate or (TUNING_RATE if tuning else 0.5),
        "norm": (request.norm or TUNING_NORM) if tuning else request.norm,
        "clamp": request.clamp or (4.0 if request.method in ("rome", "ft") else 0.75),
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


def _grouped(lm: "LanguageModel", request: EditRequest) -> EditRequest:
    """With the two groups of layers of ACE and IFMET filled in, and IFMET's two-hop questions."""
    if request.method not in ("ace", "ifmet"):
        return request
    values: dict[str, object] = {"aim": request.aim or ("block" if request.method == "ace" else "mlp")}
    if request.method == "ace":
        from editors.ace import choose_layers  # here, so that a page can fill its form before torch has been read

        if request.layers is None or request.shallow is None:
            query, value = choose_layers(lm, request.facts, request.layers)
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
