"""The tiny Llama as people keep models: a folder of safetensors, and a GGUF file."""

from pathlib import Path

import gguf
import pytest

from tests.kit.families import TEXT, build, word_tokenizer


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build("llama").save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory) -> Path:
    """The tiny Llama, written as llama.cpp would read it: heads of query and key interleaved."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    model = build("llama")
    config, out = model.config, gguf.GGUFWriter(path, "llama")
    out.add_block_count(config.num_hidden_layers)
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(10_000.0)
    out.add_vocab_size(config.vocab_size)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    words = [*TEXT.replace("<s>", "").split()]
    letters = sorted({*"".join(words), "Ġ"})
    merges, pieces = [], ["<s>", *letters]
    for word in (f"Ġ{word}" for word in words):
        for end in range(2, len(word) + 1):
            if word[:end] not in pieces and len(pieces) < config.vocab_size:
                pieces.append(word[:end])
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(pieces)
    out.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (len(pieces) - 1))
    out.add_token_merges(merges)
    for mark in (out.add_bos_token_id, out.add_eos_token_id, out.add_unk_token_id, out.add_pad_token_id):
        mark(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        for part, heads in (("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)):
            if part in name:
                weight = weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(weight.shape)
        out.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weight.contiguous().numpy())
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path
