"""What questions about memory against page ask and what they answer: plain data and arrays, no model.

PH3 (Jin et al. 2024) names memory heads and context heads and prunes one kind. Its formulas could not be
read, so what is written here is our reading of it, every choice a parameter: see `ConflictRequest`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from analysis.internals.correlation import rank_correlation
from analysis.knowledge_conflict.prompts import Corruption, Format, conflict_in
from analysis.stepwise import Stepwise
from analysis.text.boundary import ended
from analysis.text.framing import Prompted

Side = Literal["memory", "context"]
SIDES: tuple[Side, ...] = ("memory", "context")
Rank = Literal["probability", "logit_difference"]
READING = "PH3 (our reading)"


class _Reading(Prompted):
    units: ClassVar[dict[str, str]] = {"seed": "seed"}
    corruption: Corruption = Field(
        "both", description="what patched heads are given: another subject and a third answer, one of them, or a mean"
    )
    rank_by: Rank = Field("probability", description="scores that order heads: relative change, or logit difference")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of all draws")

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("heads", "gradient")


class HeadsRequest(_Reading):
    """Which heads speak for memory, and which for the page, on one prompt?"""

    units: ClassVar[dict[str, str]] = {"most": "heads"}
    prompt: str = Field(description="a sentence that contradicts what is known, then the beginning to be completed")
    subject: str = Field(description="words of the prompt both answers are about")
    context: str = Field(description="the page's answer, as it stands in the prompt")
    memory: str | None = Field(
        None, description="the remembered answer; what the model says without the page if left out"
    )
    most: int = Field(8, ge=1, le=12, description="heads of each kind to silence at most")
    receivers: tuple[str, ...] = Field(
        (), description="score paths to these inputs of heads instead of the logits: layer.head.q, .k or .v"
    )
    memory_heads: tuple[str, ...] = Field(
        (), description="heads to silence for memory, strongest first; found if empty"
    )
    context_heads: tuple[str, ...] = Field((), description="heads to silence for the page, strongest first")

    def refuse(self, read: Callable[[str], Any]) -> None:
        """See `Request.refuse`."""
        conflict_in(self.prompt, self.subject, self.memory or "?", self.context)
        read(self.prompt)

    @field_validator("prompt")
    @classmethod
    def _as_put(cls, prompt: str) -> str:
        return ended(prompt)

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return (*super().needs(), "looks")


class ConflictRequest(_Reading):
    """Heads found on some conflicts, tested on others: who wins with k of a kind silenced?"""

    units: ClassVar[dict[str, str]] = {
        "wording": "number, from 0", "find": "conflicts", "validation": "conflicts", "test": "conflicts",
        "at_least": "probability", "ks": "heads", "draws": "draws", "contrast": "weight",
    }  # fmt: skip
    relations: tuple[str, ...] = Field(
        ("capital",), description="relations to take facts from, in turn; all when empty"
    )
    form: Format = Field("sentence", description="form of the prompts")
    wording: int = Field(2, ge=0, le=9, description="wording that asks: 0 the stored prompt, then its paraphrases")
    test_form: Format | None = Field(
        None, description="form of the prompts of validation and test; the same if left out"
    )
    find: int = Field(12, ge=2, le=500, description="conflicts to find heads on")
    validation: int = Field(5, ge=0, le=500, description="conflicts to choose k on")
    test: int = Field(12, ge=1, le=500, description="conflicts to test on")
    test_relations: tuple[str, ...] = Field((), description="relations of validation and test; the same when empty")
    at_least: float = Field(0.15, ge=0, le=1, description="least probability of a known answer")
    ks: tuple[int, ...] = Field((1, 3, 5, 10), min_length=1, description="numbers of heads to silence with controls")
    draws: int = Field(20, ge=1, le=200, description="draws of random heads from the same layers")
    contrast: float = Field(1.0, ge=0, le=10, description="α of context-aware decoding")
    file: str | None = Field(
        None, description="a file of conflicts (JuICE's form or ConflictQA's) in place of the facts"
    )

    @field_validator("ks")
    @classmethod
    def _ascending(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        if min(ks) < 1 or max(ks) > 50:
            raise ValueError("each k lies between 1 and 50")
        return tuple(sorted(set(ks)))


@dataclass(frozen=True)
class Scores:
    """Path patching of every head; L layers, H heads. Below zero: the head supports the answer."""

    units: ClassVar[dict[str, str]] = {
        "memory": "ratio", "context": "ratio", "logit_difference": "logits", "memory_half": "ratio",
        "context_half": "ratio", "logit_half": "logits", "attribution": "logits", "direct": "logits",
    }  # fmt: skip
    memory: np.ndarray  # (L, H) S_m, mean relative change of P(remembered answer) without the head's own signal
    context: np.ndarray  # (L, H) S_c, of P(page's answer)
    logit_difference: np.ndarray  # (L, H) mean change of logit(page) − logit(memory)
    memory_half: np.ndarray  # (L, H) half widths of 95 % intervals over prompts; NaN for one prompt
    context_half: np.ndarray
    logit_half: np.ndarray
    attribution: np.ndarray | None  # (L, H) attribution patching's guess of that; None for paths to inputs
    direct: np.ndarray | None  # (L, H) direct logit attribution of it; None where parts do not add up

    @classmethod
    def blank(cls, layers: int, heads: int) -> "Scores":
        """Of no prompts."""
        nothing = np.full((layers, heads), np.nan)
        return cls(nothing, nothing, nothing, nothing, nothing, nothing, attribution=None, direct=None)

    def balance(self, rank_by: Rank = "probability") -> np.ndarray:
        """(L, H): above zero where the head speaks for memory, below where it speaks for the page."""
        return self.context - self.memory if rank_by == "probability" else self.logit_difference

    def side(self, head: tuple[int, int], rank_by: Rank = "probability") -> Side | None:
        """Which answer a head supports at the other's cost; None where it supports both or neither."""
        if rank_by == "logit_difference":
            value = self.logit_difference[head]
            return "memory" if value > 0 else "context" if value < 0 else None
        supports = (self.memory[head] < 0, self.context[head] < 0)
        return {(True, False): "memory", (False, True): "context"}.get(supports)  # type: ignore[return-value]

    def ranked(self, side: Side, rank_by: Rank = "probability") -> list[tuple[int, int]]:
        """Heads of a side, strongest first."""
        balance = self.balance(rank_by)
        order = np.argsort(-balance if side == "memory" else balance, axis=None, kind="stable")
        heads = [(int(i) // balance.shape[1], int(i) % balance.shape[1]) for i in order]
        return [head for head in heads if self.side(head, rank_by) == side]

    def agreement(self, name: Literal["attribution", "direct"]) -> float:
        """Rank correlation (Spearman) of a cheap ranking with the exact logit differences; NaN where there is none."""
        guess = getattr(self, name)
        if guess is None:
            return float("nan")
        return rank_correlation(guess, self.logit_difference)


@dataclass(frozen=True)
class Writes:
    """What every head writes at the last token, read off the direct path; N tokens at each end."""

    units: ClassVar[dict[str, str]] = {
        "top_ids": "token id", "top": "logits", "bottom_ids": "token id", "bottom": "logits",
    }  # fmt: skip
    top_ids: np.ndarray  # (L, H, N)
    top: np.ndarray  # (L, H, N) added to these tokens' logits
    bottom_ids: np.ndarray  # (L, H, N)
    bottom: np.ndarray  # (L, H, N)
    linear: bool  # read with norms frozen; else through the unembedding alone


@dataclass(frozen=True)
class HeadsResult:
    """One prompt, all its heads."""

    units: ClassVar[dict[str, str]] = {
        "clean_probability": "probability", "probability": "probability", "looks": "share of attention",
        "grid_top_ids": "token id", "grid_top": "probability", "grid_probability": "probability",
    }  # fmt: skip
    request: HeadsRequest
    model: dict[str, Any]
    tokens: list[str]
    clean_prompt: str
    memory: str
    context: str
    corrupted: str  # the prompt patched heads were taken from
    clean_probability: np.ndarray  # (2,) of memory and page without the page
    probability: np.ndarray  # (2,) with it
    scores: Scores
    looks: np.ndarray  # (L, H, T) attention of the last token, float16
    writes: Writes
    memory_heads: list[str]  # silenced in this order
    context_heads: list[str]
    grid_top_ids: np.ndarray  # (M+1, C+1, N) first words with so many heads of memory and of the page silenced
    grid_top: np.ndarray  # (M+1, C+1, N) their probabilities
    grid_probability: np.ndarray  # (M+1, C+1, 2) of memory and page
    words: dict[str, str]
    notes: list[str]
    provenance: dict[str, Any]
    roles: list[str] = field(default_factory=list)  # in a chat, whose words each token is (`analysis.text.chat`)

    def spans(self, ids: np.ndarray) -> list[str]:
        """Token ids as text."""
        return [self.words[str(int(i))] for i in ids]


@dataclass(frozen=True)
class Outcome:
    """Who won on n test prompts under one treatment; several draws where heads were drawn."""

    units: ClassVar[dict[str, str]] = {
        "k": "heads", "memory": "share", "context": "share", "p_memory": "probability", "p_context": "probability",
        "clean": "share", "n": "prompts",
    }  # fmt: skip
    treatment: str
    side: str  # which heads: memory, context, or empty
    k: int
    heads: list[str]  # of the first draw
    memory: np.ndarray  # (draws,) share of answers from memory, RM
    context: np.ndarray  # (draws,) from the page, RC
    p_memory: np.ndarray  # (draws,) mean probability of the remembered answer
    p_context: np.ndarray  # (draws,)
    clean: np.ndarray  # (draws,) share of clean prompts still answered right; NaN where not asked
    n: int

    @property
    def other(self) -> float:
        """Share of other answers, mean over draws."""
        return float(1 - self.memory.mean() - self.context.mean())

    @property
    def memorisation(self) -> float:
        """M_R = f_m / (f_m + f_c); NaN where neither was given (Xie et al. 2023, Longpre et al. 2021)."""
        both = float((self.memory + self.context).mean())
        return float(self.memory.mean()) / both if both else float("nan")


@dataclass(frozen=True)
class Example:
    """One conflict of a study."""

    id: str
    part: str  # find, validation, test
    relation: str
    prompt: str
    memory: str
    context: str
    corrupted: str


@dataclass(frozen=True)
class ConflictResult(Stepwise):
    """Heads over many conflicts, and what silencing them does to others.

    Stopped: blank scores until heads were found, the outcomes that were counted, and what the run goes on from.
    """

    units: ClassVar[dict[str, str]] = {"chosen": "heads", "paths": "ratio"}
    request: ConflictRequest
    model: dict[str, Any]
    examples: list[Example]
    scores: Scores
    memory_heads: list[str]  # strongest first
    context_heads: list[str]
    outcomes: list[Outcome]
    chosen: dict[str, int]  # k of each side, chosen on validation; empty without validation
    skipped: list[str]
    provenance: dict[str, Any] = field(default_factory=dict)
    known: dict[str, bool] = field(default_factory=dict)  # prompts asked without the page; none at the end
    paths: list[np.ndarray] = field(default_factory=list)  # what heads found are scored by; none once they are

    @property
    def scored(self) -> bool:
        """Whether heads were found."""
        return bool(np.isfinite(self.scores.memory).any())

    def outcome(self, treatment: str, side: str = "", k: int = 0) -> Outcome | None:
        """The outcome of a treatment, if there is one."""
        return next((o for o in self.outcomes if (o.treatment, o.side, o.k) == (treatment, side, k)), None)


@dataclass(frozen=True)
class TransferResult:
    """Heads found in one place, silenced in another; S sources, T targets."""

    units: ClassVar[dict[str, str]] = {"base": "share", "silenced": "share", "count": "prompts"}
    request: "TransferRequest"
    model: dict[str, Any]
    sources: list[str]
    targets: list[str]
    heads: dict[str, dict[str, list[str]]]  # source → side → heads
    base: np.ndarray  # (T, 2) RM and RC with nothing silenced
    silenced: dict[str, np.ndarray]  # side silenced → (S, T, 2)
    count: np.ndarray  # (T,) test prompts
    skipped: list[str]
    provenance: dict[str, Any]


class TransferRequest(_Reading):
    """Do heads found on one relation, or in one form, work on another?"""

    units: ClassVar[dict[str, str]] = {
        "wording": "number, from 0", "find": "conflicts", "test": "conflicts", "k": "heads", "at_least": "probability",
    }  # fmt: skip
    relations: tuple[str, ...] = Field(
        ("capital", "language", "continent", "city_country"),
        min_length=1,
        description="relations, each with every other",
    )
    forms: tuple[Format, ...] = Field(
        ("sentence", "reworded", "question"), min_length=1, description="forms, each with every other, on all relations"
    )
    wording: int = Field(2, ge=0, le=9, description="wording that asks: 0 the stored prompt, then its paraphrases")
    find: int = Field(8, ge=2, le=200, description="conflicts of each source to find heads on")
    test: int = Field(8, ge=1, le=200, description="conflicts of each target")
    k: int = Field(3, ge=1, le=50, description="heads to silence")
    at_least: float = Field(0.15, ge=0, le=1, description="least probability of a known answer")


class KnockoutRequest(Prompted):
    """By which road do memory and page reach the answer? Attention edges and modules cut, layer by layer."""

    units: ClassVar[dict[str, str]] = {
        "wording": "number, from 0", "n": "conflicts", "window": "layers", "at_least": "probability", "seed": "seed",
    }  # fmt: skip
    relations: tuple[str, ...] = Field(
        ("capital",), description="relations to take facts from, in turn; all when empty"
    )
    form: Format = Field("sentence", description="form of the prompts")
    wording: int = Field(2, ge=0, le=9, description="wording that asks: 0 the stored prompt, then its paraphrases")
    n: int = Field(10, ge=1, le=200, description="conflicts to average over")
    window: int | None = Field(None, ge=1, description="layers cut together; scaled to the depth when left out")
    modules: bool = Field(True, description="also silence MLP and attention outputs at single tokens")
    at_least: float = Field(0.15, ge=0, le=1, description="least probability of a known answer")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the page's answers")

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("patterns", "parts") if self.modules else ("patterns",)


@dataclass(frozen=True)
class KnockoutResult:
    """Relative change of both answers' probabilities, by what is cut and where the window of layers is centred."""

    units: ClassVar[dict[str, str]] = {"window": "layers", "change": "ratio", "half_width": "ratio"}
    request: KnockoutRequest
    model: dict[str, Any]
    window: int
    cuts: list[str]  # e.g. “last → subject”, “mlp at page's answer”
    change: np.ndarray  # (cuts, L, 2) mean ΔP/P of memory and page
    half_width: np.ndarray  # (cuts, L, 2) of 95 % intervals over prompts; NaN for one prompt
    examples: list[Example]
    skipped: list[str]
    provenance: dict[str, Any]
