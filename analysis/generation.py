"""The model goes on by itself: one token at a time, several rows together, from a generator of its own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache

from analysis.architecture import context_length

if TYPE_CHECKING:
    from analysis.model import LanguageModel


@torch.no_grad()
def continuations(
    lm: "LanguageModel", ids: Tensor, tokens: int, *, seed: int | None = None, top_k: int | None = None
) -> Iterator[Tensor]:
    """The next `tokens` token ids, (rows,) each, after `ids` (rows, tokens of equal number).

    Greedy when `seed` is None, else sampled at temperature 1, of the `top_k` likeliest where given.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    cache = DynamicCache(config=lm.model.config)
    ids = ids.to(lm.device)
    for _ in range(tokens):
        logits = lm.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1].float()
        chosen = logits.argmax(-1) if generator is None else _sample(logits, top_k, generator)
        yield chosen.cpu()
        ids = chosen[:, None].to(lm.device)


def _sample(logits: Tensor, top_k: int | None, generator: torch.Generator) -> Tensor:
    """One draw a row: where a uniform number falls among the summed probabilities; the CPU's generator always."""
    if top_k is not None:
        bound = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < bound, float("-inf"))
    summed = logits.softmax(-1).cumsum(-1)
    draw = torch.rand(len(logits), 1, generator=generator).to(summed) * summed[:, -1:]
    return torch.searchsorted(summed, draw).clamp_max(logits.shape[-1] - 1)[:, 0]


def continued(lm: "LanguageModel", prompt: str, tokens: int, *, seed: int | None = None) -> Iterator[str]:
    """The text that follows a prompt, growing piece by piece, until `tokens`, the model's own end or its last place."""
    ids = torch.tensor([lm.encode(prompt).ids])
    if (limit := context_length(lm.config)) is not None:
        tokens = min(tokens, limit - ids.shape[1] + 1)
    ends = getattr(getattr(lm.model, "generation_config", None), "eos_token_id", None)
    stop = {lm.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
    said: list[int] = []
    for chosen in continuations(lm, ids, tokens, seed=seed):
        if int(chosen) in stop:
            return
        said.append(int(chosen))
        yield lm.tokenizer.decode(said, skip_special_tokens=True)
