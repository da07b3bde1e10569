"""The model goes on by itself, one token at a time, greedily or drawn by generators of its own.

A token costs little more for many texts than for one, since the weights are read once for all: `together` lets prompts
of any length go on side by side, and reads what they share in front once. `continuations` is the plain way.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import groupby, takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache

from analysis.forward.architecture import context_length, taken
from analysis.forward.packed_weights import packed
from analysis.text.boundary import marked
from analysis.text.chat import turn_ends
from analysis.text.labels import labels
from analysis.text.thinking import MARKS, left_open
from analysis.text.tokens import Tokens, answer_tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS = 16
"""Texts that go on side by side."""
CUT = re.compile(r"⟨[0-9A-F]{2}[ ⟩]")
"""In a token's text, bytes that make no character."""
CHARACTER = 4
"""Tokens a character may be cut in."""
SHARED = 12
"""Tokens in front that are worth reading once for all."""


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
        logits = logits_after(lm, ids, cache)
        if generator is None:
            chosen = logits.argmax(-1)
        else:
            chosen = _sample(logits, top_k, torch.rand(len(logits), 1, generator=generator))
        yield chosen.cpu()
        ids = chosen[:, None].to(lm.device)


def logits_after(lm: "LanguageModel", ids: Tensor, cache: DynamicCache, mask: Tensor | None = None) -> Tensor:
    """Logits (rows, vocabulary) in float32 behind `ids` (rows, t), read after what `cache` holds, and kept there too.

    `mask` (rows, all tokens so far): 0 where a text that is filled up in front has not begun.
    """
    given = {}
    if mask is not None:
        given = {"attention_mask": mask, "position_ids": (mask.cumsum(-1) - 1).clamp_min(0)[:, -ids.shape[1] :]}
    options = taken(lm.model, {**given, "logits_to_keep": 1})
    return lm.model(input_ids=ids, past_key_values=cache, use_cache=True, **options).logits[:, -1].float()


def _sample(logits: Tensor, top_k: int | None, drawn: Tensor) -> Tensor:
    """One token a row: where its number, uniform in (0, 1), (rows, 1), falls among the summed probabilities."""
    if top_k is not None:
        bound = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < bound, float("-inf"))
    summed = logits.softmax(-1).cumsum(-1)
    return torch.searchsorted(summed, drawn.to(summed) * summed[:, -1:]).clamp_max(logits.shape[-1] - 1)[:, 0]


@torch.no_grad()
def together(
    lm: "LanguageModel",
    prompts: Sequence[Sequence[int]],
    tokens: Sequence[int],
    *,
    over: Callable[[list[int]], bool] = lambda said: False,
    seeds: Sequence[int] | None = None,
    top_k: int | None = None,
) -> list[list[int]]:
    """Token ids behind each of `prompts` (ids of any number), each as `continuations` finds them alone, to rounding.

    A text ends after its `tokens`, or when `over` of what was said so far is true. Greedy without `seeds`, one a text.
    """
    said: list[list[int]] = [[] for _ in prompts]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds or ()]
    waiting = sorted((row for row in range(len(prompts)) if tokens[row] > 0), key=lambda row: len(prompts[row]))
    with packed(lm) if len(waiting) > 1 else nullcontext():
        at_once = ROWS if lm.can("texts") else 1
        for begin in range(0, len(waiting), at_once):
            rows = waiting[begin : begin + at_once]
            cache = DynamicCache(config=lm.model.config)
            ids, mask = _begun(lm, [prompts[row] for row in rows], cache)
            while rows:
                logits = logits_after(lm, ids, cache, mask if at_once > 1 else None)
                if generators:
                    drawn = torch.cat([torch.rand(1, 1, generator=generators[row]) for row in rows])
                    chosen = _sample(logits, top_k, drawn)
                else:
                    chosen = logits.argmax(-1)
                chosen = chosen.to(lm.device)
                for row, token in zip(rows, chosen.tolist(), strict=True):
                    said[row].append(token)
                going = [at for at, row in enumerate(rows) if len(said[row]) < tokens[row] and not over(said[row])]
                if len(going) < len(rows):
                    rows = [rows[at] for at in going]
                    kept = torch.tensor(going, dtype=torch.long)  # blocks may lie on several devices
                    cache.batch_select_indices(kept)
                    mask, chosen = mask[kept], chosen[kept]
                ids = chosen[:, None]
                mask = torch.cat((mask, mask.new_ones(len(mask), 1)), 1)
    return said


def _begun(lm: "LanguageModel", prompts: Sequence[Sequence[int]], cache: DynamicCache) -> tuple[Tensor, Tensor]:
    """Ids still to be read (rows, t), filled up in front, and the mask of all (rows, shared + t).

    What all prompts share in front is in the cache then. Where windows slide, places between it and the rest would
    count as read, so nothing is shared.
    """
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False)))
    shared = min(shared, min(map(len, prompts)) - 1)
    if len(prompts) == 1 or shared < SHARED or any(cache.is_sliding):
        shared = 0
    longest = max(map(len, prompts)) - shared
    rest = [list(prompt[shared:]) for prompt in prompts]
    ids = torch.tensor([[0] * (longest - len(own)) + own for own in rest], device=lm.device)
    read = torch.tensor([[0] * (longest - len(own)) + [1] * len(own) for own in rest], device=lm.device)
    if shared:
        logits_after(lm, torch.tensor([list(prompts[0][:shared])], device=lm.device), cache)
        cache.batch_repeat_interleave(len(prompts))
    return ids, torch.cat((read.new_ones(len(prompts), shared), read), 1)


