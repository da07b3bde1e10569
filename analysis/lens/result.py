"""What the logit lens asks and what it answers: plain data and arrays, no model."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from analysis.text.framing import OnePrompt


@dataclass(frozen=True)
class Lens:
    """What every state of a prompt would say; L layers, T tokens. State l is block l's output."""

    units: ClassVar[dict[str, str]] = {
        "top_ids": "token id", "top_probabilities": "probability", "answer_probability": "probability",
        "answer_rank": "rank, from 0",
    }  # fmt: skip
    top_ids: np.ndarray  # (L, T, TOP)
    top_probabilities: np.ndarray  # (L, T, TOP)
    answer_probability: np.ndarray  # (L, T)
    answer_rank: np.ndarray  # (L, T) 0 = the state's first word


class LensRequest(OnePrompt):
    """What would every state of this prompt say?"""

    prompt: str = Field(description="sentence that ends just before its answer")
    answer: str | None = Field(None, description="word whose probability is shown; the model's own when left out")


@dataclass(frozen=True)
class LensResult:
    """The logit lens of one prompt."""

    request: LensRequest
    model: dict[str, Any]
    tokens: list[str]
    answer: str
    lens: Lens
    words: dict[str, str]
    provenance: dict[str, Any]
    roles: list[str] = field(default_factory=list)  # in a chat, whose words each token is (`analysis.text.chat`)
