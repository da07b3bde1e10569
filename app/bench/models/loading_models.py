"""Models of three well-known shapes with random weights, as a folder of safetensors and as a GGUF file.

Weights are drawn as in `app.bench.models.random_model`; the words of the vocabulary are made up, every beginning of a
word is a word too, as in a real one. Nothing such a model says means anything; what it takes to load and to edit does.
"""

from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from app.bench.models.random_model import fill

Form = Literal["safetensors", "gguf"]
FORMS: tuple[Form, ...] = ("safetensors", "gguf")
SHAPES: dict[str, Any] = {
    "smollm2-135m": lambda: transformers.LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=30, intermediate_size=1536, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True, max_position_embeddings=8192,
    ),
    "qwen2.5-0.5b": lambda: transformers.Qwen2Config(
        vocab_size=151936, hidden_size=896, num_hidden_layers=24, intermediate_size=4864, num_attention_heads=14,
        num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=32768,
    ),
    "gemma-3-270m": lambda: transformers.Gemma3TextConfig(
        vocab_size=262144, hidden_size=640, num_hidden_layers=18, intermediate_size=2048, num_attention_heads=4,
        num_key_value_heads=1, head_dim=256, sliding_window=512, query_pre_attn_scalar=256, tie_word_embeddings=True,
        max_position_embeddings=32768,
    ),
    "small": lambda: transformers.LlamaConfig(
        vocab_size=49152, hidden_size=576, num_hidden_layers=6, intermediate_size=1536, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True,
    ),
}  # fmt: skip
ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "gemma3_text": "gemma3"}
KIND = gguf.GGMLQuantizationType.Q8_0


def make(shape: str, form: Form, folder: Path) -> Path:
    """A model of a shape of `SHAPES` under `folder`; the place `load` takes."""
    config = SHAPES[shape]()
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, name, 0)
    model = AutoModelForCausalLM.from_config(config)
    fill(model, torch.Generator().manual_seed(0))
    words, merges = _vocabulary(config.vocab_size)
    place = folder / (f"{shape}.gguf" if form == "gguf" else shape)
    if form == "gguf":
        _write_gguf(model, words, merges, place)
    else:
        model.save_pretrained(place)
        _tokenizer(words, merges).save_pretrained(place)
    return place


def _vocabulary(size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Words of a byte-level tokenizer and how each is put together of two before it."""
    letters = list(bytes_to_unicode().values())
    words = dict.fromkeys(["<|endoftext|>", *letters])
    merges: list[tuple[str, str]] = []
    syllables = [one + other for one in "bcdfghjklmnprstvwxz" for other in "aeiouy"]
    generator = np.random.default_rng(0)
    while len(words) < size:
        word = "".join(generator.choice(syllables, size=generator.integers(1, 6)))
        for begun in (word, f"Ġ{word}"):
            for end in range(2, len(begun) + 1):
                if begun[:end] not in words and len(words) < size:
                    words[begun[:end]] = None
                    merges.append((begun[: end - 1], begun[end - 1]))
    return list(words), merges


def _tokenizer(words: list[str], merges: list[tuple[str, str]]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=words[0], pad_token=words[0])


def _write_gguf(model: Any, words: list[str], merges: list[tuple[str, str]], place: Path) -> None:
    config = model.config
    named = ARCHITECTURES[config.model_type]
    out = gguf.GGUFWriter(place, named)
    heads, kv = config.num_attention_heads, config.num_key_value_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    out.add_block_count(config.num_hidden_layers)
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(heads)
    out.add_head_count_kv(kv)
    out.add_key_length(width)
    out.add_value_length(width)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(10_000.0)
    if named == "gemma3":
        out.add_sliding_window(config.sliding_window)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("default")
    out.add_token_list(words)
    out.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (len(words) - 1))
    out.add_token_merges([" ".join(pair) for pair in merges])
    out.add_bos_token_id(0)
    out.add_eos_token_id(0)
    names = gguf.get_tensor_name_map(
        next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == named), config.num_hidden_layers
    )
    for name, parameter in model.named_parameters():
        weight = parameter.detach().float()
        if named == "llama" and (parts := heads if "q_proj" in name else kv if "k_proj" in name else 0):
            weight = weight.unflatten(0, (parts, 2, -1)).transpose(1, 2).reshape(weight.shape)
        array = np.ascontiguousarray((weight + 1 if named == "gemma3" and "norm" in name else weight).numpy())
        flat = array.ndim == 1
        data = array if flat else gguf.quantize(array, KIND)
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        out.add_tensor(target, data, raw_dtype=gguf.GGMLQuantizationType.F32 if flat else KIND)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
