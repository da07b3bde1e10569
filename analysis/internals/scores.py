"""What a run says about the answer: probability, logit difference, divergence, top words.

All of them come from the same logits, so a trace keeps them all and a page can switch between
them without running again (metrics after Zhang & Nanda, 2309.16042).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

Metric = Literal["probability", "logit_difference", "normalised_logit_difference", "kl"]
TOP = 5


@dataclass(frozen=True)
class Scores:
    """Scores of runs; leading axes as the runs were given, S noise samples last."""

    units: ClassVar[dict[str, str]] = {
        "probability": "probability", "logit_difference": "logits", "kl": "nats", "top_ids": "token id",
        "top_probabilities": "probability",
    }  # fmt: skip
    probability: np.ndarray  # (..., S) of the answer
    logit_difference: np.ndarray  # (..., S) answer minus foil
    kl: np.ndarray  # (..., S) D(clean ‖ run), nats
    top_ids: np.ndarray  # (..., TOP) of the distribution averaged over samples
    top_probabilities: np.ndarray  # (..., TOP)
