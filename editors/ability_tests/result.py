"""Does the model still work? Six small abilities, asked without a fact that an edit could touch: plain data."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from analysis.assets import ASSETS
from analysis.text.framing import Prompted
from editors.evaluation.result import Mean, mean_of

OWN_QUESTIONS = ASSETS / "abilities" / "abilities.json"
CHANCE = 1 / 3


class Question(BaseModel):
    """A prompt, its right answer and wrong ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt: str
    answer: str
    others: tuple[str, ...] = Field(min_length=2, max_length=2)


@lru_cache
def questions() -> tuple[tuple[str, Question], ...]:
    """Every question of the assets with its group."""
    groups = TypeAdapter(dict[str, tuple[Question, ...]]).validate_json(OWN_QUESTIONS.read_bytes())
    return tuple((group, one) for group, own in groups.items() for one in own)


class AbilitiesRequest(Prompted):
    """Ask every question; there is nothing to choose, so that scores stay comparable."""


@dataclass(frozen=True)
class AbilitiesResult:
    """N questions this tokenizer can read."""

    units: ClassVar[dict[str, str]] = {"right": "yes or no", "margin": "nats a token"}
    request: AbilitiesRequest
    model: dict[str, Any]
    groups: list[str]  # (N,)
    prompts: list[str]
    answers: list[str]
    right: np.ndarray  # (N,) bool: the right answer has the highest mean log-probability per token
    margin: np.ndarray  # (N,) nats a token between the right answer and the likelier wrong one
    left_out: list[str]  # prompts this tokenizer cannot read
    provenance: dict[str, Any] = field(default_factory=dict)

    def there(self) -> list[str]:
        """Groups, in order."""
        return list(dict.fromkeys(self.groups))

    def share(self, group: str | None = None) -> Mean | None:
        """Share right in a group, or in all."""
        return mean_of(self.right[[i for i, one in enumerate(self.groups) if group in (None, one)]].astype(float))
