"""An MLP as a memory: its output matrix reads a key, the neurons' activations, and writes a value.

Every locate-and-edit method changes this matrix only. Its orientation is decided by the class of
its module, never by its shape, which says nothing where the matrix is square.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from analysis.errors import BadRequest, UnknownArchitecture

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@dataclass(frozen=True)
class OutputMatrix:
    """The output matrix of one block's MLP, written m = W k + b with W (d, d_k)."""

    layer: int
    name: str
    """Name of the parameter in the Hugging Face model."""
    module: nn.Module

    @property
    def parameter(self) -> nn.Parameter:
        """The weight as the model keeps it: (d, d_k) in a Linear, (d_k, d) in a Conv1D."""
        return self.module.weight  # type: ignore[return-value]

    @property
    def transposed(self) -> bool:
        """Whether the parameter is kept as (d_k, d)."""
        return isinstance(self.module, Conv1D)

    def turned(self, matrix: Tensor) -> Tensor:
        """A matrix (d, d_k) in the parameter's orientation, or back."""
        return matrix.T if self.transposed else matrix

    @property
    def weight(self) -> Tensor:
        """W, (d, d_k): a view of the parameter."""
        return self.turned(self.parameter.detach())

    def value(self, keys: Tensor) -> Tensor:
        """W k + b in float32, (…, d), for keys (…, d_k)."""
        weight = self.weight.float()
        bias = getattr(self.module, "bias", None)
        value = keys.to(weight) @ weight.T
        return value if bias is None else value + bias.detach().float()


def output_matrix(lm: "LanguageModel", layer: int) -> OutputMatrix:
    """The output matrix of block `layer`; `UnknownArchitecture` where it is not one plain matrix."""
    return _matrix(lm, layer, ("mlp", "out"), "MLP", lm.d_model)


def attention_matrix(lm: "LanguageModel", layer: int) -> OutputMatrix:
    """The matrix through which the heads of block `layer` write, W_O (d, heads · d_head); refused as above."""
    return _matrix(lm, layer, ("attn", "o"), "attention", lm.d_model)


def _matrix(lm: "LanguageModel", layer: int, place: tuple[str, str], what: str, width: int) -> OutputMatrix:
    if not 0 <= layer < lm.n_layers:
        raise BadRequest(f"{lm.name} has layers 0 to {lm.n_layers - 1}; there is no layer {layer}.")
    out = getattr(getattr(lm.blocks[layer], place[0], None), place[1], None)
    module: Any = getattr(out, "original_component", None)
    weight: Any = getattr(module, "weight", None)
    name = next((name for name, parameter in lm.parameters.items() if parameter is weight), None)
    plain = isinstance(module, nn.Linear | Conv1D) and weight is not None and weight.is_floating_point()
    if name is None or not plain or width not in weight.shape:
        raise UnknownArchitecture(
            f"Layer {layer} of {lm.name} has no single matrix in floating point at the end of its {what} "
            "(a mixture of experts, or quantised weights). Choose another layer or model."
        )
    return OutputMatrix(layer, name, module)


class _Enough(Exception):
    """Ends a forward once the highest layer's keys are known."""


@contextmanager
def at_keys(matrices: Sequence[OutputMatrix], act: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Call `act(layer, keys)` on the input of each output matrix while the context is open."""

    def hook(layer: int) -> Callable[..., None]:
        return lambda _, args: act(layer, args[0].detach())

    handles = [matrix.module.register_forward_pre_hook(hook(matrix.layer)) for matrix in matrices]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def keys(lm: "LanguageModel", ids: Tensor, layers: Sequence[int]) -> dict[int, Tensor]:
    """Keys (rows, tokens, d_k) of the given layers for token ids (rows, tokens); blocks above are not run."""
    found: dict[int, Tensor] = {}

    def keep(layer: int, key: Tensor) -> None:
        found[layer] = key.reshape(*ids.shape, -1)
        if layer == max(layers):
            raise _Enough

    with at_keys([output_matrix(lm, layer) for layer in sorted(layers)], keep), suppress(_Enough):
        lm.model(input_ids=ids.to(lm.device), use_cache=False)
    return found
