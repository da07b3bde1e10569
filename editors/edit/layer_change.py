"""A change of a matrix, from tensors to the plain data an edit keeps."""

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from analysis.errors import BadRequest
from analysis.internals.key_value_memory import output_matrix
from editors.edit.apply import tensor_hash
from editors.edit.edit import LayerChange

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def layer_change(lm: "LanguageModel", layer: int, left: Tensor, right: Tensor) -> LayerChange:
    """Δ = left (d, n) @ right (n, d_k) of a layer's output matrix as it is now; `BadRequest` where it is not finite."""
    matrix = output_matrix(lm, layer)
    factors = [part.float().cpu().numpy() for part in (left, right)]
    if not all(np.isfinite(factor).all() for factor in factors):
        raise BadRequest(f"The change of layer {layer} is not finite. Take other layers, or more text.")
    return LayerChange(
        layer=layer,
        name=matrix.name,
        transposed=matrix.transposed,
        left=factors[0],
        right=factors[1],
        base_hash=tensor_hash(matrix.parameter),
        weight_norm=float(matrix.weight.float().norm()),
    )
