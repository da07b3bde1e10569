"""What the studies of attention drift ask and answer: plain data and arrays, no model.

Query is the last token of the prompt, key the last token of the edited subject. Drift of a head is
its attention from one to the other with the edits on, minus without them; drift of a layer is the
same of its largest head (Wang et al. 2025, SADR, section 3; the layer's form is the one its
threshold uses).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from analysis.internals.correlation import Correlation, pearson
from analysis.text.framing import OneSubject, Prompted

GridKind = Literal["heads", "layers", "mlp", "attn"]
GRIDS: tuple[GridKind, ...] = ("heads", "layers", "mlp", "attn")
Task = Literal["relation", "distracting"]
TASKS: tuple[Task, ...] = ("relation", "distracting")


class DriftPrompt(OneSubject):
    """A prompt that names the edited subject, and the two answers it is about."""

    units: ClassVar[dict[str, str]] = {"occurrence": "number, from 0"}
    prompt: str = Field(description="sentence that names the edited subject and ends just before its answer")
    subject: str = Field(description="words of the prompt that were written over")
    occurrence: int | None = Field(None, ge=0, description="which occurrence of the subject, counted from 0")
    answer: str | None = Field(
        None, description="the answer that should stand; what is said without the edits if left out"
    )
    edited: str | None = Field(None, description="the answer that was written; taken from the edits if left out")


class DriftRequest(DriftPrompt):
    """What do the edits do to attention, and what does that do to the answer?"""

    units: ClassVar[dict[str, str]] = {"window": "layers", "patch_window": "layers"}
    grids: tuple[GridKind, ...] = Field(
        GRIDS,
        description="experiments: heads and layers give edited runs the attention of before, mlp and attn give the "
        "model of before what the edited one computes",
    )
    window: int | None = Field(None, ge=1, description="layers of mlp and attn substituted together; by depth")
    patch_window: int | None = Field(None, ge=1, description="layers whose attention is set back together; by depth")

    @field_validator("grids")
    @classmethod
    def _in_order(cls, grids: tuple[GridKind, ...]) -> tuple[GridKind, ...]:
        return tuple(kind for kind in GRIDS if kind in grids)

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("patterns", "parts")


class PatchRequest(DriftPrompt):
    """What is said when chosen heads look where they looked before the edits?"""

    heads: tuple[str, ...] = Field(
        (), description="heads as layer.head (23.4), whole layers (23) or spans of layers (20-29)"
    )

    @field_validator("heads")
    @classmethod
    def _written(cls, heads: tuple[str, ...]) -> tuple[str, ...]:
        for name in heads:
            _head(name)
        return tuple(dict.fromkeys(heads))

    def by_layer(self, layers: int, heads: int) -> dict[int, tuple[int, ...]]:
        """The heads by layer; `ValueError` with the name of one the model does not have."""
        found: dict[int, set[int]] = {}
        for name in self.heads:
            span, head = _head(name)
            if span[-1] >= layers or (head is not None and head >= heads):
                raise ValueError(name)
            for layer in span:
                found.setdefault(layer, set()).update(range(heads) if head is None else [head])
        return {layer: tuple(sorted(own)) for layer, own in sorted(found.items())}

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("patterns",)


def _head(name: str) -> tuple[range, int | None]:
    """Layers and head of 23.4, 23 or 20-29."""
    layers, _, head = name.partition(".")
    ends = layers.split("-")
    if not all(part.isdecimal() for part in (*ends, *([head] if head else []))) or len(ends) > (1 if head else 2):
        raise ValueError(f"“{name}” is no head: write 23.4 for one, 23 for a layer, 20-29 for layers")
    span = range(int(ends[0]), int(ends[-1]) + 1)
    if not span:
        raise ValueError(f"“{name}” runs backwards")
    return span, int(head) if head else None


@dataclass(frozen=True)
class Said:
    """What is said after a prompt in several runs: R runs, W words."""

    units: ClassVar[dict[str, str]] = {"probability": "probability", "answer": "probability", "edited": "probability"}
    words: list[str]
    probability: np.ndarray  # (R, W)
    answer: np.ndarray  # (R,) of the first token of the answer that should stand
    edited: np.ndarray  # (R,) of the first token of the one that was written


@dataclass(frozen=True)
class DriftResult:
    """Attention of a prompt without edits and with them; L layers, H heads, T tokens."""

    units: ClassVar[dict[str, str]] = {
        "subject": "token position", "before": "share of attention", "after": "share of attention",
        "grids": "probability", "window": "layers",
    }  # fmt: skip
    request: DriftRequest
    model: dict[str, Any]
    tokens: list[str]
    subject: tuple[int, int]  # tokens [b, e)
    answer: str
    edited: str
    before: np.ndarray  # (L, H, T, T) attention without the edits
    after: np.ndarray  # (L, H, T, T) with them
    said: Said  # runs: without the edits, with them
    grids: dict[str, np.ndarray]
    """Probability of answer and of edited, NaN where not computed: heads (2, L, H), layers (2, L), mlp, attn (2, L, T).
    """
    window: dict[str, int]
    provenance: dict[str, Any] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)  # in a chat, whose words each token is (`analysis.text.chat`)

    @property
    def cells(self) -> tuple[int, int]:
        """Cells computed, cells asked for."""
        return sum(int((~np.isnan(grid[0])).sum()) for grid in self.grids.values()), sum(
            grid[0].size for grid in self.grids.values()
        )

    @property
    def complete(self) -> bool:
        """Whether every cell is there."""
        return self.cells[0] == self.cells[1]

    @property
    def key(self) -> int:
        """The subject's last token."""
        return self.subject[1] - 1

    @property
    def drift(self) -> np.ndarray:
        """Drift of every head, (L, H)."""
        return (self.after - self.before)[:, :, -1, self.key]

    @property
    def by_layer(self) -> np.ndarray:
        """Drift of every layer's largest head, (L,)."""
        return layer_drift(self.before[:, :, -1, self.key], self.after[:, :, -1, self.key])

    def strongest(self, count: int) -> list[tuple[int, int]]:
        """The heads that turned to the subject most, (layer, head); only such as did turn to it."""
        drift = self.drift
        order = np.argsort(drift, axis=None)[::-1][:count]
        pairs = [divmod(int(flat), drift.shape[1]) for flat in order]
        return [(layer, head) for layer, head in pairs if drift[layer, head] > 0]


