"""What loading a model takes at its highest, in bytes: weights, what they are read from, and what is made beside them.

Measured by `palimpsest bench loading`; the peak counts pages of a file that are mapped while they are converted.
"""

import math
from typing import Any

import torch

BESIDE = 40_000_000
"""The bridge, and a first forward of a few tokens."""
OF_A_WORD = 800
"""A tokenizer's memory for each word it knows, and the logits of the first forward."""
JOINT = ("c_attn.", "query_key_value.")
"""Projections that the bridge splits by copying, so that they are there twice for a while."""


def loading_bytes(shell: Any, dtype: torch.dtype, *, stored: torch.dtype | None, mapped: int | None = None) -> int:
    """Peak while `shell`, a model on the meta device, is filled with weights in `dtype`.

    `stored`: the type they are kept in as safetensors; None where nothing says so, and for GGUF, of whose file of
    `mapped` bytes one tensor after another is unpacked in float32.
    """
    size = dtype.itemsize
    sizes = {name: parameter.numel() for name, parameter in shell.named_parameters()}
    weights = sum(sizes.values()) * size
    words = OF_A_WORD * shell.config.get_text_config().vocab_size
    beside = BESIDE + words
    joint = sum(count for name, count in sizes.items() if any(part in name for part in JOINT)) * size
    if mapped is not None:
        largest = max(sizes.values())
        unpacking = mapped * largest // sum(sizes.values()) + (largest * (4 + size) if size != 4 else 4 * largest)
        return max(weights + joint + BESIDE, unpacking) + words  # the bridge comes once all is unpacked
    converted = 0 if stored in (None, dtype) else math.ceil(weights / size * stored.itemsize)  # type: ignore[union-attr]
    return weights + max(converted, joint) + beside
