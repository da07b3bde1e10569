"""What the map of who moved asks and answers: plain data and arrays, no model."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from analysis.study import Request
from editors.edit.probes import WANT_NEW, Answers, Probe

Standing = Literal["written", "protected", "scored", "like", "same subject"]
STANDINGS: tuple[Standing, ...] = ("written", "protected", "scored", "like", "same subject")
WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""β tried: at a tenth of the text's moment protection costs nothing, at ten times it is all that counts."""


class MovedRequest(Request):
    """Who else moved with this edit, and who would with more or less protection?"""

    units: ClassVar[dict[str, str]] = {"fact": "fact number, from 0", "weights": "share of the text's weight"}
    edition: ClassVar[int] = 1  # keys are read where a method has them
    fact: int = Field(0, ge=0, description="which fact of the uppermost edit")
    weights: tuple[float, ...] = Field(
        WEIGHTS, max_length=32, description="weights of protected keys (β) to solve the same new value with"
    )

    @field_validator("weights")
    @classmethod
    def _each_once(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if bad := [weight for weight in weights if not 0 <= weight <= 1e6]:
            raise ValueError(f"{bad[0]} is no weight: from 0 to a million")
        return tuple(sorted(set(weights)))


@dataclass(frozen=True)
class MovedResult:
    """Prompts about P subjects, under W edits that write one new value with other protection; the first is as it is.

    A prompt's shift is what the edit adds where its method has its keys, at the subject's last token or at the prompt's
    (`Method.at_end`): ‖Σ Δ k‖ over the layers written with the keys of before, in units of what it adds at the fact's
    own.
    """

    units: ClassVar[dict[str, str]] = {
        "layers": "layer number",
        "cosine": "cosine",
        "shift": "share",
        "weights": "share of the text's weight",
    }
    request: MovedRequest
    model: dict[str, Any]
    edit: str  # its title
    layers: list[int]
    probes: list[Probe]  # P; the fact itself first
    subjects: list[str]  # P
    standings: list[str]  # P
    cosine: np.ndarray  # (P,) of keys with the fact's, in the metric of the text; the largest over the layers
    weights: np.ndarray  # (W,) β of each; the edit's own first
    shift: np.ndarray  # (W, P)
    before: Answers
    after: list[Answers]  # W
    told: str  # why no other weights were tried; empty where they were
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> list[int]:
        """Edits by their weight."""
        return [int(at) for at in np.argsort(self.weights, kind="stable")]

    def kept(self, at: int) -> np.ndarray:
        """Whether each prompt is answered as it is to be, (P,): as before, or the new answer where it was written."""
        after = self.after[at]
        same = [
            bool(after.new_greedy[p]) if probe.kind in WANT_NEW else after.said[p] == self.before.said[p]
            for p, probe in enumerate(self.probes)
        ]
        return np.array(same)

    def share(self, at: int, standing: str) -> tuple[int, int]:
        """How many of a kind are answered as they are to be, and how many there are."""
        own = np.array([one == standing for one in self.standings])
        return int(self.kept(at)[own].sum()), int(own.sum())
