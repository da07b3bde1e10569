"""A change of high rank cut to the rank an engine takes: the nearest change of that rank, and what it loses.

Truncated singular value decomposition (Eckart and Young 1936), from the factors, without the whole matrix.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import BadRequest
from editors.edit.edit import Edit, LayerChange

if TYPE_CHECKING:
    from torch import Tensor

    from analysis.model.language_model import LanguageModel

ENGINE_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values of vLLM's `max_lora_rank`; 16 when it is not given, and no adapter of more than 512 is served."""
ENGINE_DEFAULT = 16


@dataclass(frozen=True)
class Lost:
    """What cutting an edit to a rank leaves out."""

    rank: int
    was: int
    share: float
    """‖Δ − Δ_rank‖ / ‖Δ‖, Frobenius, over all matrices together."""
    largest: float
    """Largest singular value left out."""
    logits: float | None = None
    """Largest difference of logits on the edit's first prompt, where it was measured."""

    def sentence(self) -> str:
        """In words."""
        measured = (
            f" On the edit’s own prompt the logits differ by {self.logits:.2g} at most."
            if self.logits is not None
            else " What that does to the logits was not measured."
        )
        return (
            f"Cut from rank {self.was} to {self.rank} by SVD: {self.share:.2%} of the change’s norm is left out, the "
            f"largest singular value lost is {self.largest:.3g}.{measured}"
        )

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def rank_of(edit: Edit) -> int:
    """The largest rank of its changes."""
    return max(change.rank for change in edit.changes)


def truncated(edit: Edit, rank: int, lm: "LanguageModel | None" = None) -> tuple[list[LayerChange], Lost | None]:
    """Changes of at most `rank`, nearest to those of an edit, and what that loses; None where nothing is.

    With the model at hand the logits of both are compared; it is left as it was. `BadRequest` for a rank below 1.
    """
    if rank < 1:
        raise BadRequest(f"The rank is {rank}; a LoRA adapter has rank 1 or more.")
    if rank_of(edit) <= rank:
        return edit.changes, None
    cut = [_cut(change, rank) for change in edit.changes]
    rest = [change.singular_values()[rank:] for change in edit.changes]
    whole = sum(change.norm**2 for change in edit.changes)
    share = float(np.sqrt(sum(float((values**2).sum()) for values in rest) / whole)) if whole else 0.0
    largest = max((float(values[0]) for values in rest if len(values)), default=0.0)
    lost = Lost(rank, rank_of(edit), share, largest)
    if lm is not None:
        text = edit.request.facts[0].text
        far = (_logits(lm, edit, edit.changes, text) - _logits(lm, edit, cut, text)).abs().max()
        lost = replace(lost, logits=float(far))
    return cut, lost


def _cut(change: LayerChange, rank: int) -> LayerChange:
    if change.rank <= rank:
        return change
    left, upper = np.linalg.qr(change.left.astype(np.float64))
    right, lower = np.linalg.qr(change.right.T.astype(np.float64))
    u, values, v = np.linalg.svd(upper @ lower.T)
    root = np.sqrt(values[:rank])
    return replace(
        change,
        left=np.ascontiguousarray((left @ u[:, :rank]) * root, dtype=np.float32),
        right=np.ascontiguousarray((right @ v[:rank].T * root).T, dtype=np.float32),
    )


def _logits(lm: "LanguageModel", edit: Edit, changes: Sequence[LayerChange], text: str) -> "Tensor":
    """Logits of every token of a text with the changes on."""
    import torch

    from editors.edit.apply import adding

    with torch.no_grad(), adding(lm, edit, changes):
        return lm.logits(lm.encode(text).tensor())
