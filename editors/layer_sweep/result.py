"""At which layer should a fact be written? What is asked and what is answered: plain data, no model."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from analysis.text.framing import Prompted
from editors.edit.request import Rewrite, editions, needs_of
from editors.methods.protection.inseparable import inseparable
from editors.registry.methods import OneLayerName

OUTCOMES = ("rewrite", "paraphrase", "neighbour")


class LayersRequest(Prompted):
    """Write a few facts at one layer after another, and trace them."""

    units: ClassVar[dict[str, str]] = {"layers": "layer number", "samples": "samples", "seed": "seed"}
    facts: tuple[Rewrite, ...] = Field(
        min_length=1, max_length=50, description="facts to write, as a row of edits, one at a time"
    )
    layers: tuple[int, ...] | None = Field(None, description="layers to try; every third when left out")
    method: OneLayerName = Field("rome", description="editor of one layer")
    samples: int = Field(3, ge=1, le=100, description="noise samples of the traces")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of texts and noise")

    def own_edition(self) -> int:
        return self.edition + editions((self.method,))

    @field_validator("layers")
    @classmethod
    def _ascending(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return tuple(sorted(set(layers))) if layers else None

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return needs_of((self.method,))


@dataclass
class LayersResult:
    """What became of F facts written at each of K layers, beside their traces over all L layers."""

    units: ClassVar[dict[str, str]] = {
        "layers": "layer number", "score": "ratio", "likelier": "share", "greedy": "share", "effect": "probability",
        "nearest": "cosine",
    }  # fmt: skip
    came_later: ClassVar[tuple[str, ...]] = ("nearest", "nearest_names")
    request: LayersRequest
    model: dict[str, Any]
    layers: list[int]
    score: np.ndarray  # (F, K) rewrite score, (after − before) / (1 − before) of P(new answer); NaN not yet there
    likelier: dict[str, np.ndarray]  # of each outcome (F, K) share of prompts where the wanted answer is likelier
    greedy: dict[str, np.ndarray]  # of each outcome (F, K) share of prompts where it is said; NaN without prompts
    effect: np.ndarray  # (F, L) indirect effect of the state at the subject's last token
    provenance: dict[str, Any] = field(default_factory=dict)
    nearest: np.ndarray | None = None
    """(F, K) largest cosine, in the metric of the text, of the fact's key with a stored subject's of its relation; NaN
    where no relation is stored; None where it was not measured."""
    nearest_names: list[list[str]] | None = None
    """F of K, whose it is."""

    def inseparable(self) -> list[str]:
        """Sentences: which facts cannot be told from a subject of their kind at which layers, and where they can."""
        if self.nearest is None or self.nearest_names is None:
            return []
        each = zip(self.request.facts, self.nearest_names, self.nearest, strict=False)
        said = (inseparable(fact.subject, names, row, self.layers) for fact, names, row in each)
        return [one for one in said if one is not None]

    @property
    def cells(self) -> tuple[int, int]:
        """Edits made, edits asked for."""
        return int((~np.isnan(self.score)).sum()), self.score.size

    @property
    def complete(self) -> bool:
        """Whether every edit was made."""
        return self.cells[0] == self.cells[1]

    def mean(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean over facts and half width of its 95 % interval, columns without numbers NaN."""
        known = ~np.isnan(values)
        count = known.sum(0)
        total = np.where(known, values, 0.0).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count
            spread = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(0) / (count - 1))
            width = 1.96 * spread / np.sqrt(count)
        return mean, np.where(count > 1, width, 0.0)

    def correlation(self) -> float:
        """Pearson's between rewrite score and tracing effect over facts and layers (Hase et al., section 4); NaN
        where one of them never varies."""
        effect = self.effect[:, self.layers]
        both = ~np.isnan(self.score) & ~np.isnan(effect)
        one, other = self.score[both], effect[both]
        if len(one) < 3 or one.std() == 0 or other.std() == 0:
            return float("nan")
        return float(np.corrcoef(one, other)[0, 1])
