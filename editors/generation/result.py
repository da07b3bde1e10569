"""How a model goes on from prompts, without edits and with them: plain data, no model."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field, field_validator

from analysis.text.boundary import ended
from analysis.text.framing import Prompted


class GenerateRequest(Prompted):
    """How does the model go on from these prompts?"""

    units: ClassVar[dict[str, str]] = {"tokens": "tokens", "seed": "seed"}
    prompt: tuple[str, ...] = Field(min_length=1, max_length=8, description="text to go on from; may be repeated")
    tokens: int = Field(20, ge=1, le=200, description="longest continuation")
    seed: int | None = Field(None, ge=0, lt=2**32, description="sample with this seed; greedy when left out")

    @field_validator("prompt")
    @classmethod
    def _said(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(prompt.strip() for prompt in prompts):
            raise ValueError("a prompt is empty")
        return tuple(map(ended, prompts))

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("generation",)


@dataclass(frozen=True)
class Generated:
    """How each prompt is continued; while a run is under way, as far as it is."""

    request: GenerateRequest
    model: dict[str, Any]
    edits: list[str]
    """Titles of the edits that were on."""
    before: list[str]  # of each prompt begun, the text that follows it without the edits
    after: list[str]  # the same with them; empty where there are none
    provenance: dict[str, Any]
