"""States as the head's product takes them on a processor that multiplies bfloat16 itself.

A model that is asked for its last tokens only hands the head a slice of its states. There torch multiplies a slice row
by row, with a copy of the head for each: for 50 thousand words 57 MB a row, and 50 ms in place of 4.
"""

from typing import Any

import torch
from torch import Tensor, nn


def whole_rows(head: nn.Module) -> None:
    """Let the head of a model in half precision on a CPU read slices as tensors of their own: the same numbers."""
    if any(part.device.type == "cpu" and part.dtype == torch.bfloat16 for part in head.parameters()):
        head.register_forward_pre_hook(_whole)


def _whole(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    hidden: Tensor = args[0]
    return (hidden.clone(memory_format=torch.contiguous_format), *args[1:])
