"""Tiny random models of every causal family that transformers knows, from its own table of them.

A family's own config is shrunk by the names of its fields, so a family that comes with a later transformers is tried
without a word here. What needs more than that stands in `SPECIAL`; variants that other code runs for stand beside.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

LAYERS, HEADS, WIDTH, LENGTH = 3, 4, 32, 64
LARGEST = 6_000_000
"""Parameters of a model that still counts as tiny: what cannot be shrunk below is left out."""
SIZES: dict[int, tuple[str, ...]] = {
    WIDTH: ("hidden_size", "d_model", "n_embd", "word_embed_proj_dim", "embedding_size", "emb_dim"),
    LENGTH: ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"),
    LAYERS: ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers"),
    HEADS: (
        "num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads", "encoder_attention_heads",
        "sliding_window", "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts",
    ),
    2: ("num_key_value_heads", "num_experts_per_tok", "moe_k", "moe_topk"),
    8: ("head_dim", "attention_head_dim", "d_head", "query_pre_attn_scalar", "kv_channels"),
    48: (
        "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "moe_intermediate_size", "dff",
        "shared_expert_intermediate_size", "decoder_ffn_dim", "encoder_ffn_dim", "d_ff",
    ),
}  # fmt: skip
_LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "qk_head_dim": 8,
    "v_head_dim": 8, "head_dim": 4, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
}  # fmt: skip
SPECIAL: dict[str, dict[str, Any]] = {
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8, "attn_layer_indices": [1]},
    "codegen": {"rotary_dim": 4},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 48},
    },
    "deepseek_v2": _LATENT,
    "deepseek_v3": _LATENT,
    "glm4_moe_lite": _LATENT,
    "gpt_neo": {"attention_types": [[["global", "local", "global"], 1]], "window_size": 4, "intermediate_size": 48},
    "gptj": {"rotary_dim": 4},
    "granitemoehybrid": {"mamba_n_heads": 8, "mamba_d_head": 8, "layer_types": ["mamba", "attention", "mamba"]},
    "mamba2": {"num_heads": 8, "head_dim": 8},
    "minicpm3": _LATENT,
    "plbart": {"decoder_attention_heads": 4},
    "youtu": _LATENT,
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert as a decoder": ("bert", {"is_decoder": True}),
    "cohere, q and k normed": ("cohere", {"use_qk_norm": True}),
    "falcon, ALiBi": ("falcon", {"alibi": True, "multi_query": False}),
    "falcon, ALiBi, one key head": ("falcon", {"alibi": True, "multi_query": True}),
    "falcon, new decoder": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon, one part after another": ("falcon", {"parallel_attn": False, "multi_query": False, "bias": True}),
    "granite, all multipliers": (
        "granite",
        {
            "logits_scaling": 4.0,
            "residual_multiplier": 0.3,
            "embedding_multiplier": 6.0,
            "attention_multiplier": 0.2,
        },
    ),
    "lfm2, convolutions": ("lfm2", {"layer_types": ["conv", "full_attention", "conv"]}),
    "mpt, no ALiBi": ("mpt", {"attn_config": {"alibi": False}}),
    "opt, norms behind": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    "stablelm, parallel": ("stablelm", {"use_parallel_residual": True, "qk_layernorm": True}),
    "t5, encoder and decoder": ("t5", {}),
    "bart, encoder and decoder": ("bart", {}),
}
"""Name, type and the fields that set it apart."""
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: (kind, {}) for kind in sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)},
    **VARIANTS,
}


def tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Whole words of some texts, and others to fill a vocabulary; no BOS."""
    words = ["<s>", *dict.fromkeys(word for text in texts for word in text.split())]
    names = [*words, *(f"w{number}" for number in range(len(words), vocabulary))]
    core = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<s>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = dict.fromkeys(("unk_token", "pad_token", "eos_token", "bos_token"), "<s>")
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def tiny_config(family: str, vocabulary: int = 64) -> Any:
    """The config of a family, shrunk; raises what the family's own code raises where it cannot be."""
    kind, more = FAMILIES[family]
    cls = CONFIG_MAPPING[kind]
    known = {name for base in cls.__mro__ for name in getattr(base, "__annotations__", {})}
    known |= set(inspect.signature(cls.__init__).parameters)
    fields: dict[str, Any] = {name: size for size, names in SIZES.items() for name in names if name in known}
    fields |= {name: vocabulary for name in ("vocab_size", "vocab_size_per_layer_input") if name in known}
    fields |= dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0)
    if "layer_types" in known:
        fields["layer_types"] = None
    return cls(**fields | {name: value for name, value in SPECIAL.get(kind, {}).items() if name in known} | more)


def tiny_model(family: str, vocabulary: int = 64, seed: int = 0) -> Any | None:
    """A random model of a family in float32, weights large enough that every part matters; None where it stays large.

    Raises what the family's own code raises where its config cannot be shrunk.
    """
    config = tiny_config(family, vocabulary)
    whole = AutoModelForSeq2SeqLM if family.endswith("encoder and decoder") else AutoModelForCausalLM
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in whole.from_config(config).parameters())
    if size > LARGEST:
        return None
    model = whole.from_config(config, attn_implementation="eager").eval()
    model.config.architectures = [type(model).__name__]
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        draw = torch.randn(parameter.shape, generator=generator)
        parameter.data = 0.25 * draw if parameter.dim() > 1 else parameter.data + 0.1 * draw
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight.data[module.padding_idx] = 0.0  # as every model that was loaded has it
    model.tie_weights()
    return model
