"""Attention drift over the test prompts of edits, task by task, and what setting attention back does to each.

Wang et al. 2025 (SADR), sections 3 and 4: the more a head turned to the edited subject, the more the right answer
loses.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analysis.errors import BadRequest, WorkbenchError
from analysis.forward.blocks import Frame, first_hidden
from analysis.forward.packed_weights import packed
from analysis.patching.attention_patching import Heads, Reading, patched, read
from analysis.study import Report, provenance, silent
from analysis.text.framing import framed
from analysis.text.tokens import Tokens, answer_token, find_own, token_range
from editors.attention_drift.result import DriftsRequest, DriftsResult
from editors.attention_drift.run import NO_EDIT_ON
from editors.attention_drift.tasks import prompts_of
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.probes import Probe
from editors.scoring.probe_answers import answerable, ask

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@dataclass(frozen=True)
class _Case:
    """A test prompt in its place; `key` is the edited subject's last token."""

    task: str
    probe: Probe
    tokens: Tokens
    key: int


@framed
def drifts(
    lm: "LanguageModel", request: DriftsRequest, report: Report = silent, *, stack: Sequence[Edit] = ()
) -> DriftsResult:
    """Drift over the test prompts of the edits in `stack`, and what setting attention back does to each.

    Set back are the `request.heads` heads that turned to the subject most, as many random heads of the same layers,
    and all heads. Raises `BadRequest` where no test prompts are stored for the facts of the edits.

    Args:
        lm: a loaded model; left as it was.
        request: how many heads are set back, and how many random draws beside them.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        stack: edits that are on, lowest first.
    Returns:
        Of each test prompt its drift, and what is said with heads set back.
    Source:
        Wang et al. 2025 (SADR).
    Example:
        >>> from editors import DriftsRequest
        >>> drifts(lm, DriftsRequest(heads=1), stack=[edit]).request.heads
        1
    """
    started = time.perf_counter()
    if not stack:
        raise BadRequest(NO_EDIT_ON)
    cases, skipped = _cases(lm, request, stack)
    if not cases:
        raise BadRequest(
            "No test prompts are stored for the facts of these edits. Pick a stored fact, or give a prompt of your own."
        )
    probes = [case.probe for case in cases]
    draw = np.random.default_rng(request.seed)
    before, after, first = [], [], []
    with packed(lm):
        report(0, len(cases), "prompts")
        answers = [ask(lm, probes)]
        report(0, len(cases), "prompts")
        with written_over(lm, stack):
            card = lm.card()
            answers.append(ask(lm, probes))
        for number, case in enumerate(cases):
            report(number, len(cases), "prompts")
            ids = case.tokens.tensor(lm.device)
            frame, hidden = Frame.of(lm, ids), first_hidden(lm, ids)
            base = read(frame, hidden)
            before.append(_towards(base, case.key))
            with written_over(lm, stack):
                edited = read(frame, hidden)
                after.append(_towards(edited, case.key))
                patches = _choices(after[-1] - before[-1], request.heads, draw)
                last = patched(frame, edited.passage, base.patterns, patches)
                with torch.inference_mode():
                    said = torch.cat((base.logits[None], edited.logits[None], lm.readout(last)))
            token = answer_token(lm.tokenizer, case.tokens, case.probe.old)
            first.append(said.softmax(-1)[:, token].cpu().numpy())
    report(len(cases), len(cases), "prompts")
    return DriftsResult(
        request=request,
        model=card,
        task=[case.task for case in cases],
        fact=[probe.fact for probe in probes],
        prompt=[probe.prompt for probe in probes],
        right=[probe.old for probe in probes],
        wrong=[probe.new for probe in probes],
        right_probability=np.stack([one.old for one in answers], 1),
        wrong_probability=np.stack([one.new for one in answers], 1),
        before=np.stack(before),
        after=np.stack(after),
        first=np.stack(first),
        skipped=skipped,
        provenance=provenance(time.perf_counter() - started),
    )


def _cases(lm: "LanguageModel", request: DriftsRequest, stack: Sequence[Edit]) -> tuple[list[_Case], list[str]]:
    """The test prompts of the tasks asked for, and a sentence for each that cannot be read."""
    cases, skipped = [], []
    for item in prompts_of(stack):
        if item.task not in request.tasks:
            continue
        if not answerable(lm, [item.probe]):
            skipped.append(f"{item.probe.prompt}: this tokenizer cannot read it")
            continue
        tokens = lm.encode(item.probe.prompt)
        try:
            start, end = find_own(tokens, item.subject, occurrence=0)
            cases.append(_Case(item.task, item.probe, tokens, token_range(tokens, start, end)[1] - 1))
        except WorkbenchError as error:
            skipped.append(f"{item.probe.prompt}: {error}")
    return cases, skipped


def _towards(reading: Reading, key: int) -> np.ndarray:
    """Attention of every head from the last token to `key`, (L, H)."""
    return torch.stack([pattern[0, :, -1, key].float().cpu() for pattern in reading.patterns]).numpy()


def _choices(drift: np.ndarray, count: int, draw: np.random.Generator) -> list[Heads]:
    """The heads that drifted most, random ones of the same layers, all."""
    layers, heads = drift.shape
    most = [divmod(int(flat), heads) for flat in np.argsort(drift, axis=None)[::-1][:count]]
    chosen: Heads = {}
    for layer, head in most:
        chosen[layer] = (*chosen.get(layer, ()), head)
    chance: Heads = {
        layer: tuple(int(head) for head in draw.choice(heads, len(own), replace=False)) for layer, own in chosen.items()
    }
    return [chosen, chance, dict.fromkeys(range(layers), tuple(range(heads)))]
