"""How much a run is, before it begins: passes of one token through one layer, and from a measured pace, seconds.

Each study tells its own from a request (`Entry.work`). It is an estimate: what is stored already, and a search that
ends early, make a run shorter. What a study took is learnt from, so that the next estimate is nearer.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis import ModelSpec
from analysis.study import Request
from analysis.text.framing import Prompted

if TYPE_CHECKING:
    from analysis import LanguageModel

READ = 8
"""Passes that reading one state through the head costs."""
FEW = 16
"""Tokens that one pass costs at least: so much takes fetching the weights from memory."""
BACK = 2
"""Passes that one with its way back costs."""
CHAT = 30
"""Tokens of a template around a turn."""
EARLY = 0.6
"""Share of its steps that a search takes, and of its tokens a text."""
PACE = 6000.0
"""Passes in a second where a model was not measured yet."""
PROBED = 32
"""Tokens of the text that a pace is measured on."""
LEARNT = 0.4
"""Weight of the last run in what is learnt."""


def tokens_in(text: str) -> float:
    """About how many tokens a text has: no tokenizer is asked, so that a long one costs nothing."""
    more = 0 if text.isascii() else len(text.encode()) - len(text)
    return 1 + len(text) / 4 + more / 3


@dataclass(frozen=True)
class Shape:
    """What of a model the work depends on."""

    layers: int = 30
    heads: int = 9

    def forward(self, tokens: float, rows: float = 1) -> float:
        """One forward of so many rows of a prompt, its last state read."""
        return self.layers * max(tokens * rows, FEW) + READ * rows

    def written(self, tokens: float, new: float, rows: float = 1) -> float:
        """Rows of a prompt gone on with by so many tokens, one after another."""
        return self.forward(tokens, rows) + new * (self.layers * max(rows, FEW) + READ * rows)

    def searched(self, tokens: float, steps: float, rows: float = 1, *, above: float = 0.85) -> float:
        """Steps of a search for a change: the layers above it, there and back; most end before their last step."""
        return EARLY * BACK * steps * (above * self.layers * max(tokens * rows, FEW) + READ * rows)


def pace_of(lm: "LanguageModel") -> float:
    """Passes a second of a model that is in memory, on a text of a usual length."""
    import torch  # a loaded model has fetched it already

    ids = torch.arange(PROBED, device=lm.device).unsqueeze(0) % lm.config.vocab_size
    seconds = []
    for _ in range(2):  # the first also prepares what later ones find ready
        began = time.perf_counter()
        lm.logits(ids)
        seconds.append(time.perf_counter() - began)
    return PROBED * (lm.n_layers + READ) / max(min(seconds), 1e-6)


def put(request: Prompted | None, text: str) -> float:
    """Tokens of a text as a request puts it: as it stands, or in a chat with what is told before."""
    chat = request.chat if request is not None else None
    return tokens_in(text) + (CHAT + tokens_in(chat.system) + tokens_in(chat.prefix) if chat is not None else 0)


class Paces:
    """How fast runs go here: passes a second of each model, and how much longer each study takes than it says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pace: dict[ModelSpec, float] = {}
        self._longer: dict[tuple[str, ModelSpec], float] = {}

    def measured(self, spec: ModelSpec, pace: float) -> None:
        """A model's pace, as it was measured when it was loaded."""
        with self._lock:
            self._pace[spec] = pace

    def seconds(self, study: str, work: float, spec: ModelSpec) -> float:
        """What so much work of a study is expected to take."""
        return work / self._pace.get(spec, PACE) * self._longer.get((study, spec), 1.0)

    def learn(self, study: str, work: float, spec: ModelSpec, seconds: float) -> None:
        """A run of so much work has taken so many seconds."""
        with self._lock:
            found = seconds * self._pace.get(spec, PACE) / max(work, 1.0)
            before = self._longer.get((study, spec))
            mixed = found if before is None else before ** (1 - LEARNT) * found**LEARNT
            self._longer[study, spec] = min(20.0, max(0.05, mixed))


def texts_of(value: Any) -> Iterable[str]:
    """Every text in a request, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from texts_of(part)
    elif isinstance(value, Request) or hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:
            yield from texts_of(getattr(value, name))
    elif hasattr(type(value), "__dataclass_fields__"):
        for name in type(value).__dataclass_fields__:
            yield from texts_of(getattr(value, name))
