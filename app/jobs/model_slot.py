"""The one place that holds models in memory.

There is one slot: asking for another model first lets go of the one that is there, so memory
never holds two. Only the worker asks; pages read cards.
"""

import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import analysis
from analysis import ModelSpec
from analysis.study import Report, silent
from app.jobs.work import Paces, pace_of

if TYPE_CHECKING:
    from analysis import LanguageModel


def _settle() -> None:
    """Take what is loaded out of the garbage collector's sight.

    Streamlit collects all garbage after every run of a page. Among the objects of torch, transformers and a model that
    takes a second or more, in which nothing else can run: neither the page nor the worker.
    """
    gc.collect()
    gc.freeze()


class ModelSlot:
    """At most one loaded model, and the cards, tokenizers and paces of all that were loaded by this process."""

    def __init__(self, loader: "Callable[..., LanguageModel] | None" = None):
        self._loader = loader
        self._lock = threading.RLock()
        self._spec: ModelSpec | None = None
        self._model: LanguageModel | None = None
        self.cards: dict[ModelSpec, dict[str, Any]] = {}
        self.tokenizers: dict[ModelSpec, Any] = {}
        self.paces = Paces()

    def get(self, spec: ModelSpec, report: Report = silent) -> "LanguageModel":
        """The model of `spec`, loading it in place of another one when needed."""
        with self._lock:
            if self._model is None or self._spec != spec:
                self.release()
                self._model = (self._loader or analysis.load)(spec, report=report)
                self._spec = spec
                _settle()
                self.paces.measured(spec, pace_of(self._model))
                self.tokenizers[spec] = self._model.tokenizer
                self.cards[spec] = self._model.card() | {"capabilities": self._model.capabilities}
            return self._model

    def at_hand(self, spec: ModelSpec) -> "LanguageModel | None":
        """The model of `spec` if it is the one in memory: for a look at names and shapes, never for a forward."""
        return self._model if self._spec == spec else None

    def release(self) -> None:
        """Let go of the model and give its memory back."""
        with self._lock:
            if self._model is not None:
                from analysis.free_memory import give_back  # a loaded model has fetched torch already

                self._model = self._spec = None
                gc.unfreeze()
                give_back()

    @property
    def loaded(self) -> ModelSpec | None:
        """The model in memory now."""
        return self._spec
