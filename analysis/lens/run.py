"""Logit lens: what a state would say if the model stopped there and answered.

nostalgebraist, 2020: the last norm and the unembedding read the residual stream of any layer
as if it were the last. Early layers are not made to be read so; the lens shows what is already
legible, not all that is known.
"""

import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.forward.blocks import Frame, Passage, first_hidden, record
from analysis.forward.generation import answer_word
from analysis.internals.scores import TOP
from analysis.lens.result import Lens, LensRequest, LensResult
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from analysis.text.tokens import answer_token

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS_AT_ONCE = 512
"""States unembedded together: enough for the matrix product's full speed, little enough for a large vocabulary."""


@torch.no_grad()
def read_lens(lm: "LanguageModel", passage: Passage, answer: int) -> Lens:
    """Read all states of a recorded run's first row through the logit lens."""
    states = torch.stack([hidden[0].to(passage.last.device) for hidden in passage.hidden[1:]])
    parts: list[tuple[Tensor, ...]] = []
    for rows in states.flatten(0, 1).split(ROWS_AT_ONCE):
        probabilities = lm.readout(rows).softmax(-1)
        own = probabilities[:, answer]
        top = probabilities.topk(TOP, dim=-1)
        parts.append((top.indices, top.values, own, (probabilities > own[:, None]).sum(-1)))
    whole = (torch.cat(part).unflatten(0, states.shape[:2]) for part in zip(*parts, strict=True))
    return Lens(*(part.cpu().numpy() for part in whole))


@framed
def logit_lens(lm: "LanguageModel", request: LensRequest, report: Report = silent) -> LensResult:
    """Read all states of a prompt through the logit lens: one forward, one readout per layer.

    Args:
        lm: a loaded model; left as it was.
        request: the prompt, and the answer to follow (the model's own if left out).
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        First words, their probabilities and the answer's rank at every layer and token.
    Raises:
        `BadRequest` and its kind for prompts and answers that do not fit.
    Source:
        nostalgebraist 2020, “interpreting GPT: the logit lens”.
    Example:
        >>> from analysis import LensRequest
        >>> logit_lens(lm, LensRequest(prompt="The Eiffel Tower is located in the city of")).answer
        ' Paris'
    """
    started = time.perf_counter()
    tokens = lm.encode(request.prompt)
    ids = tokens.tensor(lm.device)
    report(0, 1, "reading")
    frame = Frame.of(lm, ids)
    answer = (
        answer_token(lm.tokenizer, tokens, request.answer) if request.answer else int(lm.next_word(tokens).argmax())
    )
    with torch.no_grad():
        lens = read_lens(lm, record(frame, first_hidden(lm, ids)), answer)
    unique = [int(i) for i in np.unique(lens.top_ids)]
    report(1, 1, "read")
    return LensResult(
        request=request,
        model=lm.card(),
        tokens=list(tokens.labels),
        roles=list(tokens.roles),
        answer=answer_word(lm, tokens, answer, request.answer),
        lens=lens,
        words={str(i): word for i, word in zip(unique, lm.said(tokens, unique), strict=True)},
        provenance=provenance(time.perf_counter() - started),
    )
