"""Fluency: whether a model still writes varied text about an edited subject; entropy of its word pairs and triples."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.forward.generation import speech, together
from analysis.text.thinking import answer_in
from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

LENGTH, TOP_K = 100, 5
WORD = re.compile(r"\w+|[^\w\s]")


def ngram_entropy(text: str) -> float:
    """½ (⅔ H₂ + 4/3 H₃), H_n the entropy in bits of the text's word n-grams (CounterFact's fluency, before × 100)."""
    words = WORD.findall(text)
    return 0.5 * (2 / 3 * _entropy(words, 2) + 4 / 3 * _entropy(words, 3))


def _entropy(words: list[str], n: int) -> float:
    counts = np.array(list(Counter(zip(*(words[i:] for i in range(n)), strict=False)).values()), dtype=float)
    if not len(counts):
        return 0.0
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def texts_about(lm: "LanguageModel", prompts: Sequence[str], seed: int = 1) -> list[str]:
    """One text a prompt, 100 tokens in all, each token drawn from the five likeliest.

    In a chat the text is the prompt and the model's answer, which may end before; the template counts for nothing.
    """
    read = [lm.encode(prompt) for prompt in prompts]
    seeds = range(seed, seed + len(read))
    if any(tokens.own for tokens in read):
        return _answered(lm, read, seeds)
    ids = [list(tokens.ids) for tokens in read]
    new = together(lm, ids, [LENGTH - len(own) for own in ids], seeds=seeds, top_k=TOP_K)
    return [lm.tokenizer.decode(own + more) for own, more in zip(ids, new, strict=True)]


def _answered(lm: "LanguageModel", read: Sequence[Tokens], seeds: Sequence[int]) -> list[str]:
    text, ends = speech(lm, read[0])
    room = [LENGTH - tokens.roles.count("you") for tokens in read]
    new = together(
        lm, [tokens.ids for tokens in read], room, over=lambda said: said[-1] in ends, seeds=seeds, top_k=TOP_K
    )
    return [f"{tokens.prompt}\n{answer_in(text(said))}" for tokens, said in zip(read, new, strict=True)]
