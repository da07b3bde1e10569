"""How surprised is a model by a text? The quickest sign that edits have harmed it as a whole."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.moments.corpus import Corpus

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


READ_AT_ONCE = 512
"""Tokens whose next words are read together: a large vocabulary takes its time, in which no cancel comes through."""


@torch.no_grad()
def perplexity(lm: "LanguageModel", text: Corpus) -> float:
    """Of the model on a text, each token after those before it in its piece."""
    total, count = 0.0, 0
    for ids in text.batches(READ_AT_ONCE):
        logs = lm.logits(ids[:, :-1]).log_softmax(-1).cpu()
        total -= float(logs.gather(2, ids[:, 1:, None]).sum())
        count += ids[:, 1:].numel()
    return float(np.exp(total / count))
