"""What the study of two-hop recall asks and what it answers: plain data and arrays, no model."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from analysis.facts.chains import Chain
from analysis.stepwise import Stepwise
from analysis.text.framing import Prompted

Ask = Literal["first", "second", "whole", "without_subject", "without_first_hop"]
ASKED: tuple[Ask, ...] = ("first", "second", "whole", "without_subject", "without_first_hop")
PLACES = ("bridge at the description", "bridge at the end", "answer at the end")


class HopsRequest(Prompted):
    """Does the model know each hop, and the whole?"""

    units: ClassVar[dict[str, str]] = {"limit": "chains", "stride": "layers", "window": "layers"}
    chains: tuple[str, ...] = Field((), description="ids of chains; all when empty")
    first: tuple[str, ...] = Field((), description="relations of the first hop; all when empty")
    second: tuple[str, ...] = Field((), description="relations of the second hop; all when empty")
    limit: int | None = Field(None, ge=1, description="at most so many chains, relations in turn")
    knock_out: bool = Field(
        False, description="also cut the last token from the description, window by window of layers"
    )
    back_patch: bool = Field(False, description="also put later states in earlier layers' place (back-patching)")
    stride: int = Field(3, ge=1, description="knock-out, back-patching: every so many layers")
    window: int = Field(5, ge=1, description="knock-out: layers cut together")

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("patterns",) if self.knock_out else ()


@dataclass(frozen=True)
class HopsResult(Stepwise):
    """n chains, each asked five ways; Q wordings of the second hop; L layers. NaN where nothing was cut or put yet."""

    units: ClassVar[dict[str, str]] = {
        "probability": "probability", "correct": "yes or no", "whole_correct": "yes or no", "recall": "nats",
        "cut": "probability", "cut_layers": "layer number", "patched": "probability", "patched_layers": "layer number",
    }  # fmt: skip
    request: HopsRequest
    model: dict[str, Any]
    chains: list[Chain]
    probability: np.ndarray  # (n, 5) of the answer's first token, by ASKED, first wording
    correct: np.ndarray  # (n, 5) bool: the answer's first token is the likeliest
    said: list[list[str]]  # n of 5
    whole_correct: np.ndarray  # (n, Q) bool, every wording of the whole
    recall: np.ndarray  # (n, 3, L) log-probabilities read through the lens, by PLACES
    cut: (
        np.ndarray
    )  # (n, 2, layers tried) P(answer) with the last token cut from subject, or description's end; or empty
    cut_layers: list[int]  # centre of each window
    patched: np.ndarray  # (n, from, to) P(answer) with a later state earlier at the description's end; or empty
    patched_layers: list[int]
    skipped: list[str]  # chains this tokenizer cannot place, with the reason
    provenance: dict[str, Any]

    def was_cut(self, chain: int) -> bool:
        """Whether there is anything to show of a chain's cuts."""
        return bool(self.cut.size) and not np.isnan(self.cut[chain]).all()

    def genuine(self) -> np.ndarray:
        """Chains whose hops and whole are right and that no shortcut answers, (n,) bool (2406.12775's filter)."""
        right = dict(zip(ASKED, self.correct.T, strict=True))
        alone = right["without_subject"] | right["without_first_hop"]
        return right["first"] & right["second"] & right["whole"] & ~alone

    def both(self) -> np.ndarray:
        """Chains both of whose hops are known, (n,) bool."""
        return self.correct[:, 0] & self.correct[:, 1]