def texts_after(
    lm: "LanguageModel", prompts: Sequence[str], tokens: int, *, over: Callable[[str], bool] = lambda text: False
) -> list[str]:
    """What follows each prompt, as `continued` says it, until `over` of the text is true."""
    return texts_behind(lm, [lm.encode(prompt) for prompt in prompts], tokens, over=over)


def texts_behind(
    lm: "LanguageModel", prompts: Sequence[Tokens], tokens: int, *, over: Callable[[str], bool] = lambda text: False
) -> list[str]:
    """`texts_after` prompts that are tokens already, all put in the same way."""
    if not prompts:
        return []
    text, ends = speech(lm, prompts[0])
    found = together(
        lm, [prompt.ids for prompt in prompts], [_room(lm, len(prompt), tokens) for prompt in prompts],
        over=lambda said: said[-1] in ends or over(text(said)),
    )  # fmt: skip
    return [text(said[:-1] if said and said[-1] in ends else said) for said in found]


def continued(lm: "LanguageModel", prompt: str, tokens: int, *, seed: int | None = None) -> Iterator[str]:
    """The text that follows a prompt, growing piece by piece, until `tokens`, the model's own end or its last place.

    Thoughts stand in it between their marks; where a chat template has opened one already, its mark comes first.

    Args:
        lm: a loaded model, with edits on or without.
        prompt: what stands before the text.
        tokens: how many may follow.
        seed: of sampling; the likeliest token each time where it is left out.
    Returns:
        The text so far, after every piece.
    Raises:
        `PromptTooLong`.
    Example:
        >>> list(continued(lm, "The Eiffel Tower is located in the city of", 1))[-1]
        ' Paris'
    """
    read = lm.encode(prompt)
    text, ends = speech(lm, read)
    said: list[int] = []
    for chosen in continuations(lm, torch.tensor([read.ids]), _room(lm, len(read), tokens), seed=seed):
        if int(chosen) in ends:
            return
        said.append(int(chosen))
        yield text(said)


def speech(lm: "LanguageModel", prompt: Tokens) -> tuple[Callable[[Sequence[int]], str], set[int | None]]:
    """How tokens that follow a prompt are read as text, and the tokens that end it."""
    opened = left_open(prompt.text[prompt.own[1] :]) if prompt.own else ""
    marks = {mark for pair in MARKS for mark in pair}
    special = {number: str(token) for number, token in lm.tokenizer.added_tokens_decoder.items() if token.special}
    kept = {number: mark for number, mark in special.items() if mark in marks}  # decoding leaves these out

    def text(said: Sequence[int]) -> str:
        pieces = [opened]
        for thought, group in groupby(said, key=lambda token: kept.get(token, "")):
            pieces.append(thought or _text(lm, list(group)))
        return "".join(pieces)

    return text, _ends(lm) | (turn_ends(lm.tokenizer) if prompt.own else set())


def answer_word(lm: "LanguageModel", prompt: Tokens, token: int, answer: str | None) -> str:
    """The word of an answer's first token, as `lm.said`; of a token that only begins a character the character.

    `answer`: what was asked for; the model's own when None.
    """
    (word,) = lm.said(prompt, [token])
    if not CUT.search(word):
        return word
    if answer is None:
        return first_said(lm, prompt)
    return labels(lm.tokenizer, answer_tokens(lm.tokenizer, prompt, answer))[0]


def first_said(lm: "LanguageModel", prompt: Tokens) -> str:
    """The likeliest next token as a word; with what follows it where it is only the beginning of a character."""
    word = ""
    ids: list[int] = []
    for chosen in continuations(lm, prompt.tensor(), min(CHARACTER, _room(lm, len(prompt), CHARACTER))):
        ids.append(int(chosen))
        text = _text(lm, ids)
        word = word or lm.said(prompt, ids)[0].strip()
        if "\ufffd" not in text:
            return word if len(ids) == 1 else marked(prompt.text, text, prompt.boundary)
    return word


def _text(lm: "LanguageModel", said: list[int]) -> str:
    """The text of tokens that go on from others: the space some tokenizers leave out in front is put back."""
    if any(token >= len(lm.tokenizer) for token in said):  # rows the model has and its tokenizer has not
        return "".join(lm.words(said))
    text = lm.tokenizer.decode(said, skip_special_tokens=True)
    first = lm.words(said[:1])[0] if said else ""
    return f" {text}" if first.startswith(" ") and text and not text[0].isspace() else text


def _room(lm: "LanguageModel", length: int, tokens: int) -> int:
    """Of `tokens`, as many as fit behind a prompt of `length`."""
    limit = context_length(lm.config)
    return tokens if limit is None else min(tokens, limit - length + 1)


def _ends(lm: "LanguageModel") -> set[int | None]:
    """Tokens the model ends a text with."""
    ends = getattr(getattr(lm.model, "generation_config", None), "eos_token_id", None)
    return {lm.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
