"""What a trace asks and what it answers: plain data and arrays, no model.

A page, an export or a notebook can read a result without torch having anything to do.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from analysis.internals.correlation import rank_correlation
from analysis.internals.scores import TOP, Metric, Scores
from analysis.lens.result import Lens
from analysis.study import StoredAs
from analysis.text.boundary import answer_as_kept
from analysis.text.framing import OneSubject

Kind = Literal["state", "mlp", "attn", "severed_mlp", "severed_attn"]
Corruption = Literal["noise", "replace"]
KINDS: tuple[Kind, ...] = ("state", "mlp", "attn", "severed_mlp", "severed_attn")


class TraceRequest(OneSubject):
    """Where does a state bring the answer back?"""

    units: ClassVar[dict[str, str]] = {
        "occurrence": "number, from 0", "window": "layers", "noise": "sigmas",
        "sigma": "length of an embedding's entry", "samples": "samples", "seed": "seed",
    }  # fmt: skip
    prompt: str = Field(description="sentence that ends just before its answer")
    subject: str = Field(description="words of the prompt to corrupt")
    occurrence: int | None = Field(
        None, ge=0, description="which occurrence of the subject, from 0, if there are several"
    )
    answer: str | None = Field(None, description="answer to follow; the model's own when left out")
    foil: str | None = Field(
        None, description="word the answer is compared with; the corrupted run's favourite when left out"
    )
    kinds: tuple[Kind, ...] = Field(
        ("state",), min_length=1, description="what to repair: state, mlp, attn, severed_mlp, severed_attn"
    )
    window: int | None = Field(
        None, ge=1, description="layers repaired together for mlp and attn; 10 of 48 layers' worth when left out"
    )
    corruption: Corruption = Field("noise", description="noise, or replace: another subject in its place")
    replacement: str | None = Field(
        None, description="text in the subject's place; a stored subject of equal length when left out"
    )
    noise: float = Field(3.0, ge=0, le=100, description="noise as a multiple of sigma")
    sigma: float | None = Field(
        None, gt=0, description="standard deviation of subject embeddings; measured when left out"
    )
    samples: int = Field(10, ge=1, le=100, description="noise samples")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the noise")
    severing_noise: Literal["equal", "published"] = Field(
        "equal", description="severed modules see the same noise (equal) or a second draw, as the published code does"
    )

    @property
    def draws_twice(self) -> bool:
        """Whether noise is drawn anew for the runs whose modules are severed."""
        return self.severing_noise == "published" and self.corruption == "noise"

    def own_edition(self) -> int:
        """Severed cells before the subject held the first draw's value where the second is the run's, before 1."""
        severed = any(kind.startswith("severed") for kind in self.kinds)
        return 1 if severed and self.draws_twice else self.edition

    @field_validator("answer", "foil")
    @classmethod
    def _as_kept(cls, text: str | None, info: ValidationInfo) -> str | None:
        kept = answer_as_kept(info.data.get("prompt", ""), text or "", info.data.get("boundary", "auto"))
        return kept if kept.strip() else None

    @field_validator("replacement")
    @classmethod
    def _blank_is_none(cls, text: str | None) -> str | None:
        return (text or "").strip() or None

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
        return tuple(kind for kind in KINDS if kind in kinds)

    @model_validator(mode="after")
    def _replacement_needs_replace(self) -> "TraceRequest":
        if self.replacement and self.corruption != "replace":
            raise ValueError("a replacement text needs corruption = replace")
        return self

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return () if set(self.kinds) == {"state"} else ("parts",)


@dataclass
class Grid:
    """Scores of one kind of repair; S samples, L layers, T tokens. Cells not computed are NaN."""

    units: ClassVar[dict[str, str]] = {
        "window": "layers", "probability": "probability", "logit_difference": "logits", "kl": "nats",
        "top_ids": "token id", "top_probabilities": "probability",
    }  # fmt: skip
    kind: Kind
    window: int  # layers repaired together; 1 for states
    probability: np.ndarray  # (S, L, T)
    logit_difference: np.ndarray  # (S, L, T)
    kl: np.ndarray  # (S, L, T)
    top_ids: np.ndarray  # (L, T, TOP) likeliest next tokens of the repaired run
    top_probabilities: np.ndarray  # (L, T, TOP)

    @classmethod
    def blank(cls, kind: Kind, window: int, samples: int, layers: int, tokens: int) -> "Grid":
        """A grid with no cell computed."""
        blank = np.full((samples, layers, tokens), np.nan, dtype=np.float32)
        top = np.zeros((layers, tokens, TOP))
        return cls(kind, window, blank, blank.copy(), blank.copy(), top.astype(np.int32), top.astype(np.float32))

    def put(self, layers: list[int], token: int, scores: Scores) -> None:
        """Write scores (cells, S) of the given layers at one token."""
        self.probability[:, layers, token] = scores.probability.T
        self.logit_difference[:, layers, token] = scores.logit_difference.T
        self.kl[:, layers, token] = scores.kl.T
        self.top_ids[layers, token] = scores.top_ids
        self.top_probabilities[layers, token] = scores.top_probabilities

    @property
    def computed(self) -> np.ndarray:
        """(L, T) bool: cells that are there."""
        return ~np.isnan(self.probability[0])


@dataclass
class TraceResult:
    """A trace, complete or stopped on the way.

    `clean` and `corrupted` hold the runs without any repair: scores of shape (1,) and (S,).
    """

    units: ClassVar[dict[str, str]] = {
        "subject": "token position", "answer_id": "token id", "foil_id": "token id",
        "sigma": "length of an embedding's entry", "previews": "nats",
    }  # fmt: skip
    request: TraceRequest
    model: dict[str, Any]
    tokens: list[str]
    subject: tuple[int, int]  # tokens [b, e)
    answer: str
    answer_id: int
    foil: str
    foil_id: int
    sigma: float | None
    replacement: str | None
    clean: Scores
    corrupted: Annotated[Scores, StoredAs("blurred")]
    grids: dict[str, Grid]
    previews: dict[str, np.ndarray]  # per kind (L, T) attribution patching of the log-probability, nats
    lens: Lens
    words: dict[str, str]  # token id → text, for every id in the result
    provenance: dict[str, Any] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)  # in a chat, whose words each token is (`analysis.text.chat`)

    @property
    def high(self) -> float:
        """Probability of the answer in the clean run."""
        return float(self.clean.probability[0])

    @property
    def low(self) -> float:
        """Mean probability of the answer in the corrupted runs."""
        return float(self.corrupted.probability.mean())

    @property
    def cells(self) -> tuple[int, int]:
        """Cells computed, cells asked for."""
        return sum(int(g.computed.sum()) for g in self.grids.values()), sum(
            g.computed.size for g in self.grids.values()
        )

    @property
    def complete(self) -> bool:
        """Whether every cell is there."""
        done, total = self.cells
        return done == total

    def samples(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """A metric per noise sample, (S, L, T), in the metric's own unit."""
        grid = self.grids[kind]
        if metric == "probability":
            return grid.probability
        if metric == "kl":
            return self.corrupted.kl[:, None, None] - grid.kl
        if metric == "logit_difference":
            return grid.logit_difference
        low = self.corrupted.logit_difference.mean()
        whole = self.clean.logit_difference[0] - low
        return (grid.logit_difference - low) / (whole if whole else np.nan)

    def scores(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """Mean over noise samples of a metric with the cell repaired, (L, T).

        probability: P(answer). logit_difference: logit(answer) − logit(foil).
        normalised_logit_difference: 0 for the corrupted run, 1 for the clean one.
        kl: D(clean ‖ corrupted) − D(clean ‖ repaired), nats.
        """
        return self.samples(kind, metric).mean(0)

    def baseline(self, metric: Metric = "probability") -> tuple[float, float]:
        """The metric in the corrupted and in the clean run."""
        if metric == "probability":
            return self.low, self.high
        if metric == "logit_difference":
            return float(self.corrupted.logit_difference.mean()), float(self.clean.logit_difference[0])
        return (0.0, 1.0) if metric == "normalised_logit_difference" else (0.0, float(self.corrupted.kl.mean()))

    def indirect_effects(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """Indirect effect of every cell, (L, T): the metric with it repaired minus the metric without."""
        return self.scores(kind, metric) - self.baseline(metric)[0]

    def uncertainty(self, kind: str, metric: Metric = "probability") -> np.ndarray:
        """Half width of the 95 % interval of every cell's paired effect over noise samples, (L, T)."""
        samples = self.samples(kind, metric)
        if len(samples) < 2:
            return np.zeros(samples.shape[1:])
        low = {"probability": self.corrupted.probability, "logit_difference": self.corrupted.logit_difference}.get(
            metric
        )
        paired = samples - low[:, None, None] if low is not None else samples
        return 1.96 * paired.std(0, ddof=1) / np.sqrt(len(samples))

    def agreement(self, kind: str) -> float:
        """Spearman's rank correlation of the preview with the exact log-probabilities, cells from the subject on."""
        rows = slice(self.subject[0], None)
        with np.errstate(divide="ignore"):
            exact = np.log(self.grids[kind].probability.clip(1e-30)).mean(0)[:, rows]
        return rank_correlation(self.previews[kind][:, rows], exact)

    def spans(self, ids: np.ndarray) -> list[str]:
        """Texts of token ids kept in this result."""
        return [self.words[str(int(token))] for token in ids]
