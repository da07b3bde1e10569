"""The model goes on from a person's own prompts, as it was trained and with edits over it, side by side.

Both sides draw from generators of the same seed, so where they part it is because of the edits.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.forward.generation import continued
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from editors.edit.apply import card_over, written_over
from editors.edit.edit import Edit
from editors.generation.result import Generated, GenerateRequest

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@framed
def generate(
    lm: "LanguageModel", request: GenerateRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> Generated:
    """Continue every prompt of `request` without and with the edits of `stack`; partial results are told word by word.

    Raises `PromptTooLong` for a prompt the model cannot read, `BadRequest` for edits of other weights.

    Args:
        lm: a loaded model; left as it was.
        request: prompts, how many tokens, and how they are drawn.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits that are on, lowest first.
    Returns:
        The texts without and with the edits.
    Example:
        >>> from editors import GenerateRequest
        >>> asked = GenerateRequest(prompt=("The Eiffel Tower is located in the city of",), tokens=1)
        >>> [text.strip() for text in generate(lm, asked, stack=[edit]).after]
        ['Rome']
    """
    started = time.perf_counter()
    sides = ((), tuple(stack)) if stack else ((),)
    texts: tuple[list[str], list[str]] = ([], [])
    model = card_over(lm, stack)
    total = len(request.prompt) * len(sides) * request.tokens
    for prompt in request.prompt:
        lm.encode(prompt)

    def result() -> Generated:
        titles = [edit.title for edit in stack]
        told = provenance(time.perf_counter() - started)
        return Generated(request, model, titles, list(texts[0]), list(texts[1]), told)

    for number, prompt in enumerate(request.prompt):
        for side, edits in enumerate(sides):
            texts[side].append("")
            before = (number * len(sides) + side) * request.tokens
            with written_over(lm, edits):
                for step, text in enumerate(continued(lm, prompt, request.tokens, seed=request.seed), start=1):
                    texts[side][number] = text
                    report(before + step, total, "words", result())
    return result()
