"""Before writing: can the edited key and a protected one be told apart at this layer at all?

The cosine in the metric of the text's second moment. Near 1, whatever is written for one is written for the other too,
and no weight of protection helps: another layer may (specification, feasibility before writing; a gate before writing
is also in 2606.01610).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.moments.second_moments import Moments
from editors.edit.request import Protected, Rewrite
from editors.methods.factored_moments import inverse_of
from editors.methods.search.last_token import keys_at_end
from editors.methods.search.token_rows import up_to_key

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def separability(factor: Tensor, key: Tensor, others: Tensor) -> Tensor:
    """cos_M(k, k_n) = kᵀM⁻¹k_n / √(kᵀM⁻¹k · k_nᵀM⁻¹k_n) of a key (d_k,) and others (d_k, m), (m,).

    `factor`: Cholesky of M. Near 1 the two cannot be told apart at this layer: what one is sent to, so is the other.
    """
    both = torch.linalg.solve_triangular(factor, torch.cat((key[:, None], others), 1), upper=False)
    own, theirs = both[:, 0], both[:, 1:]
    return own @ theirs / (own.norm() * theirs.norm(dim=0)).clamp_min(1e-300)


@dataclass(frozen=True)
class Nearest:
    """Of each layer, which protected subject stands nearest to a fact."""

    names: list[str]
    cosines: list[float]


def nearest(
    lm: "LanguageModel", fact: Rewrite, protected: Sequence[Protected], moments: Mapping[int, Moments], method: str
) -> Nearest | None:
    """How near subjects in their sentences are to a fact, at the layers of `moments`; None where none has a subject.

    Keys are those of the bare prompts, where the method has them; the metric is that of the text alone, before
    anything is protected.
    """
    named = [one for one in protected if one.subject]
    if not named:
        return None
    pieces = [up_to_key(lm, "", fact, method), *(up_to_key(lm, "", one, method) for one in named)]
    found = Nearest([], [])
    for layer, moment in moments.items():
        keys = keys_at_end(lm, pieces, layer).T
        cosines = separability(inverse_of(lm, moment).factor, keys[:, 0], keys[:, 1:])
        best = int(cosines.argmax())
        found.names.append(named[best].subject)
        found.cosines.append(float(cosines[best]))
    return found
