"""Fine-tuning of one output matrix, held close to what it was: the baseline closed forms are compared with.

Zhu et al., 2012.00363; FT+L of ROME, section 3.3 and appendix D: Adam on the whole matrix for the log-probability of
the new answer, no weight further than ε from where it stood. Below the layer nothing changes, so
every step begins at the layer.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analysis.forward.blocks import Frame, first_hidden, record
from analysis.internals.key_value_memory import output_matrix
from analysis.study import Report, silent
from editors.edit.edit import Found
from editors.edit.layer_change import layer_change
from editors.edit.request import EditRequest
from editors.methods.closed_road import Written
from editors.methods.past_keys import PastKeys
from editors.methods.search.sadr import restraint, searched, watched
from editors.methods.search.target_search import SoFar, said_at_first, unreached
from editors.methods.search.token_rows import Row, rows_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


@dataclass(frozen=True)
class Tuned:
    """A change found by fine-tuning; n facts, at most `steps` forwards."""

    change: Tensor  # (d, d_k)
    loss: np.ndarray  # (steps, n)
    probability: np.ndarray  # (steps, n) geometric mean over the answer's tokens
    former: np.ndarray  # (steps, n) of what the model said at first


def tuning(
    lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
) -> Callable[[], Written]:
    """Fine-tuning, as `Method.write`."""
    return partial(tuned, lm, request, report)


def tuned(lm: "LanguageModel", request: EditRequest, report: Report) -> Written:
    """Changes, how they were found, and warnings, for a settled request; the model is as before at the end.

    The change has full rank, so it is kept as a product with the identity: exact, and one form serves all edits.
    """
    layer = (request.layers or (0,))[-1]
    made = finetune(lm, rows_of(lm, request.facts, ()), layer, request, report)
    changes = [layer_change(lm, layer, torch.eye(len(made.change)), made.change)]
    unknown = [math.nan] * len(request.facts)
    found = Found(made.loss, made.probability, made.former, unknown, unknown, math.nan, statistics=[])
    return changes, found, unreached(request, made.probability)


def finetune(
    lm: "LanguageModel", rows: Sequence[Row], layer: int, request: EditRequest, report: Report = silent
) -> Tuned:
    """Tune the output matrix of `layer` on the bare prompts of `rows`; `request` must be settled.

    The loss of a fact is the mean negative log-probability of its answer's tokens, and the restraint of attention on
    its bare prompt where `sadr` asks for it; all facts share the matrix and are tuned together until each loss is below
    `enough`, or the steps are used up.
    """
    bare = [row for row in rows if row.bare]
    matrix = output_matrix(lm, layer)
    change = torch.zeros_like(matrix.weight, dtype=torch.float32)
    bound = bound_of(matrix.weight, request)
    first, second = torch.zeros_like(change), torch.zeros_like(change)
    starts = [_start(lm, row, layer) for row in bare]
    spoken = lm.readout.device(lm.block_devices[-1])
    wanted = [torch.tensor(row.targets, device=spoken)[:, None] for row in bare]
    ends = [torch.tensor([row.first], device=lm.block_devices[-1]) for row in bare]
    losses, probabilities, formers = [], [], []
    said: list[Tensor] = []  # of each fact, the token it was answered with at first
    names: list[tuple[str, str]] = []
    steps = searched(request)
    vanilla: dict[int, dict[int, Tensor]] = {}
    for step in range(steps):
        change.requires_grad_(True)
        told: list[Tensor] = []  # of each fact: loss, negative log-probability, probability of what was said at first
        gradient = torch.zeros_like(change)
        for index, (row, (frame, hidden)) in enumerate(zip(bare, starts, strict=True)):
            attention: dict[int, Tensor] = {}
            with _added(matrix.module, change), watched(lm, layer, ends[index], attention, on=bool(request.sadr)):
                for block in range(layer, lm.n_layers):
                    hidden = frame.run(block, hidden)
            picks = [row.first + place for place in range(len(row.targets))]
            logs = lm.readout(hidden[0, picks]).log_softmax(-1)
            likely = logs.gather(1, wanted[index]).mean()
            own = -likely
            if request.sadr and attention:
                norm = vanilla.setdefault(index, {at: rows.detach() for at, rows in attention.items()})
                own = own + request.sadr * restraint(norm, attention, row.start, request).to(own.device)[0]
            gradient += torch.autograd.grad(own, change)[0]
            if step == 0:
                said.append(logs[0].detach().argmax())
            former = logs[0].detach().gather(0, said[index][None])[0].exp()
            told.append(torch.stack((own.detach(), -likely.detach(), former)))
        loss, score, formerly = torch.stack(told).cpu().unbind(1)  # the one transfer of a step
        losses.append(loss.numpy())
        probabilities.append((-score).exp().numpy())
        formers.append(formerly.double().numpy())
        if not names:
            at_first = torch.stack(said).tolist()
            names = said_at_first(lm, list(zip(request.facts, at_first, strict=True)))
        report(step + 1, steps, "steps of fine-tuning", SoFar(np.array(probabilities), np.array(formers), names, steps))
        change = change.detach()
        if bool((loss < request.enough).all()) or step == steps - 1:
            break
        first.mul_(0.9).add_(gradient, alpha=0.1)
        second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        size = (second / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
        change = change - (request.rate or 5e-4) / (1 - 0.9 ** (step + 1)) * first / size
        change = change.clamp(-bound, bound)
    return Tuned(change.cpu(), np.array(losses), np.array(probabilities), np.array(formers))


def bound_of(weight: Tensor, request: EditRequest) -> float:
    """Furthest any weight may move: `norm`, or `norm_relative` times the root mean square of the matrix's weights."""
    if request.norm_relative is not None:
        return request.norm_relative * float(weight.detach().float().square().mean().sqrt())
    return request.norm or math.inf


@torch.no_grad()
def _start(lm: "LanguageModel", row: Row, layer: int) -> tuple[Frame, Tensor]:
    """What a row's run from `layer` on begins with: nothing below depends on the change."""
    ids = torch.tensor([row.ids], device=lm.device)
    frame = Frame.of(lm, ids)
    return frame, record(frame, first_hidden(lm, ids)).hidden[layer].clone()


@contextmanager
def _added(module: torch.nn.Module, change: Tensor) -> Iterator[None]:
    """Let a matrix stand as if `change` (d, d_k) were written over it."""

    def add(_: Any, args: tuple, output: Tensor) -> Tensor:
        return output + (args[0].to(change) @ change.T).to(output)

    handle = module.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()
