"""What to write over: facts, a method, and every setting the methods have.

One request serves all methods, so that pages, commands and recipes say the same words. A setting
left out takes the method's default, which `editors.methods.defaults` fills in from the model's structure.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator, model_validator

from analysis.facts.facts import Fact
from analysis.moments.request import OWN
from analysis.text.boundary import answer_as_kept, ended
from analysis.text.characters import fit, unfit
from analysis.text.framing import Prompted
from editors.registry.methods import METHODS, MethodName, method_of
from editors.registry.versions import extras_in, method_in

KeyMode = Literal["rome", "r_rome", "p_rome"]
Order = Literal["query_first", "value_first"]
Aim = Literal["block", "mlp"]
Spreading = Literal["linear", "sqrt"]
ProtectedFrom = Literal["none", "relation", "own"]
SENTENCES: dict[str, JsonValue] = {"sentences": True}
"""Says of a field that it lists whole sentences, commas and all."""
FoundOn = Literal["base", "stacked"]


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
        return ended(prompt)

    @field_validator("prompt", "subject", "target", "two_hop")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if char := unfit(text or ""):
            raise ValueError(f"“{fit(text or '')}” holds the character {char}, which does not show; take it out")
        return text

    @field_validator("subject")
    @classmethod
    def _bare(cls, text: str) -> str:
        return text.strip()

    @field_validator("target")
    @classmethod
    def _as_kept(cls, target: str, info: ValidationInfo) -> str:
        prompt = info.data.get("prompt", "").replace("{}", info.data.get("subject", ""))
        return answer_as_kept(prompt, target)

    @property
    def text(self) -> str:
        """The prompt with its subject in place."""
        return self.prompt.replace("{}", self.subject)

    @classmethod
    def of(cls, fact: Fact, target: str) -> "Rewrite":
        """A stored fact with another answer."""
        return cls(prompt=fact.prompt, subject=fact.subject, target=target)


class Protected(BaseModel):
    """What an edit must not move: a subject in its sentence, or, without a subject, every word of a prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(min_length=1, description="sentence, with {} in place of the subject where one is named")
    subject: str = Field("", description="whose key shall keep its value; every token's where it is empty")

    @field_validator("prompt", "subject")
    @classmethod
    def _readable(cls, text: str) -> str:
        if char := unfit(text):
            raise ValueError(f"“{fit(text)}” holds the character {char}, which does not show; take it out")
        return text.strip()

    @model_validator(mode="after")
    def _in_its_slot(self) -> "Protected":
        if self.prompt.count("{}") != bool(self.subject):
            there = "exactly once, in place of the subject" if self.subject else "only where a subject is named"
            raise ValueError(f"“{self.prompt}” must hold {{}} {there}")
        return self

    @property
    def text(self) -> str:
        """The prompt with its subject in place."""
        return self.prompt.replace("{}", self.subject)

    @property
    def line(self) -> str:
        """As a person writes it: the subject in braces, The capital of {Spain} is."""
        return self.prompt.replace("{}", f"{{{self.subject}}}") if self.subject else self.prompt

    @classmethod
    def of_line(cls, line: str) -> "Protected":
        """What a line says, its subject in braces if it names one; `ValueError` where braces do not pair."""
        before, opened, rest = line.partition("{")
        subject, closed, after = rest.partition("}")
        if bool(opened) != bool(closed) or (opened and not subject.strip()) or {*"{}"} & {*before, *subject, *after}:
            raise ValueError(f"“{line.strip()}” must name one subject in braces, as in The capital of {{Spain}} is")
        return cls(prompt=f"{before}{{}}{after}", subject=subject) if opened else cls(prompt=line)


MOST_PROTECTED = 20_000
"""Prompts and subjects a request may name as those that must not move."""


