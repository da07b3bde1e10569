"""The one place that holds models in memory.

There is one slot: asking for another model first lets go of the one that is there, so memory
never holds two. Only whoever runs jobs asks; pages read what is known of it.
"""

import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import analysis
from analysis import ModelSpec
from analysis.study import Report, silent
from app.jobs.known_models import Known, Look, look_at

if TYPE_CHECKING:
    from analysis import LanguageModel


def settle() -> None:
    """Take what is loaded out of the garbage collector's sight.

    Among the objects of torch, transformers and a model a full collection takes a second or more, in which nothing
    else of this process can run.
    """
    gc.collect()
    gc.freeze()


class ModelSlot:
    """At most one loaded model, and what is known of all that were loaded by this process."""

    def __init__(
        self,
        loader: "Callable[..., LanguageModel] | None" = None,
        loaded: Callable[[ModelSpec, Look], None] = lambda spec, look: None,
    ):
        """`loaded` is told of every model that comes into memory."""
        self._loader, self._loaded = loader, loaded
        self._lock = threading.RLock()
        self._spec: ModelSpec | None = None
        self._model: LanguageModel | None = None
        self.known = Known()

    def get(self, spec: ModelSpec, report: Report = silent) -> "LanguageModel":
        """The model of `spec`, loading it in place of another one when needed."""
        with self._lock:
            if self._model is None or self._spec != spec:
                self.release()
                self._model = (self._loader or analysis.load)(spec, report=report)
                self._spec = spec
                settle()
                self.known.learn(spec, look := look_at(self._model))
                self._loaded(spec, look)
            return self._model

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
