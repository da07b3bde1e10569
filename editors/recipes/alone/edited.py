"""Adds an edit to the weights of the model it was made for, and goes on from a prompt.

Needs torch, transformers and safetensors. Usage: python edited.py "A prompt", or `from edited import edited`.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from base_model import HERE, arguments, described, end, goes_on, loaded  # type: ignore[import-not-found]
from safetensors.torch import load_file


def edited(model: Any, changes: list[dict[str, Any]]) -> Any:
    """The model with the changes added to its weights, in place: in float32, rounded once."""
    factors = load_file(HERE / "recipe.safetensors")
    there = dict(model.named_parameters())
    for change in changes:
        if change["name"] not in there:
            end(f"This model has no weights named {change['name']}; the edit cannot be added to it.")
    with torch.no_grad():
        for change in changes:
            weight = there[change["name"]]
            left, right = (factors[change["name"] + side].to(weight.device) for side in (".left", ".right"))
            delta = left @ right
            delta = delta.T if change["transposed"] else delta
            if delta.shape != weight.shape:
                end(f"{change['name']} is {tuple(weight.shape)} here, not {tuple(delta.shape)}.")
            weight.copy_((weight.float() + delta).to(weight.dtype))
    return model


if __name__ == "__main__":
    edit = described()
    args = arguments(edit["title"], edit)
    model, tokenizer = loaded(edit, args)
    edited(model, edit["changes"])
    print(goes_on(model, tokenizer, args.prompt, args.tokens))
