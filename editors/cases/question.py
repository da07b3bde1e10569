"""A question with its answer and no fact to write: to be forgotten, to be kept, or put against what a page says.

TOFU (2401.06121) and MUSE (2407.06460) ask so what should be forgotten and what should stay; ConflictQA (2305.13300)
says what a model remembers and pages for and against it.
"""

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["forget", "retain", "holdout", "conflict"]


@dataclass(frozen=True)
class Question:
    """One question; a passage to forget as it stands has no answer."""

    purpose: Purpose
    prompt: str
    answer: str = ""
    """The answer to forget or keep; of a conflict, what the model remembers."""
    wordings: tuple[str, ...] = ()
    """Other wordings of the question."""
    right: tuple[str, ...] = ()
    """Other wordings of the answer."""
    wrong: tuple[str, ...] = ()
    """Answers it should be told from; of a conflict, what the pages against it say."""
    pages: tuple[str, ...] = ()
    """Texts that speak for one answer or another."""
    id: str = ""

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every text that can be asked or shown."""
        return (self.prompt, *self.wordings, *self.pages)
