"""Path patching of every head to the logits, all other heads frozen, MLPs and norms recomputed.

One head at a time gives at the last token what it gives in a corrupted prompt; every other head
gives what it gives in the clean one (Wang et al. 2022, reference code: q, k, v frozen, MLPs not).
With all heads frozen nothing but the last token can change, so attention is never computed again:
each block runs on single tokens, all heads of all prompts in one batch, joining at their layers.
That is the full frozen forward, exactly, in every family, since each block's own code runs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.forward.architecture import from_token
from analysis.forward.blocks import PrefixCache, call_block
from analysis.internals.head_outputs import Endings, attention_given, given
from analysis.study import Report, silent

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS_AT_ONCE = 8192
"""Runs that travel together."""
NUMBERS_AT_ONCE = 1 << 25
"""Logits held at one time."""


@dataclass(frozen=True)
class Patched:
    """What the answers are worth with one head patched; n prompts, A answers each, L layers, H heads."""

    log_probability: Tensor  # (n, L, H, A)
    logit: Tensor  # (n, L, H, A)
    clean_log_probability: Tensor  # (n, A)
    clean_logit: Tensor  # (n, A)

    @property
    def relative(self) -> Tensor:
        """Change of each answer's probability as a share of what it was, (n, L, H, A)."""
        return (self.log_probability - self.clean_log_probability[:, None, None]).expm1()

    @property
    def logit_difference(self) -> Tensor:
        """Change of logit(second answer) − logit(first), (n, L, H)."""
        change = self.logit - self.clean_logit[:, None, None]
        return change[..., 1] - change[..., 0]


@torch.no_grad()
def patched_heads(
    lm: "LanguageModel",
    clean: Endings,
    corrupted: Tensor,
    answers: Tensor,
    report: Report = silent,
    parts: list[tuple[Tensor, ...]] | None = None,
) -> Patched:
    """Patch every head of every prompt by itself, from `corrupted` z (L, n, H, d_head); `answers` are ids (n, A).

    Prompts travel in batches, none of which is taken apart; `parts` are those that ran before, and grow.
    """
    count = clean.z.shape[1]
    at_once = max(1, ROWS_AT_ONCE // (lm.n_layers * lm.n_heads))
    parts = [] if parts is None else parts
    for start in range(len(parts) * at_once, count, at_once):
        report(start, count, "prompts")
        rows = slice(start, min(count, start + at_once))
        parts.append(_some(lm, clean.part(rows), corrupted[:, rows], answers[rows]))
    return Patched(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _some(lm: "LanguageModel", clean: Endings, corrupted: Tensor, answers: Tensor) -> tuple[Tensor, ...]:
    layers, count, heads, _ = clean.z.shape
    running = torch.empty(0, count, heads, lm.d_model)
    outputs: dict[int, Tensor] = {}
    own = torch.arange(heads)
    with attention_given(lm, outputs):
        for layer in range(layers):
            device = lm.block_devices[layer]
            z = clean.z[layer].to(device)
            patched = z[:, None].repeat(1, heads, 1, 1)
            patched[:, own, own] = corrupted[layer].to(device)
            held = given(lm, layer, z)[None, :, None].expand(layer, -1, heads, -1)
            outputs[layer] = torch.cat((held, given(lm, layer, patched)[None])).flatten(0, 2)[:, None]
            joining = clean.hidden[layer].to(device)[None, :, None].expand(1, -1, heads, -1)
            rows = torch.cat((running.to(device, joining.dtype), joining)).flatten(0, 2)[:, None]
            arguments = from_token(clean.arguments[layer], clean.length - 1, device)
            running = call_block(lm, layer, rows, arguments, PrefixCache()).unflatten(0, (-1, count, heads))[..., 0, :]
    wanted = answers[None, :, None].expand(layers, -1, heads, -1)
    log, logit = read_answers(lm, running.flatten(0, 2), wanted.flatten(0, 2))
    log_clean, logit_clean = read_answers(lm, clean.hidden[-1], answers)
    shape = (layers, count, heads, answers.shape[-1])
    log, logit = (value.view(shape).transpose(0, 1) for value in (log, logit))
    same = (corrupted == clean.z).all(-1).transpose(0, 1)[..., None]  # a head that gives the same changes nothing
    return (
        torch.where(same, log_clean[:, None, None], log),
        torch.where(same, logit_clean[:, None, None], logit),
        log_clean,
        logit_clean,
    )


def read_answers(lm: "LanguageModel", hidden: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities and logits (rows, A) of answer ids (rows, A) after final states (rows, d_model)."""
    logs, logits = [], []
    at_once = max(1, NUMBERS_AT_ONCE // lm.config.vocab_size)
    for rows, ids in zip(hidden.split(at_once), answers.split(at_once), strict=True):
        whole = lm.readout(rows)
        ids = ids.to(whole.device)
        logits.append(whole.gather(-1, ids).cpu())
        logs.append(whole.log_softmax(-1).gather(-1, ids).cpu())  # logsumexp loses a digit over a large vocabulary
    return torch.cat(logs), torch.cat(logits)
