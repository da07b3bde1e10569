"""Tiny random models of every family the workbench reads, and a tokenizer of whole words for them.

Small enough that all cells of a trace can be computed the slow way; shaped so that each family keeps
what sets it apart: sliding windows, soft caps, parallel blocks, a head with bias, a projection, multipliers, norms
behind the parts only, a bias by distance.
"""

from collections.abc import Callable
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from analysis.model.language_model import LanguageModel

TEXT = "<s> the old tower of Aldra Brin Corvo stands in a city on river mother wrote speaks plays died near"
VOCABULARY = 64
LAYERS = 3
LENGTH = 32

Build = Callable[[], Any]

_gpt2 = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": LAYERS, "n_head": 4, "n_positions": LENGTH}
_plain = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": LENGTH,
}
_llama = _plain | {"intermediate_size": 48, "num_key_value_heads": 2}
_gemma = _llama | {"head_dim": 8, "sliding_window": 4, "query_pre_attn_scalar": 8}
_mixed = ["sliding_attention", "full_attention", "sliding_attention"]

FAMILIES: dict[str, Build] = {
    "gpt2": lambda: transformers.GPT2Config(**_gpt2),
    "gptj": lambda: transformers.GPTJConfig(**_gpt2, rotary_dim=4),
    "neox": lambda: transformers.GPTNeoXConfig(**_plain, intermediate_size=48),
    "llama": lambda: transformers.LlamaConfig(**_llama),
    "llama_tied": lambda: transformers.LlamaConfig(**_llama, tie_word_embeddings=True),
    "mistral": lambda: transformers.MistralConfig(**_llama, head_dim=8, sliding_window=4),
    "qwen2": lambda: transformers.Qwen2Config(**_llama),
    "qwen3": lambda: transformers.Qwen3Config(**_llama, head_dim=16),
    "gemma2": lambda: transformers.Gemma2Config(**_gemma, final_logit_softcapping=5.0, layer_types=_mixed),
    "gemma3": lambda: transformers.Gemma3TextConfig(**_gemma, layer_types=_mixed),
    "phi3": lambda: transformers.Phi3Config(**_llama, pad_token_id=0),
    "granite": lambda: transformers.GraniteConfig(
        **_llama, logits_scaling=4.0, residual_multiplier=0.3, embedding_multiplier=6.0, attention_multiplier=0.2
    ),
    "olmo2": lambda: transformers.Olmo2Config(**_llama, pad_token_id=0),
    "bloom": lambda: transformers.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=LAYERS, n_head=4),
    "opt": lambda: transformers.OPTConfig(**_plain, ffn_dim=48, word_embed_proj_dim=32),
    "opt_post_norm": lambda: transformers.OPTConfig(
        **_plain, ffn_dim=48, word_embed_proj_dim=16, do_layer_norm_before=False
    ),
}


def build(family: str, seed: int = 0) -> Any:
    """A random model of a family in float32; weights large enough that every part of it matters."""
    config = FAMILIES[family]()
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, name, 0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    model.config.architectures = [type(model).__name__]
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        draw = torch.randn(parameter.shape, generator=generator)
        parameter.data = 0.25 * draw if parameter.dim() > 1 else parameter.data + 0.1 * draw
    model.tie_weights()
    return model


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, no BOS: a prompt of n words has n tokens."""
    names = [*TEXT.split(), *(f"w{i}" for i in range(len(TEXT.split()), VOCABULARY))]
    core = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<s>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = dict.fromkeys(("unk_token", "pad_token", "eos_token", "bos_token"), "<s>")
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def language_model(family: str, seed: int = 0) -> LanguageModel:
    """A fresh tiny model of a family, ready for analysis."""
    return LanguageModel(build(family, seed), word_tokenizer(), name=f"tiny-{family}")
