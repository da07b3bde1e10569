"""Everything that depends on a model's architecture, found from its config and module tree.

Nothing here looks at a model's name. TransformerLens's bridge gives one set of hook names;
this file adds what partial forwards need: how a block's arguments follow the tokens it is
given, and what stands between the last block and the logits.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES
from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module
from transformer_lens.model_bridge.transformer_bridge import TransformerBridge
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from analysis.errors import UnknownArchitecture

CACHE_ARGUMENTS = ("past_key_values", "layer_past")
"""Names under which a block takes its cache of keys and values."""
JOINED_BIAS, SHARED_BIAS = "alibi", "position_bias"
"""Names under which a block takes a bias on attention by distance: of all heads of all rows, of all heads once."""


FACTOR = r"scal(e|ing)|multiplier"
"""In the name of a number that a model multiplies by."""
READS = (
    "It reads decoder-only models whose every block is attention and an MLP: GPT-2, GPT-J, GPT-NeoX, Llama, Mistral, "
    "Qwen, Gemma, Phi, OPT, BLOOM, Falcon, OLMo, Granite, Cohere and their like."
)
NEAR = 0.02
"""Of a factor, how far a measured one may lie from it: rounding of half-precision weights."""


def refuse_unmapped(name: str, architecture: str) -> None:
    """Raise `UnknownArchitecture` for a class that TransformerLens has no map of, before its weights are read."""
    if architecture not in SUPPORTED_ARCHITECTURES:
        raise UnknownArchitecture(
            f"{name} is a {architecture}, of which TransformerLens has no map, so it cannot be read here. {READS}"
        )


def _reason(error: Exception, architecture: str) -> str:
    text = (str(error).splitlines() or [""])[0]
    if "hook_" in text or "attribute 'attn'" in text or "attribute 'mlp'" in text:
        return "not every block is attention and an MLP"
    if "nsupported architecture" in text:
        return f"TransformerLens has no map of {architecture}"
    return "TransformerLens's map of its parts does not fit it"


def refuse_by_config(name: str, config: Any) -> None:
    """Raise `UnknownArchitecture` for what a config alone shows to be no decoder of attention and MLPs."""
    kind = f"{name} (type “{config.model_type}”)"
    if getattr(config, "is_encoder_decoder", False):
        raise UnknownArchitecture(
            f"{kind} is an encoder with a decoder, such as BART or T5; this workbench reads decoder-only models, which "
            "predict the next token from those before it. Choose one of these."
        )
    if getattr(config, "is_decoder", None) is False and config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise UnknownArchitecture(
            f"{kind} is an encoder, such as BERT, whose tokens see those behind them; this workbench reads "
            "decoder-only models, which predict the next token from those before it. Choose one of these."
        )
    try:
        text = text_config(config)
    except ValueError as error:
        raise UnknownArchitecture(
            f"{kind} holds several language models, so none of them is the one to read. Choose a decoder-only one."
        ) from error
    sizes = {"layers": "num_hidden_layers", "width": "hidden_size", "vocabulary": "vocab_size"}
    if absent := [what for what, field in sizes.items() if not isinstance(getattr(text, field, None), int)]:
        raise UnknownArchitecture(
            f"{kind} is no plain language model: its config names no {' and no '.join(absent)}. Choose a decoder-only "
            "language model."
        )
    if not isinstance(getattr(text, "num_attention_heads", None), int):
        raise UnknownArchitecture(
            f"{kind} has no attention heads (a state-space or recurrent model, such as Mamba or RWKV); this workbench "
            "reads models of attention and MLPs. Choose one of these."
        )


def _keep_precision(attention: Any, dtype: Any) -> None:
    """Bring rotated queries and keys back to the weights' type where rotating made them longer, as OLMo's code does."""
    for name in ("hook_rot_q", "hook_rot_k"):
        if dtype.itemsize < 4 and hasattr(attention, name):
            getattr(attention, name).register_forward_hook(lambda _, __, rotated: rotated.to(dtype))


def build_bridge(model: nn.Module) -> TransformerBridge:
    """Wrap a Hugging Face causal language model, in place, in TransformerLens's bridge.

    The tokenizer is left out on purpose: the bridge would reload it and force a BOS token.
    """
    architecture = (getattr(model.config, "architectures", None) or [type(model).__name__])[0]
    try:
        bridge = build_bridge_from_module(model, architecture, hf_config=model.config)
        bridge.blocks, bridge.embed, bridge.unembed  # noqa: B018 - absent parts raise here
        for block in bridge.blocks:
            put_out(block, "mlp"), put_out(block, "attn")
            _keep_precision(block.attn, model.dtype)
    except (ValueError, KeyError, AttributeError, NotImplementedError, RuntimeError, TypeError) as error:
        raise UnknownArchitecture(
            f"{architecture} is not a family this workbench can read ({_reason(error, architecture)}). {READS}"
        ) from error
    return bridge


def put_out(block: Any, site: str) -> Any:
    """The hook point of a block's `mlp` or `attn` output, as late as modules tell it: behind a norm of its own.

    Where a family multiplies it on its way, the bridge offers a point behind that which fires for its own hooks only.
    """
    alias = f"hook_{site}_out"
    return getattr(block, site).hook_out if alias in block._modules else getattr(block, alias)


def taken(model: nn.Module, options: dict[str, Any]) -> dict[str, Any]:
    """Of the arguments of a forward, those that a model knows by name."""
    known = inspect.signature(model.forward).parameters
    return {name: value for name, value in options.items() if name in known}


def text_config(config: Any) -> Any:
    """The part of a config that describes the language model (multimodal configs nest it)."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def context_length(config: Any) -> int | None:
    """Longest prompt, in tokens, that the positions of the model reach; None where the config has no limit."""
    config = text_config(config)
    for field in ("max_position_embeddings", "n_positions", "max_seq_len"):
        if isinstance(getattr(config, field, None), int):
            return getattr(config, field)
    return None


