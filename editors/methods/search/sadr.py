"""Selective attention drift restriction: heads that turn to the subject more than any did before are held back.

A loss term of the search for a new value (Wang et al. 2025, SADR, section 5, and its code). Each
rewriting prompt has one row of attention that counts, that of its last token before the answer. Heads that look at the
subject's last token more than the layer's largest head did before the change pay the divergence of their whole row
from what it was. What it was comes from the search's own first step, where the change is zero: no second model, no
further forward. In the paper one loss; in its code the selective form needs a flag for ROME and is always on for
MEMIT and PMET. Here it is on unless all heads are asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.internals.attention_patterns import at_patterns
from editors.edit.request import EditRequest

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

EPSILON, HALF_EPSILON = 1e-8, 1e-7
"""Added to every weight of attention: the code's values for float32 and bfloat16, and for float16."""


def default_epsilon(dtype: torch.dtype) -> float:
    """The code's ε for a type of weights."""
    return HALF_EPSILON if dtype == torch.float16 else EPSILON


def divergence(before: Tensor, now: Tensor, column: int, *, selective: bool, epsilon: float) -> Tensor:
    """Σ over heads of KL(before ‖ now) of a row of attention, (rows,), for one layer.

    `before` and `now` are (rows, heads, keys); `selective`: only heads that attend to key `column` more than the
    largest of all heads did before, strictly. Which heads these are is decided anew at each call and not
    differentiated, so the sum jumps when one joins.
    """
    p, q = before + epsilon, now + epsilon
    each = (p * (p / q).log()).sum(-1)
    if selective:
        chosen = q[..., column] > p[..., column].amax(1, keepdim=True)
        each = torch.where(chosen, each, torch.zeros_like(each))
    return each.sum(-1)


@contextmanager
def watched(
    lm: "LanguageModel", above: int, ends: Tensor, rows: dict[int, Tensor], *, on: bool = True
) -> Iterator[None]:
    """Put into `rows`, of every layer higher than `above`, attention at `ends` (rows,): (rows, heads, keys).

    A change made in layer `above` leaves its attention, and all below, as it was. Unless `on`, nothing is hooked.
    """

    def keep(layer: int, pattern: Tensor) -> None:
        if layer > above:
            here = ends.to(pattern.device)
            rows[layer] = pattern[torch.arange(len(here), device=pattern.device), :, here].float()

    with at_patterns(lm, keep) if on else nullcontext():
        yield


def restraint(before: dict[int, Tensor], now: dict[int, Tensor], column: int, request: EditRequest) -> Tensor:
    """The sum over layers of `divergence`, (rows,), on the first layer's device."""
    first = next(iter(now.values()))
    epsilon = request.sadr_epsilon or default_epsilon(first.dtype)
    parts = [
        divergence(before[layer], rows, column, selective=request.sadr_selective, epsilon=epsilon).to(first.device)
        for layer, rows in now.items()
    ]
    return torch.stack(parts).sum(0)


def searched(request: EditRequest) -> int:
    """Steps a search may take: a restrained one, which ends later, may take some more."""
    return (request.steps or 1) + (request.sadr_steps if request.sadr else 0)
