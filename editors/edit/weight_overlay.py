"""Weights written over for a while, and put back from kept originals, byte for byte.

Subtracting a change would leave rounding behind; the originals are copied before the first write
and copied back whatever happens in between.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.internals.key_value_memory import OutputMatrix, output_matrix

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


class Overlay:
    """Changes of output matrices over the model's own weights; a context that restores them.

    Changes to one matrix are summed in float32 over its original, so that neither their order nor
    their number rounds twice.
    """

    def __init__(self, lm: "LanguageModel"):
        self.lm = lm
        lm.own_hash  # noqa: B018 - the identity is taken before anything is written over
        self._originals: dict[str, tuple[OutputMatrix, Tensor]] = {}
        self._sums: dict[str, Tensor] = {}

    def __enter__(self) -> "Overlay":
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    @torch.no_grad()
    def add(self, layer: int, left: Tensor, right: Tensor) -> None:
        """Write Δ = left (d, n) @ right (n, d_k) over the output matrix of a layer."""
        self.put(output_matrix(self.lm, layer), left, right)

    @torch.no_grad()
    def put(self, matrix: OutputMatrix, left: Tensor, right: Tensor) -> None:
        """The same over any matrix."""
        device = matrix.parameter.device
        self._sum(matrix).add_(left.to(device, torch.float32) @ right.to(device, torch.float32))
        self._write(matrix)

    @torch.no_grad()
    def scale(self, matrix: OutputMatrix, columns: Tensor, factor: float) -> None:
        """Multiply columns of a matrix, as it stands now, by `factor`: zero is exactly zero, however often."""
        change = self._sum(matrix)
        now = self._originals[matrix.name][1].float() + matrix.turned(change)
        change[:, columns] += (factor - 1) * matrix.turned(now)[:, columns]
        self._write(matrix)

    def _sum(self, matrix: OutputMatrix) -> Tensor:
        """What is added to a matrix so far, (d, d_k); its original is kept first."""
        if matrix.name not in self._originals:
            self._originals[matrix.name] = (matrix, matrix.parameter.detach().clone())
            self._sums[matrix.name] = torch.zeros(matrix.weight.shape, device=matrix.parameter.device)
        return self._sums[matrix.name]

    def _write(self, matrix: OutputMatrix) -> None:
        whole = self._originals[matrix.name][1].float() + matrix.turned(self._sums[matrix.name])
        matrix.parameter.copy_(whole.to(matrix.parameter.dtype))

    @torch.no_grad()
    def restore(self) -> None:
        """Copy every original back."""
        for matrix, original in self._originals.values():
            matrix.parameter.copy_(original)
        self._originals.clear()
        self._sums.clear()