def writes_through(block: Any, part: str) -> Any | None:
    """The norm between the output of a block's `attn` or `mlp` and the residual stream; None where there is none."""
    return getattr(block, "ln1_post" if part == "attn" else "ln2_post", None)


def key_heads(attention: Any, heads: int) -> int:
    """How many heads of keys an attention with so many query heads has: as its projections are wide."""
    queries, keys = (getattr(attention, name).original_component.weight.numel() for name in ("q", "k"))
    return heads * keys // queries


def carried(attention: Any, args: tuple, kwargs: dict[str, Any]) -> Tensor | None:
    """The residual stream where an attention is handed it and adds what it gives to it itself; None elsewhere."""
    forward = inspect.signature(attention.original_component.forward)
    return forward.bind_partial(*args, **kwargs).arguments.get("residual") if "residual" in forward.parameters else None


def block_arguments(block: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of one call of a block, by name, rows first, without the hidden states and the cache."""
    bound = dict(inspect.signature(type(block.original_component).forward).bind(block, *args, **kwargs).arguments)
    bound.update(bound.pop("kwargs", {}))
    own, hidden = list(bound)[:2]
    rows = bound[hidden].shape[0]
    for name in (own, hidden, "use_cache", *CACHE_ARGUMENTS):
        bound.pop(name, None)
    if isinstance(bias := bound.get(JOINED_BIAS), Tensor) and bias.dim() == 3:
        bound[JOINED_BIAS] = bias.unflatten(0, (rows, -1))
    if isinstance(bias := bound.get(SHARED_BIAS), Tensor):
        bound[SHARED_BIAS] = bias[None]
    return bound


def as_taken(arguments: dict[str, Any], rows: int) -> dict[str, Any]:
    """Arguments, rows first, as a block takes them for `rows` rows."""
    taken = dict(arguments)
    if isinstance(mask := taken.get("attention_mask"), Tensor) and mask.shape[0] == 1:
        taken["attention_mask"] = mask.expand(rows, *mask.shape[1:])
    if isinstance(bias := taken.get(JOINED_BIAS), Tensor):
        taken[JOINED_BIAS] = bias.repeat(rows // bias.shape[0], 1, 1, 1).flatten(0, 1)
    if isinstance(bias := taken.get(SHARED_BIAS), Tensor):
        taken[SHARED_BIAS] = bias[0]
    return taken


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
    attends to, so the keys stored for these rows must be filled up there too; so are biases by distance, whose level
    says nothing.
    """
    joined: dict[str, Any] = {}
    for name, first in parts[0].items():
        values = [part[name] for part in parts]
        if name == "attention_mask" and len(parts) > 1:
            if not all(isinstance(value, Tensor) and value.dim() == 4 for value in values):
                return None
            values = _filled(values, _hidden(first))
        if name == JOINED_BIAS and isinstance(first, Tensor):
            values = _filled(values, 0.0)
        joined[name] = _stacked(values, rows)
    return joined


def _hidden(mask: Tensor) -> Any:
    """What a mask says of a key nobody attends to: the last token sees itself, so of two truth values the other."""
    return not bool(mask.flatten()[-1]) if mask.dtype == torch.bool else torch.finfo(mask.dtype).min


def _filled(values: list[Tensor], by: Any) -> list[Tensor]:
    widest = max(value.shape[-1] for value in values)
    return [nn.functional.pad(value, (widest - value.shape[-1], 0), value=by) for value in values]


def _stacked(values: list[Any], rows: list[int]) -> Any:
    first = values[0]
    if isinstance(first, tuple):
        return tuple(_stacked([value[index] for value in values], rows) for index in range(len(first)))
    if not isinstance(first, Tensor) or first.dim() < 2:
        return first
    return torch.cat([value.expand(count, *value.shape[1:]) for value, count in zip(values, rows, strict=True)])


def factors_in(config: Any) -> list[float]:
    """Numbers a model may multiply by, its config says: the multipliers and scales it names, and their inverses."""
    config = text_config(config)
    named = {
        name: float(value)
        for name, value in config.to_dict().items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value and re.search(FACTOR, name)
    }
    found = list(named.values())
    if (depth := named.get("scale_depth")) is not None:
        found.append(depth / config.num_hidden_layers**0.5)
    if (width := getattr(config, "dim_model_base", None)) is not None:
        found.append(width / config.hidden_size)
    return [1.0, *found, *(1 / value for value in found)]


def told(measured: float, config: Any) -> float:
    """The number of `factors_in` that a measured factor is, to rounding of any type of weights; 1 where it is none."""
    nearest = min(factors_in(config), key=lambda value: abs(measured - value))
    return nearest if abs(measured - nearest) <= NEAR * abs(nearest) else 1.0


@dataclass(frozen=True)
class Readout:
    """From the last block's output to logits: final norm, projection where there is one, head, scale, soft cap."""

    steps: tuple[nn.Module, ...]
    soft_cap: float | None
    scale: float = 1.0

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

    def scaled(self, config: Any, hidden: Tensor, logits: Tensor) -> "Readout":
        """The same with the scale that `config` names and the model's own `logits` of `hidden` tell.

        Families write it under different names, and one name means a product here and a quotient there.
        """
        read, wanted = self.linear(hidden).double(), logits.to(hidden.device).double()
        if self.soft_cap:
            wanted = self.soft_cap * torch.atanh((wanted / self.soft_cap).clamp(-0.99, 0.99))
            inside = (wanted / self.soft_cap).tanh().abs() < 0.9  # nearer the cap its inverse keeps no digits
            read, wanted = read * inside, wanted * inside
        measured = (read * wanted).sum() / read.square().sum().clamp_min(torch.finfo(torch.float64).tiny)
        return replace(self, scale=told(measured.item(), config))

    def linear(self, hidden: Tensor) -> Tensor:
        """What the head gives, (…, vocabulary), before scale and soft cap."""
        for step in self.steps:
            device = next((parameter.device for parameter in step.parameters()), hidden.device)
            hidden = step(hidden.to(device))
        return hidden

    def exactly(self, hidden: Tensor) -> Tensor:
        """Logits (…, vocabulary) in the type of the weights."""
        logits = self.linear(hidden)
        if self.scale != 1:
            logits = logits * self.scale
        return self.soft_cap * torch.tanh(logits / self.soft_cap) if self.soft_cap else logits

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits (…, vocabulary) in float32 for hidden states (…, d_model) of the last block's output."""
        return self.exactly(hidden).float()
