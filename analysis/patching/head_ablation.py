"""What the model says with heads silenced, scaled, or held at their mean: many choices of heads in one batch.

Silencing sets z to zero at all tokens, which is what zeroing the head's columns of W_O does. Below
the lowest head concerned nothing changes, so each choice begins at its own layer, from stored states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.forward.blocks import Frame, first_hidden
from analysis.forward.by_length import by_length
from analysis.internals.head_outputs import AT_ONCE, at_heads
from analysis.patching.path_patching import NUMBERS_AT_ONCE
from analysis.study import Report, silent
from analysis.text.tokens import Tokens

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

TOKENS_AT_ONCE = 4096
TOP = 5
Choice = Sequence[tuple[int, int]]
"""Heads, (layer, head) each."""


@dataclass(frozen=True)
class Said:
    """What the model says first under V choices of heads to n prompts."""

    probability: Tensor  # (V, n, A) of the answers
    top_ids: Tensor  # (V, n, TOP)
    top_probabilities: Tensor  # (V, n, TOP)


@torch.no_grad()
def said_without(
    lm: "LanguageModel",
    prompts: Sequence[Tokens],
    answers: Tensor,
    choices: Sequence[Choice],
    *,
    scale: float = 0.0,
    mean: Tensor | None = None,
    report: Report = silent,
) -> Said:
    """Ask n prompts with the heads of each choice scaled by `scale`; `answers` are ids (n, A).

    `mean` (L, H, d_head): held at these values instead (mean ablation), as far as the scale leaves room.
    """
    factors = torch.ones(len(choices), lm.n_layers, lm.n_heads)
    for row, choice in enumerate(choices):
        for layer, head in choice:
            factors[row, layer, head] = scale
    begins = [min((layer for layer, _ in choice), default=lm.n_layers) for choice in choices]
    order = sorted(range(len(choices)), key=lambda row: begins[row])
    top = min(TOP, lm.config.vocab_size)
    said = Said(
        torch.empty(len(choices), *answers.shape),
        torch.empty(len(choices), len(prompts), top, dtype=torch.long),
        torch.empty(len(choices), len(prompts), top),
    )
    groups = list(by_length(prompts, rows=AT_ONCE))
    for done, rows in enumerate(groups):
        report(done, len(groups), "prompts")
        ids = torch.tensor([prompts[row].ids for row in rows], device=lm.device)
        frame, states = Frame.of(lm, ids), [first_hidden(lm, ids)]
        for layer in range(lm.n_layers):
            states.append(frame.run(layer, states[-1]))
        at_once = max(1, TOKENS_AT_ONCE // ids.numel())
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            ends = _run(lm, frame, states, factors[some], [begins[row] for row in some], mean)
            _read(lm, ends, answers, rows, some, said)
    return said


def _run(
    lm: "LanguageModel", frame: Frame, states: list[Tensor], factors: Tensor, begins: list[int], mean: Tensor | None
) -> Tensor:
    """Final states at the last token, (choices, rows, d); choices are in order of their beginning."""
    rows = states[0].shape[0]
    running = [0]

    def act(layer: int, z: Tensor) -> Tensor | None:
        own = factors[: running[0], layer]
        if bool((own == 1).all()):
            return None
        own = own.to(z)[:, None, None, :, None]
        changed = z.unflatten(0, (running[0], rows)) * own
        if mean is not None:
            changed = changed + (1 - own) * mean[layer].to(z)
        return changed.flatten(0, 1)

    batch = states[0][:0]
    with at_heads(lm, act):
        for layer in range(begins[0], lm.n_layers + 1):
            joining = sum(begin == layer for begin in begins)
            if joining:
                batch = torch.cat((batch.to(states[layer].device), states[layer].repeat(joining, 1, 1)))
                running[0] += joining
            if layer < lm.n_layers:
                batch = frame.run(layer, batch)
    return batch[:, -1].unflatten(0, (len(begins), rows))


def _read(lm: "LanguageModel", ends: Tensor, answers: Tensor, rows: list[int], choices: list[int], said: Said) -> None:
    at_once = max(1, NUMBERS_AT_ONCE // (lm.config.vocab_size * len(rows)))
    for start in range(0, len(choices), at_once):
        some = torch.tensor(choices[start : start + at_once])
        probabilities = lm.readout(ends[start : start + at_once]).softmax(-1).cpu()
        own = answers[rows][None].expand(len(some), -1, -1)
        place = (some[:, None], torch.tensor(rows)[None])
        said.probability[place] = probabilities.gather(-1, own)
        top = probabilities.topk(said.top_ids.shape[-1], dim=-1)
        said.top_ids[place], said.top_probabilities[place] = top.indices, top.values
