"""Weights laid out for the processor's own matrix product, for the length of one study.

A CPU multiplies a few rows by a big matrix far below its rate, because the matrix lies in memory in
another order than its kernels read it. Inside `packed` every weight is laid out anew once, in oneDNN's order
(the one torch itself takes for frozen models), and multiplied from there: the same sums, up to rounding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from analysis.free_memory import free_bytes

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS = 256
"""Rows the layout is made for; others do nearly as well with it."""
SHARE = 0.25
"""Part of the free memory the second layout of all weights may take."""


@contextmanager
def packed(lm: "LanguageModel") -> Iterator[None]:
    """Multiply by packed weights while the context is open; does nothing but on a CPU in float32.

    A weight that is changed meanwhile is packed anew when it is next used. Contexts may be nested.
    """
    modules = [module for module in _linear(lm) if "forward" not in vars(module)]
    if not modules or not _possible(lm, modules):
        yield
        return
    for module in modules:
        module.forward = _Packed(module)
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _linear(lm: "LanguageModel") -> list[Any]:
    """Every plain matrix of the blocks, and the head."""
    found = [module for block in lm.blocks for module in block.modules()]
    found += [module for step in lm.readout.steps for module in step.modules()]
    return [module for module in dict.fromkeys(found) if type(module) in (nn.Linear, Conv1D)]


def _possible(lm: "LanguageModel", modules: list[Any]) -> bool:
    size = sum(module.weight.nbytes for module in modules)
    return (
        torch.backends.mkldnn.is_available()
        and all(module.weight.device.type == "cpu" and module.weight.dtype == torch.float32 for module in modules)
        and 2 * size < SHARE * free_bytes(lm.device)
    )


class _Packed:
    """Stands in for the forward of one matrix."""

    def __init__(self, module: Any):
        self.weight: Tensor = module.weight
        self.bias: Tensor | None = module.bias
        self.turned = isinstance(module, Conv1D)
        self.kept: dict[bool, tuple[int, Tensor]] = {}

    def __call__(self, rows: Tensor) -> Tensor:
        if torch.is_grad_enabled() and rows.requires_grad:
            return _Differentiable.apply(rows, self)  # type: ignore[no-any-return]
        return self.product(rows, back=False)

    def product(self, rows: Tensor, *, back: bool) -> Tensor:
        """W x + b for every row, or Wᵀ x on the way back."""
        flat = rows.reshape(-1, rows.shape[-1])
        bias = None if back else self.bias
        out = torch.ops.mkldnn._linear_pointwise(flat, self._laid_out(back), bias, "none", [], "")
        return out.reshape(*rows.shape[:-1], -1)

    def _laid_out(self, back: bool) -> Tensor:
        version, laid_out = self.kept.get(back, (-1, self.weight))
        if version != self.weight._version:
            weight = self.weight.detach()
            matrix = weight.T.contiguous() if self.turned != back else weight
            laid_out = torch.ops.mkldnn._reorder_linear_weight(matrix, ROWS)
            self.kept[back] = self.weight._version, laid_out
        return laid_out


class _Differentiable(torch.autograd.Function):
    """The product, with a gradient towards the rows; weights ask for none here."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, by: _Packed) -> Tensor:
        ctx.by = by
        return by.product(rows, back=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.by.product(gradients[0], back=True), None
