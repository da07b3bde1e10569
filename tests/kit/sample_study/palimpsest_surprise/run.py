"""One forward over the prompt."""

import time
from typing import TYPE_CHECKING

import numpy as np

from analysis.study import Report, provenance, silent
from palimpsest_surprise.result import SurpriseRequest, SurpriseResult

if TYPE_CHECKING:
    from analysis import LanguageModel


def surprise(lm: "LanguageModel", request: SurpriseRequest, report: Report = silent) -> SurpriseResult:
    """Minus the logarithm of what the model gave each token, read behind those before it."""
    started = time.perf_counter()
    report(0, 1, "reading")
    tokens = lm.encode(request.prompt)
    ids = tokens.tensor(lm.device)
    given = lm.logits(ids)[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0]
    return SurpriseResult(
        request=request,
        model=lm.card(),
        tokens=list(tokens.labels),
        surprise=(-given.float().cpu().numpy() / np.log(request.base)).astype(np.float32),
        provenance=provenance(time.perf_counter() - started),
    )
