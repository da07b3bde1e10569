"""Selective attention drift restriction: heads that turn to the subject more than any did before are held back.

A loss term of the search for a new value (Wang et al. 2025, SADR, section 5, and its code). Each
rewriting prompt has one row of attention that counts, that of its last token before the answer. Heads that look at the
subject's last token more than the layer's largest head did before the change pay the divergence of their whole row
from what it was. What it was comes from the search's own first step, where the change is zero: no second model, no
further forward. In the paper one loss; in its code the selective form needs a flag for ROME and is always on for
MEMIT and PMET. Here it is on unless all heads are asked for.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.attention import at_patterns

if TYPE_CHECKING:
    from analysis.model import LanguageModel

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
def watched(lm: "LanguageModel", above: int, ends: Tensor) -> Iterator[dict[int, Tensor]]:
    """Collect, of every layer higher than `above`, the rows of attention at `ends` (rows,): (rows, heads, keys).

    A change made in layer `above` leaves its attention, and all below, as it was.
    """
    rows: dict[int, Tensor] = {}

    def keep(layer: int, pattern: Tensor) -> None:
        if layer > above:
            here = ends.to(pattern.device)
            rows[layer] = pattern[torch.arange(len(here), device=pattern.device), :, here].float()

    with at_patterns(lm, keep):
        yield rows


def restraint(
    before: dict[int, Tensor],
    now: dict[int, Tensor],
    column: int,
    *,
    selective: bool,
    epsilon: float,
    to: Callable[[Tensor], Tensor],
) -> Tensor:
    """The sum over layers of `divergence`, (rows,); `to` puts a layer's part where the sum stands."""
    parts = [
        to(divergence(before[layer], rows, column, selective=selective, epsilon=epsilon)) for layer, rows in now.items()
    ]
    return torch.stack(parts).sum(0)
