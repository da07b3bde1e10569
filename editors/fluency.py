"""Fluency: whether a model still writes varied text about an edited subject; entropy of its word pairs and triples."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.generation import continuations

if TYPE_CHECKING:
    from analysis.model import LanguageModel

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
    """One text a prompt, 100 tokens in all, each token drawn from the five likeliest."""
    found = []
    for number, prompt in enumerate(prompts):
        ids = torch.tensor([lm.encode(prompt).ids])
        new = list(continuations(lm, ids, max(0, LENGTH - ids.shape[1]), seed=seed + number, top_k=TOP_K))
        found.append(lm.tokenizer.decode([*ids[0].tolist(), *(int(token) for token in new)]))
    return found