def layer_drift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Drift of the largest head, (..., L), of attention (..., L, H) from the last token to the subject's last."""
    return after.max(-1) - before.max(-1)


@dataclass(frozen=True)
class PatchResult:
    """What is said in three runs: without edits, with them, with them and chosen heads' attention set back."""

    request: PatchRequest
    model: dict[str, Any]
    answer: str
    edited: str
    said: Said
    provenance: dict[str, Any] = field(default_factory=dict)


class DriftsRequest(Prompted):
    """Over all test prompts of the edits: how far does attention drift, and does it go with what breaks?"""

    units: ClassVar[dict[str, str]] = {"heads": "heads", "seed": "seed"}
    tasks: tuple[Task, ...] = Field(
        TASKS,
        min_length=1,
        description="relation: other facts of the subject; distracting: the edit as a sentence, then a neighbour",
    )
    heads: int = Field(10, ge=1, description="heads that drifted most whose attention is set back together")
    seed: int = Field(1, ge=0, lt=2**32, description="seed of the random heads they are compared with")

    def needs(self) -> tuple[str, ...]:
        """See `Request.needs`."""
        return ("patterns",)


PATCHED = ("without the edits", "with them", "drifted heads set back", "random heads set back", "all heads set back")


@dataclass(frozen=True)
class DriftsResult:
    """One row a prompt; n prompts, L layers, H heads."""

    units: ClassVar[dict[str, str]] = {
        "fact": "fact number", "right_probability": "probability", "wrong_probability": "probability",
        "before": "share of attention", "after": "share of attention", "first": "probability",
    }  # fmt: skip
    request: DriftsRequest
    model: dict[str, Any]
    task: list[str]
    fact: list[int]  # place of the fact among those of the edits
    prompt: list[str]
    right: list[str]
    wrong: list[str]
    right_probability: np.ndarray  # (n, 2) without and with the edits, geometric mean over tokens
    wrong_probability: np.ndarray  # (n, 2)
    before: np.ndarray  # (n, L, H) attention from the last token to the subject's last
    after: np.ndarray  # (n, L, H)
    first: np.ndarray  # (n, 5) probability of the right answer's first token in the runs of PATCHED
    skipped: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def of(self, task: str | None = None) -> np.ndarray:
        """Rows of a task, (n,) bool; all when none is named."""
        return np.array([task is None or own == task for own in self.task], dtype=bool)

    def mean(self, task: str | None = None) -> np.ndarray:
        """Mean drift of every head, (L, H)."""
        chosen = self.of(task)
        return (self.after - self.before)[chosen].mean(0)

    @property
    def factor(self) -> np.ndarray:
        """The largest layer drift of each prompt, (n,): the factor that correlates best in the paper."""
        return layer_drift(self.before, self.after).max(-1)

    @property
    def summed(self) -> np.ndarray:
        """All heads' drift of each prompt added up, (n,)."""
        return (self.after - self.before).sum((1, 2))

    @property
    def lost(self) -> np.ndarray:
        """Probability of the right answer that the edits took, (n,)."""
        return self.right_probability[:, 0] - self.right_probability[:, 1]

    @property
    def failing(self) -> np.ndarray:
        """Prompts answered rightly without the edits and no longer with them, by likelihood, (n,) bool."""
        rights = self.right_probability > self.wrong_probability
        return rights[:, 0] & ~rights[:, 1]

    def correlation(self, task: str | None = None, *, summed: bool = False) -> Correlation:
        """Of drift with the probability lost, over the prompts of a task."""
        chosen = self.of(task)
        return pearson((self.summed if summed else self.factor)[chosen], self.lost[chosen])
