"""One request traced by many tests, its results kept, and how far two results are apart."""

from functools import cache

import numpy as np

from analysis.model.language_model import LanguageModel
from analysis.tracing.result import KINDS, TraceRequest, TraceResult
from analysis.tracing.run import trace

EXACT = 1e-5
PROMPT, SUBJECT = "near the tower of Aldra mother stands in", "tower of Aldra"
BEGIN, END, TOKENS = 2, 5, 8
REQUEST = TraceRequest(prompt=PROMPT, subject=SUBJECT, kinds=KINDS, samples=3, sigma=0.2, window=2)


def asked(**changes: object) -> TraceRequest:
    """The common request with some fields changed."""
    return TraceRequest(**(REQUEST.model_dump() | changes))


REPLACE = asked(corruption="replace", replacement="city near Brin")


@cache
def traced(lm: LanguageModel, request: TraceRequest = REQUEST) -> TraceResult:
    """A trace, computed once a model and request; not to be changed."""
    return trace(lm, request)


def far(a, b) -> float:
    """Largest difference; NaN where anything is missing."""
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())


def same(a: TraceResult, b: TraceResult, kinds=KINDS, within: float = 0.0) -> bool:
    """Whether all numbers of all cells agree."""
    names = ("probability", "logit_difference", "kl", "top_probabilities")
    pairs = [(getattr(a.grids[kind], name), getattr(b.grids[kind], name)) for kind in kinds for name in names]
    return all(far(x, y) <= within for x, y in pairs)
