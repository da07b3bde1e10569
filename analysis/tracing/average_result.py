"""What an average over facts asks and what it answers: plain data and arrays, no model."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from analysis.facts.facts import Fact
from analysis.text.framing import Prompted
from analysis.tracing.result import KINDS, Kind, TraceRequest

ROWS = (
    "first subject token",
    "middle subject tokens",
    "last subject token",
    "first token after",
    "further tokens",
    "last token",
)


class AverageRequest(Prompted):
    """Where are facts kept, on average?"""

    units: ClassVar[dict[str, str]] = {
        "facts": "facts", "at_least": "probability", "window": "layers", "noise": "sigmas", "samples": "samples",
        "seed": "seed",
    }  # fmt: skip
    facts: int = Field(50, ge=2, le=1000, description="how many known facts to trace")
    relations: tuple[str, ...] = Field((), description="relations to take them from, in turn; all when empty")
    at_least: float = Field(
        0.1, ge=0, le=1, description="least probability of the right answer for a fact to count as known"
    )
    kinds: tuple[Kind, ...] = Field(("state", "mlp", "attn"), min_length=1, description="what to repair")
    window: int | None = Field(None, ge=1, description="layers repaired together for mlp and attn")
    noise: float = Field(3.0, ge=0, le=100, description="noise as a multiple of sigma")
    samples: int = Field(10, ge=1, le=100, description="noise samples")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the noise")

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
        return tuple(kind for kind in KINDS if kind in kinds)

    def of(self, fact: Fact) -> TraceRequest:
        """The trace of one fact."""
        return TraceRequest(
            prompt=fact.text,
            subject=fact.subject,
            occurrence=0,
            answer=fact.object,
            kinds=self.kinds,
            window=self.window,
            noise=self.noise,
            samples=self.samples,
            seed=self.seed,
            **self.framing(),
        )

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return () if set(self.kinds) == {"state"} else ("parts",)


@dataclass
class AverageResult:
    """Mean indirect effects over facts; R = 6 rows, L layers."""

    units: ClassVar[dict[str, str]] = {
        "high": "probability", "low": "probability", "window": "layers", "mean": "probability",
        "half_width": "probability", "count": "tokens",
    }  # fmt: skip
    request: AverageRequest
    model: dict[str, Any]
    ids: list[str]  # facts traced
    high: np.ndarray  # (facts,) P(answer), clean
    low: np.ndarray  # (facts,) P(answer), corrupted
    window: dict[str, int]
    mean: dict[str, np.ndarray]  # per kind (R, L) mean indirect effect on P(answer)
    half_width: dict[str, np.ndarray]  # per kind (R, L) half width of the 95 % interval, 1.96·std/√n
    count: np.ndarray  # (R,) tokens pooled in each row
    skipped: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def total_effect(self) -> tuple[float, float]:
        """Mean of clean minus corrupted probability over facts, and half width of its 95 % interval."""
        effect = self.high - self.low
        return float(effect.mean()), float(1.96 * effect.std(ddof=1) / np.sqrt(len(effect))) if len(effect) > 1 else 0.0

    def peak(self, kind: str, row: str) -> tuple[int, float, float]:
        """Layer, mean and half width of the largest mean effect of a row."""
        index = ROWS.index(row)
        layer = int(np.nanargmax(self.mean[kind][index]))
        return layer, float(self.mean[kind][index, layer]), float(self.half_width[kind][index, layer])
