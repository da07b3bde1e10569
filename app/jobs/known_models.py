"""What is known of the models that were loaded: pages ask here, and never the model, which another process may hold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis import ModelSpec
from app.jobs.work import Paces, pace_of
from editors.edit.matrices import Matrices

if TYPE_CHECKING:
    from analysis import LanguageModel


@dataclass(frozen=True)
class Look:
    """A loaded model without its weights: plain data, and the tokenizer."""

    card: dict[str, Any]
    tokenizer: Any
    pace: float
    """Passes a second, as `app.jobs.work` counts them."""
    matrices: Matrices


def look_at(lm: "LanguageModel") -> Look:
    """What pages need of a model that has just been loaded."""
    from editors.edit.apply import matrices_of  # a loaded model has fetched torch already

    card = lm.card() | {"capabilities": lm.capabilities}
    return Look(card, lm.tokenizer, pace_of(lm), matrices_of(lm))


class Known:
    """Cards, tokenizers, paces and matrices of all models that were loaded since the process began."""

    def __init__(self) -> None:
        self.cards: dict[ModelSpec, dict[str, Any]] = {}
        self.tokenizers: dict[ModelSpec, Any] = {}
        self.matrices: dict[ModelSpec, Matrices] = {}
        self.paces = Paces()

    def learn(self, spec: ModelSpec, look: Look) -> None:
        """A model was loaded."""
        self.paces.measured(spec, look.pace)
        self.tokenizers[spec] = look.tokenizer
        self.matrices[spec] = look.matrices
        self.cards[spec] = look.card  # last: a page that finds the card asks for the rest
