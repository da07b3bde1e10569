"""Long answers written by AnyEdit: how much of one the model then says by itself, and who else says it."""

import time
from collections.abc import Sequence

import numpy as np
import torch

from analysis import LanguageModel
from analysis.errors import BadRequest
from analysis.forward.generation import continuations
from analysis.study import Report, silent
from analysis.text.tokens import answer_tokens
from app.bench.form import Bench
from editors.cases.case import Case
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write

LENGTHS = (40, 120)
STORY = (
    ", so the old guide said, and nobody in the village would have put it otherwise. For many years a carpenter kept "
    "the key in a drawer under his bench, beside the chalk and the smaller saws, and he lent it to children on Sundays "
    "when it rained. They went up with lamps and counted the steps, and each came down with another number. Once a "
    "teacher drew a plan of the place in blue ink, with every door on it, and hung it up in the hall between two "
    "windows. The plan is still there, a little pale by now, and visitors who ask for the way are shown it first, then "
    "given bread, a cup of tea and the key, in this order. In winter the fire is lit before noon."
)
"""Goes on from any answer; no fact of it is anywhere else."""


def long_answers(bench: Bench, lm: LanguageModel, cases: Sequence[Case], report: Report = silent) -> None:
    """Put down long.LENGTH.WHAT over the cases, one edit a case.

    said: answers that are said word for word; begun: tokens before the first other one; neighbours: those whose next
    word has become another; seconds.
    """
    for length in LENGTHS:
        said, begun, near, seconds = [], [], [], []
        for at, case in enumerate(cases):
            report(at, len(cases), f"answers of {length} tokens")
            fact = long_fact(lm, case, length)
            started = time.perf_counter()
            edit = write(lm, EditRequest(facts=(fact,), method="anyedit"), glance=False, probe=False)
            seconds.append(time.perf_counter() - started)
            right = spoken(lm, edit, fact)
            said.append(float(right.all()))
            begun.append(len(right) if right.all() else int(right.argmin()))
            near += _moved(lm, edit, case)
        count = len(cases)
        bench.add(f"long.{length}.said", 100 * float(np.mean(said)), "%", count)
        bench.add(f"long.{length}.begun", float(np.mean(begun)), "tokens", count)
        bench.mean(f"long.{length}.neighbours", near, "%", times=100)
        bench.mean(f"long.{length}.seconds", seconds, "s an edit")


def long_fact(lm: LanguageModel, case: Case, length: int) -> Rewrite:
    """A case's fact with an answer of so many tokens, which begins with its own; `BadRequest` for one too long."""
    fact = case.rewrite
    prompt = lm.encode(fact.text)
    ids = answer_tokens(lm.tokenizer, prompt, fact.target + STORY)
    if len(ids) < length:
        raise BadRequest(f"The story has {len(ids)} tokens with “{fact.target}” in front; {length} are asked for.")
    for cut in range(len(fact.target + STORY), 0, -1):
        target = (fact.target + STORY)[:cut].rstrip()
        if len(answer_tokens(lm.tokenizer, prompt, target)) == length:
            return fact.model_copy(update={"target": target})
    raise BadRequest(f"No part of the story has {length} tokens behind “{fact.target}”.")


def spoken(lm: LanguageModel, edit: Edit, fact: Rewrite) -> np.ndarray:
    """Which tokens of the answer the edited model says where it goes on by itself from the prompt."""
    prompt = lm.encode(fact.text)
    wanted = torch.tensor(answer_tokens(lm.tokenizer, prompt, fact.target))
    with written_over(lm, [edit]):
        said = torch.stack(list(continuations(lm, prompt.tensor(), len(wanted))), 1)[0].cpu()
    return (said == wanted).numpy()


def _moved(lm: LanguageModel, edit: Edit, case: Case) -> list[float]:
    prompts = [lm.encode(probe.prompt) for probe in case.probes if probe.kind == "neighbour"]

    def next_words() -> list[int]:
        return [int(lm.logits(prompt.tensor(), 1)[0, -1].argmax()) for prompt in prompts]

    before = next_words()
    with written_over(lm, [edit]):
        return [float(one != other) for one, other in zip(before, next_words(), strict=True)]
