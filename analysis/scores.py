"""What a run says about the answer: probability, logit difference, divergence, top words.

All of them come from the same logits, so a trace keeps them all and a page can switch between
them without running again (metrics after Zhang & Nanda, 2309.16042).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Metric = Literal["probability", "logit_difference", "normalised_logit_difference", "kl"]
TOP = 5


@dataclass(frozen=True)
class Scores:
    """Scores of runs; leading axes as the runs were given, S noise samples last."""

    probability: np.ndarray  # (..., S) of the answer
    logit_difference: np.ndarray  # (..., S) answer minus foil
    kl: np.ndarray  # (..., S) D(clean ‖ run), nats
    top_ids: np.ndarray  # (..., TOP) of the distribution averaged over samples
    top_probabilities: np.ndarray  # (..., TOP)


@dataclass(frozen=True)
class Judge:
    """Knows the answer, the foil and the clean run's distribution."""

    answer: int
    foil: int
    clean: Tensor  # (vocabulary,) log-probabilities of the clean run

    def __call__(self, logits: Tensor) -> Scores:
        """Scores of logits (..., S, vocabulary) at the last token."""
        clean = self.clean.to(logits.device)
        probabilities = logits.softmax(-1)
        largest = logits.max(-1)
        normaliser = largest.values - probabilities.gather(-1, largest.indices[..., None])[..., 0].log()
        top = probabilities.mean(-2).topk(TOP, dim=-1)
        return Scores(
            probability=probabilities[..., self.answer].cpu().numpy(),
            logit_difference=(logits[..., self.answer] - logits[..., self.foil]).cpu().numpy(),
            kl=(clean.exp().mul(clean).sum() - (logits @ clean.exp() - normaliser)).cpu().numpy(),
            top_ids=top.indices.cpu().numpy(),
            top_probabilities=top.values.cpu().numpy(),
        )


def foil_token(logits: Tensor, answer: int) -> int:
    """The corrupted run's favourite that is not the answer: the default to compare the answer with.

    `logits` (S, vocabulary); favourites are taken of the mean distribution.
    """
    mean = logits.softmax(-1).mean(0)
    mean[answer] = -1
    return int(mean.argmax())


@torch.no_grad()
def top_words(logits: Tensor, count: int = TOP) -> tuple[np.ndarray, np.ndarray]:
    """Ids and probabilities, each (..., count), of the likeliest next tokens for logits (..., vocabulary)."""
    top = logits.softmax(-1).topk(count, dim=-1)
    return top.indices.cpu().numpy(), top.values.cpu().numpy()
