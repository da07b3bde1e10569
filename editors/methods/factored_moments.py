"""Second moments factored once: every edit of a model solves with the same matrices, and a factor takes seconds."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from analysis.free_memory import free_bytes
from analysis.moments.second_moments import Moments
from editors.methods.closed_forms import Freedom, Inverse, freedom

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

Factor = TypeVar("Factor")
SHARE = 0.1
"""Part of the free memory one layer's factor may take to be kept."""


def inverse_of(lm: "LanguageModel", moments: Moments) -> Inverse:
    """C⁻¹ of one layer, kept with the model; raises as `Inverse`."""
    return _kept(lm, ("inverse", moments.id), moments, lambda: Inverse(moments.matrix))


def freedom_of(lm: "LanguageModel", moments: Moments, protect: float) -> Freedom:
    """The free directions of one layer, kept with the model; raises as `freedom`."""
    return _kept(lm, ("freedom", moments.id, protect), moments, lambda: freedom(moments.matrix, protect))


def refreshed_freedom(
    lm: "LanguageModel", moments: Moments, protect: float, written: tuple[Any, ...], moment: Callable[[], Tensor]
) -> Freedom:
    """The free directions of what `moment` gives, kept with the model until other facts are `written`."""
    name = ("refreshed freedom", moments.id, protect)
    held: tuple[tuple[Any, ...], Freedom] | None = lm.memo.get(name)
    if held is not None and held[0] != written:
        del lm.memo[name]
    return _kept(lm, name, moments, lambda: (written, freedom(moment(), protect)))[1]


def _kept(lm: "LanguageModel", name: tuple, moments: Moments, make: Callable[[], Factor]) -> Factor:
    if name in lm.memo:
        return lm.memo[name]  # type: ignore[no-any-return]
    made = make()
    if 2 * moments.matrix.nbytes < SHARE * free_bytes(torch.device("cpu")):
        lm.memo[name] = made
    return made
