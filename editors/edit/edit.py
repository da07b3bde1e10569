"""An edit as plain data: which matrices it changes and how, on which weights, and how it was found."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from analysis.errors import BadRequest
from analysis.study import pack
from editors.edit.pairs import Pairs
from editors.edit.probes import Answers, Glance, Probe
from editors.edit.request import EditRequest

SEARCH = "search"
"""What is still marked as brought of an edit whose answers were measured here."""
BESIDE_RECIPE = ("audit", "signatures")
"""What an edit's provenance holds that was done with its recipe."""


@dataclass(frozen=True)
class LayerChange:
    """Change of one output matrix, W (d, d_k) + left @ right."""

    units: ClassVar[dict[str, str]] = {
        "layer": "layer number", "left": "factor of a weight", "right": "factor of a weight",
        "weight_norm": "Frobenius norm",
    }  # fmt: skip
    came_later: ClassVar[tuple[str, ...]] = ("pairs",)
    layer: int
    name: str  # parameter in the Hugging Face model
    transposed: bool  # whether the parameter is kept as (d_k, d)
    left: np.ndarray  # (d, n) float32
    right: np.ndarray  # (n, d_k) float32
    base_hash: str  # of the parameter's bytes before
    weight_norm: float  # ‖W‖, Frobenius
    pairs: Pairs | None = None  # of a method whose edits can be solved together

    @property
    def rank(self) -> int:
        """Columns of the factors."""
        return self.left.shape[1]

    def singular_values(self) -> np.ndarray:
        """Singular values of the change, largest first, (n,)."""
        left, right = np.linalg.qr(self.left.astype(np.float64))[1], np.linalg.qr(self.right.T.astype(np.float64))[1]
        return np.linalg.svd(left @ right.T, compute_uv=False)

    @property
    def norm(self) -> float:
        """‖Δ‖, Frobenius."""
        return float(np.sqrt((self.singular_values() ** 2).sum()))


@dataclass(frozen=True)
class Found:
    """How the new values were found; n facts."""

    units: ClassVar[dict[str, str]] = {
        "loss": "nats", "probability": "probability", "former": "probability", "key_ratio": "ratio", "written": "share",
        "condition": "ratio", "values": "activation",
        "passes": "passes",
    }  # fmt: skip
    came_later: ClassVar[tuple[str, ...]] = ("values", "passes")
    loss: np.ndarray  # (steps, n)
    probability: np.ndarray  # (steps, n) of the new answer
    former: np.ndarray  # (steps, n) of the former one
    key_ratio: list[float]  # ρ of each fact, NaN where one key serves
    written: list[float]  # share of each fact's residual that stands after the write, of the last layer
    condition: float  # of KᵀC⁻¹K at the first layer
    statistics: list[dict[str, Any]]  # which second moments were used
    values: list[float] | None = None  # ‖v*‖, length of each fact's wanted value where its target stands
    passes: int | None = None  # times it was written, where several were asked for


@dataclass(frozen=True)
class Edit:
    """Facts written over in a model: request, changes, how they were found, and what became of the answers."""

    request: EditRequest  # settled
    model: dict[str, Any]
    changes: list[LayerChange]
    found: Found
    probes: list[Probe]
    before: Answers
    after: Answers
    glance: Glance | None
    warnings: list[str]
    built_on: list[str]
    """Ids of the edits that were on while it was found."""
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Content hash of what is done to which weights."""
        digest = hashlib.sha256(self.model["weights_hash"].encode())
        digest.update(self.request.model_dump_json().encode())
        for change in self.changes:
            digest.update(f"{change.name}|{change.layer}|{change.transposed}|{change.base_hash}|".encode())
            digest.update(np.ascontiguousarray(change.left, dtype="<f4").tobytes())
            digest.update(np.ascontiguousarray(change.right, dtype="<f4").tobytes())
            if change.pairs is not None:
                digest.update(change.pairs.content())
        return digest.hexdigest()[:24]

    @property
    def whole_id(self) -> str:
        """Content hash of everything the edit says: what it is stored by, so that no two share a place."""
        return _hash_of(self)

    @property
    def key(self) -> str:
        """What results made under it are found by: its id, where the rest of what it says was measured here.

        Of a brought one all that it says, since a study may show that too; not what was done with its recipe.
        """
        if not self.brought:
            return self.id
        others = {name: told for name, told in self.provenance.items() if name not in BESIDE_RECIPE}
        return _hash_of(replace(self, provenance=others | {"brought": True}))

    @property
    def solvable(self) -> bool:
        """Whether it keeps what it takes to be solved together with others (`editors.edit.solved`)."""
        return bool(self.changes) and all(change.pairs is not None for change in self.changes)

    @property
    def parts(self) -> tuple[str, ...]:
        """Ids of the edits it was solved from; none where it was found by itself."""
        return tuple(self.provenance.get("parts", ()))

    @property
    def author(self) -> str:
        """Whose edit it is, where somebody has said so."""
        return self.provenance.get("author", "")

    def by(self, author: str) -> "Edit":
        """The same edit with this author's name; without one for an empty name."""
        return self._noted("author", author)

    @property
    def brought(self) -> bool:
        """Whether a person brought it: something of what it says was not measured here."""
        return bool(self.provenance.get("brought"))

    @property
    def measured(self) -> bool:
        """Whether its answers, before and after, were measured here; of a brought one its search never was."""
        return self.provenance.get("brought", SEARCH) == SEARCH

    def as_brought(self, brought: bool = True) -> "Edit":
        """The same edit, marked as one that was brought, or as none."""
        return self._noted("brought", brought)

    def _noted(self, name: str, told: Any) -> "Edit":
        others = {other: value for other, value in self.provenance.items() if other != name}
        return replace(self, provenance=others | ({name: told} if told else {}))

    def refuse_unless_alone(self) -> None:
        """`BadRequest` for an edit found on top of others: what is made of it alone would lack those."""
        if self.built_on:
            raise BadRequest(
                f"“{self.title}” was found on top of other edits, and only a recipe says so. Take the recipe, or write "
                "it again on the model itself."
            )

    @property
    def sides(self) -> tuple[str, str, str]:
        """What is written over, how it was (… where nothing was asked), how it is now."""
        if self.request.silences:
            named = f"Head {self.request.heads[0].replace('.', '·')}"
            rest = len(self.request.heads) - 1
            now = f"× {self.request.scale:g}" if self.request.scale else "silent"
            return f"{named} and {rest} more" if rest else named, "speaks", now
        first = self.request.facts[0]
        return first.subject, self.before.said[0] if self.before.said else "…", first.target

    @property
    def title(self) -> str:
        """Subject, old and new answer in one line, whatever line ends they hold."""
        what, was, now = self.sides
        rest = len(self.request.facts) - 1 if not self.request.silences else 0
        return " ".join(f"{what}: {was} → {now}{f' and {rest} more' if rest else ''}".split())


def ids_below(stack: Sequence[Edit]) -> list[str]:
    """What an edit found on top of these is built on: each, and before it those it was solved from."""
    return [one for edit in stack for one in (*edit.parts, edit.id)]


def _hash_of(edit: Edit) -> str:
    """SHA-256 over an edit as it is stored: its plain data, and the bytes of its arrays."""
    data, arrays = pack(edit)
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode())
    for name, array in arrays.items():
        digest.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
