"""Everything that depends on a model's architecture, found from its config and module tree.

Nothing here looks at a model's name. TransformerLens's bridge gives one set of hook names;
this file adds what partial forwards need: how a block's arguments follow the tokens it is
given, and what stands between the last block and the logits.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module
from transformer_lens.model_bridge.transformer_bridge import TransformerBridge

from analysis.errors import UnknownArchitecture

CACHE_ARGUMENTS = ("past_key_values", "layer_past")
"""Names under which a block takes its cache of keys and values."""


def build_bridge(model: nn.Module) -> TransformerBridge:
    """Wrap a Hugging Face causal language model, in place, in TransformerLens's bridge.

    The tokenizer is left out on purpose: the bridge would reload it and force a BOS token.
    """
    architecture = (getattr(model.config, "architectures", None) or [type(model).__name__])[0]
    try:
        bridge = build_bridge_from_module(model, architecture, hf_config=model.config)
        bridge.blocks, bridge.embed, bridge.unembed  # noqa: B018 - absent parts raise here
        for block in bridge.blocks:
            block.hook_mlp_out, block.hook_attn_out  # noqa: B018
    except (ValueError, KeyError, AttributeError, NotImplementedError) as error:
        raise UnknownArchitecture(
            f"{architecture} is not a decoder-only family this workbench can read "
            f"({error}). Families known to work: GPT-2, GPT-J, GPT-NeoX, Llama, Mistral, Qwen 2 and 3, "
            "Gemma 2 and 3, Phi-3, OPT."
        ) from error
    return bridge


def text_config(config: Any) -> Any:
    """The part of a config that describes the language model (multimodal configs nest it)."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def context_length(config: Any) -> int | None:
    """Longest prompt, in tokens, that the positions of the model reach; None where the config has no limit."""
    config = text_config(config)
    for field in ("max_position_embeddings", "n_positions"):
        if isinstance(getattr(config, field, None), int):
            return getattr(config, field)
    return None


def writes_through(block: Any, part: str) -> Any | None:
    """The norm between the output of a block's `attn` or `ffn` and the residual stream; None where there is none."""
    return getattr(block, "ln1_post" if part == "attn" else "ln2_post", None)


def block_arguments(block: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of one call of a block, by name, without the hidden states and the cache."""
    bound = dict(inspect.signature(block.original_component.forward).bind(*args, **kwargs).arguments)
    bound.update(bound.pop("kwargs", {}))
    for name in ("hidden_states", "use_cache", *CACHE_ARGUMENTS):
        bound.pop(name, None)
    return bound


def from_token(arguments: dict[str, Any], start: int, device: torch.device) -> dict[str, Any]:
    """Narrow a block's arguments to the tokens `start` and later; keys before `start` stay visible."""
    slices: dict[str, Callable[[Tensor], Tensor]] = {
        "attention_mask": lambda mask: mask[..., start:, :],
        "position_ids": lambda ids: ids[..., start:],
        "cache_position": lambda ids: ids[..., start:],
        "position_embeddings": lambda angles: angles[..., start:, :],
    }

    def narrow(name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(narrow(name, part) for part in value)
        if isinstance(value, Tensor) and name in slices:
            return slices[name](value).to(device)
        return value

    return {name: narrow(name, value) for name, value in arguments.items()}


def side_by_side(parts: list[dict[str, Any]], rows: list[int]) -> dict[str, Any] | None:
    """The arguments of one call for the rows of several, `rows[i]` of `parts[i]`; None where they cannot be joined.

    All parts have the same number of tokens. Masks that see fewer keys are filled up on the left with keys nobody
    attends to, so the keys stored for these rows must be filled up there too.
    """
    joined: dict[str, Any] = {}
    for name, first in parts[0].items():
        values = [part[name] for part in parts]
        if name == "attention_mask" and len(parts) > 1:
            if not all(isinstance(value, Tensor) and value.dim() == 4 for value in values):
                return None
            widest = max(value.shape[-1] for value in values)
            nothing = False if first.dtype == torch.bool else torch.finfo(first.dtype).min
            values = [nn.functional.pad(value, (widest - value.shape[-1], 0), value=nothing) for value in values]
        joined[name] = _stacked(values, rows)
    return joined


def _stacked(values: list[Any], rows: list[int]) -> Any:
    first = values[0]
    if isinstance(first, tuple):
        return tuple(_stacked([value[index] for value in values], rows) for index in range(len(first)))
    if not isinstance(first, Tensor) or first.dim() < 2:
        return first
    return torch.cat([value.expand(count, *value.shape[1:]) for value, count in zip(values, rows, strict=True)])


@dataclass(frozen=True)
class Readout:
    """From the last block's output to logits: final norm, projection where there is one, head, soft cap."""

    steps: tuple[nn.Module, ...]
    soft_cap: float | None

    @classmethod
    def of(cls, bridge: TransformerBridge, config: Any) -> "Readout":
        """Collect the modules behind the last block of `bridge`."""
        names = ("ln_final", "project_out", "unembed")
        return cls(
            steps=tuple(getattr(bridge, name) for name in names if hasattr(bridge, name)),
            soft_cap=getattr(text_config(config), "final_logit_softcapping", None),
        )

    def device(self, otherwise: torch.device) -> torch.device:
        """Where logits come out, for hidden states on the device `otherwise`."""
        own = [parameter.device for step in self.steps for parameter in step.parameters()]
        return own[-1] if own else otherwise

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits (…, vocabulary) in float32 for hidden states (…, d_model) of the last block's output."""
        for step in self.steps:
            device = next((parameter.device for parameter in step.parameters()), hidden.device)
            hidden = step(hidden.to(device))
        if self.soft_cap:
            hidden = self.soft_cap * torch.tanh(hidden / self.soft_cap)
        return hidden.float()
