"""A model of a well-known shape with random weights: speed and memory without a checkpoint.

Weights are drawn so that states keep their size and the last logits are as uneven as a trained
model's; the tokenizer knows whole words only. Nothing it says means anything.
"""

import re
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from analysis.errors import BadRequest
from analysis.model.language_model import LanguageModel

SHAPES: dict[str, dict[str, Any]] = {
    "qwen3-tiny": {
        "vocab_size": 1024, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True,
    },
    "qwen3-0.6b": {
        "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
    },
    "qwen3-8b": {
        "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": False,
    },
}  # fmt: skip
LOGIT_SPREAD = 5.0
"""Standard deviation of the logits: the favourite then has about a tenth of the probability."""


def random_model(
    shape: str, device: torch.device, dtype: torch.dtype, texts: tuple[str, ...], seed: int = 0
) -> LanguageModel:
    """A Qwen3 of a shape of `SHAPES`, made on the device; its tokenizer reads the words of `texts`."""
    if shape not in SHAPES:
        raise BadRequest(f"There is no shape “{shape}”. There are: {', '.join(SHAPES)}.")
    config = transformers.Qwen3Config(**SHAPES[shape], max_position_embeddings=4096, architectures=["Qwen3ForCausalLM"])
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = transformers.Qwen3ForCausalLM(config)
    model = model.to(dtype).to_empty(device=device)
    model.tie_weights()
    fill(model, torch.Generator(device).manual_seed(seed))
    with torch.device(device):
        model.model.rotary_emb = type(model.model.rotary_emb)(config)
    lm = LanguageModel(model, _words(texts), name=f"{shape}, random weights")
    lm.own_hash = f"random-{shape}-{seed}"  # hashing 8 billion numbers would take longer than the benchmark
    return lm


def twin_of(lm: LanguageModel, shape: str, texts: tuple[str, ...]) -> LanguageModel:
    """The same numbers in float32 on the processor: generators of two devices do not draw alike, so they are copied."""
    twin = random_model(shape, torch.device("cpu"), torch.float32, texts)
    with torch.no_grad():
        for name, parameter in twin.parameters.items():
            parameter.copy_(lm.parameters[name])
    twin.own_hash = f"{lm.own_hash}-twin"
    return twin


def fill(model: Any, generator: torch.Generator) -> None:
    """Draw weights so that states keep their size."""
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if parameter.dim() == 1:
                parameter.fill_(1.0)
            elif "embed_tokens" in name or "lm_head" in name:
                tied_or_head = "lm_head" in name or model.config.tie_word_embeddings
                scale = LOGIT_SPREAD / parameter.shape[1] ** 0.5 if tied_or_head else 1.0
                parameter.normal_(0.0, scale, generator=generator)
            else:
                parameter.normal_(0.0, parameter.shape[1] ** -0.5, generator=generator)


def _words(texts: tuple[str, ...]) -> PreTrainedTokenizerFast:
    names = ["<unk>", *dict.fromkeys(word for text in texts for word in re.findall(r"\w+|[^\w\s]", text))]
    core = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")
