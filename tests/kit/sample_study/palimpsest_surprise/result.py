"""What is asked and what is answered: plain data and arrays, no model."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from analysis.study import Request


class SurpriseRequest(Request):
    """How expected was every word of a prompt?"""

    units: ClassVar[dict[str, str]] = {"base": "ratio"}
    prompt: str = Field(min_length=1, description="text whose words are looked at")
    base: float = Field(2.0, gt=1, description="base of the logarithm")


@dataclass(frozen=True)
class SurpriseResult:
    """Surprise of every token but the first, which nothing stands before."""

    units: ClassVar[dict[str, str]] = {"surprise": "powers of the base"}
    request: SurpriseRequest
    model: dict[str, Any]
    tokens: list[str]
    surprise: np.ndarray  # (T - 1,)
    provenance: dict[str, Any] = field(default_factory=dict)
