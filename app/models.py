"""The one place that holds models in memory.

There is one slot: asking for another model first lets go of the one that is there, so memory
never holds two. Only the worker asks; pages read cards.
"""

import gc
import logging
import threading
from collections.abc import Callable
from typing import Any

import torch

from analysis import LanguageModel, ModelSpec, load
from analysis.study import Report, silent

log = logging.getLogger(__name__)


class ModelSlot:
    """At most one loaded model, and the cards and tokenizers of all that were loaded by this process."""

    def __init__(self, loader: Callable[..., LanguageModel] = load):
        self._loader = loader
        self._lock = threading.RLock()
        self._spec: ModelSpec | None = None
        self._model: LanguageModel | None = None
        self.cards: dict[ModelSpec, dict[str, Any]] = {}
        self.tokenizers: dict[ModelSpec, Any] = {}

    def get(self, spec: ModelSpec, report: Report = silent) -> LanguageModel:
        """The model of `spec`, loading it in place of another one when needed."""
        with self._lock:
            if self._model is None or self._spec != spec:
                self.release()
                self._model = self._loader(spec, report=report)
                self._spec = spec
                self.tokenizers[spec] = self._model.tokenizer
                self.cards[spec] = self._model.card()
            return self._model

    def release(self) -> None:
        """Let go of the model and give its memory back."""
        with self._lock:
            self._model = self._spec = None
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    @property
    def loaded(self) -> ModelSpec | None:
        """The model in memory now."""
        return self._spec