class EditRequest(Prompted):
    """Write these facts over what the model says now."""

    units: ClassVar[dict[str, str]] = {
        "layers": "layer number", "shallow": "layer number", "contexts": "texts", "context_tokens": "tokens",
        "steps": "steps", "rate": "a step", "clamp": "lengths of the old value", "kl": "weight", "decay": "weight",
        "said_weight": "weight", "enough": "nats", "stop_after": "steps", "stop_at": "probability", "sadr": "weight",
        "sadr_steps": "steps", "sadr_epsilon": "share of attention", "others_weight": "weight",
        "behind_weight": "weight", "near_weight": "weight", "lti_subject": "weight", "lti_output": "weight",
        "lti_layer": "layer number", "answer_weight": "weight", "moments_weight": "dimensions of a key",
        "anchor": "mean eigenvalues of C", "leak_weight": "dimensions of a key", "refresh": "facts",
        "passes": "passes", "window": "tokens",
        "slack": "mean diagonals of KᵀC⁻¹K", "norm": "a weight's own",
        "norm_relative": "root mean squares of the weights", "protect": "share",
        "batch_ridge": "squares of a key", "warm_up": "facts",
        "ridge": "energies of a typical key", "protect_weight": "share of the text's weight",
        "subjects_weight": "share of the text's weight", "scale": "factor", "tokens": "tokens", "seed": "seed",
    }  # fmt: skip
    edition: ClassVar[int] = 2  # the layers of ACE and of methods that write to one
    later: ClassVar[tuple[str, ...]] = (
        *Prompted.later, "said_weight", "protect_keys", "protected", "protect_weight", "subjects_weight", "held_out",
        "others", "others_weight", "neighbours", "behind_weight", "near_weight",
        "stop_after", "stop_at", "norm_anchor", "lti_subject", "lti_output", "lti_layer", "answer_weight",
        "anchor", "targets", "leak_weight", "refresh", "passes", "norm_relative", "window", "batch_ridge", "warm_up",
    )  # fmt: skip
    facts: tuple[Rewrite, ...] = Field(min_length=1, description="facts to write")
    method: MethodName = Field("rome", description="method of editing")
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
    rate: float | None = Field(
        None, gt=0, description="rate of Adam in that search; UltraEdit, StableEdit: of the one step"
    )
    clamp: float | None = Field(None, gt=0, description="longest change, in lengths of the old value")
    kl: float = Field(0.0625, ge=0, description="weight of keeping what the model says of the subject otherwise")
    decay: float = Field(1e-3, ge=0, description="weight of the change's length")
    said_weight: float | None = Field(
        None,
        gt=0,
        le=1,
        description="weight of the new answer in the search while every prompt says it; PMET's way .1, others 1",
    )
    enough: float = Field(0.05, gt=0, description="the search ends below this loss")
    stop_after: int | None = Field(
        None, ge=0, description="the search ends so many steps after every prompt says the new answer (MPES)"
    )
    stop_at: float | None = Field(
        None,
        gt=0,
        le=1,
        description="the search ends where the new answer is so probable, mean over its prompts (MPES)",
    )
    sadr: float = Field(0.0, ge=0, description="weight of holding back heads that turn to the subject (SADR); 0 is off")
    sadr_selective: bool = Field(True, description="SADR: only heads beyond the layer's largest before; else all heads")
    sadr_steps: int = Field(25, ge=0, le=500, description="SADR: steps the search may take beyond the others")
    sadr_epsilon: float | None = Field(
        None, gt=0, description="SADR: added to weights of attention; 1e-8, in float16 1e-7, when left out"
    )
    others: tuple[str, ...] | None = Field(
        None,
        description="prompts whose answers the new value shall leave as they are, {} in place of the subject; general "
        "ones when left out",
        json_schema_extra=SENTENCES,
    )
    others_weight: float = Field(0.0, ge=0, description="weight of leaving the answers to others; 0 is off")
    neighbours: tuple[str, ...] | None = Field(
        None,
        description="prompts of other subjects whose answers the new value shall leave as they are; stored ones of the "
        "same relation when left out, none of them a neighbour the fact is scored by",
        json_schema_extra=SENTENCES,
    )
    behind_weight: float = Field(
        0.0, ge=0, description="weight of leaving the answers to neighbours behind the new fact; 0 is off"
    )
    near_weight: float = Field(
        0.0,
        ge=0,
        description="weight of leaving the answers to neighbours with the same change at their subject (NA); 0 is off",
    )
    lti_subject: float = Field(
        0.0,
        ge=0,
        description="weight of leaving the state at the subject, read at lti_layer, as it is in the model that is told "
        "the fact (LTI); 0 is off",
    )
    lti_output: float = Field(
        0.0, ge=0, description="weight of an answer as likely as in the model that is told the fact (LTI); 0 is off"
    )
    lti_layer: int | None = Field(
        None, ge=1, description="LTI: layer the state at the subject is read at; just above the middle when left out"
    )
    answer_weight: float = Field(1.0, gt=0, description="weight of the new answer in the search")
    norm_anchor: bool = Field(
        False, description="give the new value the length such values have on the model without edits (NAS)"
    )
    moments_weight: float = Field(0.3, gt=0, description="MEMIT, RLS, PMET: weight of the text, in dimensions of a key")
    anchor: float = Field(
        0.0, ge=0, description="RLS: weight of staying where no text reads, in mean eigenvalues of its second moment"
    )
    passes: int = Field(
        1,
        ge=1,
        le=5,
        description="MEMIT and its kin: times that what is still missing is read anew and written as well, at most; "
        "fewer where the answers are about as likely as in the search",
    )
    window: int = Field(
        5, ge=1, le=500, description="AnyEdit: tokens of the answer that one value stands for; 40 in the paper"
    )
    targets: FoundOn = Field(
        "base",
        description="RLS: new values sought on the model as it was trained, so that each edit stands by itself (base), "
        "or on top of the edits that are on (stacked)",
    )
    slack: float | None = Field(
        None,
        ge=0,
        description="EMMET: how far the new values may be missed; 0 for one fact and 1e-6 for more when left out "
        "(the official code takes none for one fact), and what is named holds for one fact too",
    )
    norm: float | None = Field(None, gt=0, description="FT: furthest any weight may move")
    norm_relative: float | None = Field(
        None, gt=0, description="FT: the same in root mean squares of the matrix's weights, in place of norm"
    )
    protect: float = Field(
        0.8,
        ge=0,
        lt=1,
        description="AlphaEdit, BetaEdit: share of the text's energy to leave untouched; 0 is no projection",
    )
    spare: bool = Field(True, description="AlphaEdit, BetaEdit: spare the keys of the facts written before")
    ridge: float = Field(0.1, gt=0, description="AlphaEdit, BetaEdit: ridge, in energies of a typical projected key")
    leak_weight: float = Field(
        0.03,
        ge=0,
        description="BetaEdit: weight of the text that is read where it writes, in dimensions of a key; 0 is AlphaEdit",
    )
    refresh: int = Field(
        50,
        ge=0,
        description="BetaEdit: facts after which what to leave untouched is found anew, theirs in it; 0: never",
    )
    batch_ridge: float | None = Field(
        None, gt=0, description="UltraEdit, StableEdit: weight of a small change, in squared units of a key"
    )
    warm_up: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="UltraEdit, StableEdit: stored facts whose keys and gradients are read first, so that few facts "
        "have a mean and a spread; they are not written",
    )
    protect_keys: ProtectedFrom = Field(
        "none",
        description="whose keys shall keep their values: relation, the stored subjects of the fact's relation; own, "
        "subjects like the fact's that the model names; or none but those of `protected`",
    )
    protected: tuple[Protected, ...] = Field(
        (), max_length=MOST_PROTECTED, description="prompts that must not move, those of protect_keys beside"
    )
    protect_weight: float | None = Field(
        None,
        ge=0,
        description="weight of protected keys beside the text, by their traces; .1 when left out. AlphaEdit, which "
        "weighs no text: what each counts for beside a fact written before; 1 when left out",
    )
    subjects_weight: float = Field(
        0.0, ge=0, description="weight of the keys of all stored subjects beside the text, by their traces; 0 is none"
    )
    held_out: tuple[str, ...] = Field(
        (), max_length=MOST_PROTECTED, description="subjects that are never protected: those a score is taken of"
    )
    source: str = Field(OWN, description="text for second moments: own, shipped, a file, or hf:owner/name")
    heads: tuple[str, ...] = Field((), description="prune: heads to silence, as layer.head")
    scale: float = Field(0.0, ge=-10, le=10, description="prune: what they are multiplied by")
    tokens: int | None = Field(
        None, ge=1, description="tokens of that text; left out, as many as it takes, ten for each dimension at most"
    )
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the texts the model writes")

    def own_edition(self) -> int:
        return self.edition + editions((self.method,), self.aim)

    @property
    def where(self) -> str:
        """Where its targets stand: `Method.aim`, or what was asked for in its place."""
        return METHODS[self.method].where(self.aim) if self.method in METHODS else ""

    @property
    def on_top(self) -> bool:
        """Whether it is found on top of the edits that are on; else on the model as it was trained."""
        own = METHODS.get(self.method)
        return own is not None and own.spares and ("targets" not in own.uses or self.targets == "stacked")

    @property
    def silences(self) -> bool:
        """Whether heads are multiplied; else something is added to what MLPs write."""
        return self.method in METHODS and METHODS[self.method].silences

    @field_validator("others", "neighbours")
    @classmethod
    def _readable(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for text in texts or ():
            if char := unfit(text):
                raise ValueError(f"“{fit(text)}” holds the character {char}, which does not show; take it out")
        return None if texts is None else tuple(dict.fromkeys(filter(None, map(ended, map(str.strip, texts)))))

    @field_validator("layers")
    @classmethod
    def _ascending(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return tuple(sorted(set(layers))) if layers else None

    @field_validator("shallow")
    @classmethod
    def _ascending_or_none(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if layers is None else tuple(sorted(set(layers)))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        own = method_of(self.method)
        found = [*own.needs]
        if ("contexts" in own.uses and self.contexts) or ("source" in own.uses and self.source == OWN):
            found.append("generation")  # the model writes its contexts and its own text
        if self.where == "block":
            found.append("stream")
        if self.protect_keys == "own" and "protect_keys" in own.uses:
            found.append("generation")
        if "others" in own.uses and (self.others_weight or self.behind_weight or self.near_weight):
            found.append("generation")  # what is kept is the model's own answer
        found += [need for need, fields in own.chosen_with.items() if any(getattr(self, one) is None for one in fields)]
        return (*found, "looks") if "sadr" in own.uses and self.sadr else tuple(found)


def editions(methods: Sequence[str], aim: Aim | None = None) -> int:
    """What is added to a request's edition for the methods it names, with SADR as in rome+sadr.

    One where targets stand where a block's parts write: PMET's search noted its old value with its own change in it,
    before. A method that has come to write something else says so itself.
    """
    own = [METHODS[name] for name in dict.fromkeys(map(method_in, methods)) if name in METHODS]
    in_parts = any(one.where(aim) == "mlp" for one in own)
    return in_parts + sum(one.edition for one in own)


def needs_of(methods: Sequence[str]) -> tuple[str, ...]:
    """What all of these methods need, SADR as in rome+sadr; one that cannot write by itself refuses its cases."""
    fact = Rewrite(prompt="{}", subject="a", target="b")
    each = [
        EditRequest(facts=(fact,), method=method_in(one), sadr=float("sadr" in extras_in(one))).needs()
        for one in methods
    ]
    return tuple(need for need in each[0] if all(need in one for one in each)) if each else ()
