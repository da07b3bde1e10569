"""UltraEdit (2505.14679) and StableEdit (2605.11836): a batch of facts from one way back, without search or subject.

Every token an answer is predicted from is an equation: its key shall write what its gradient asks for. Both are made
comparable first, by the mean and spread of many such tokens, and all are solved together by least squares.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.study import Report, stretch
from editors.edit.edit import Found, LayerChange
from editors.edit.layer_change import layer_change
from editors.edit.request import EditRequest
from editors.edit.weight_overlay import Overlay
from editors.methods.answer_signals import Signals, signals
from editors.methods.closed_road import Written
from editors.methods.past_keys import PastKeys
from editors.methods.search.stored_rewrites import stored_rewrites
from editors.methods.search.target_search import unreached
from editors.methods.search.token_rows import Row, rows_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

SMALLEST = 1e-6
"""Eigenvalues of the gradients' covariance are at least that share of the largest; the code takes 1e-6 itself."""


@dataclass(frozen=True)
class Spread:
    """Mean and spread of keys (d_k,) and gradients (d,) over `tokens` tokens; `whitening` (d, d) where it is known."""

    key: tuple[Tensor, Tensor]
    gradient: tuple[Tensor, Tensor]
    tokens: int
    whitening: Tensor | None

    def values(self, keys: Tensor, gradients: Tensor, rate: float) -> Tensor:
        """What each key shall write, (T, d): down its gradient, the further the more it stands out."""
        mean, deviation = self.key
        apart = ((keys - mean) / deviation).square().sum(1, keepdim=True)
        centred = gradients - self.gradient[0]
        asked = centred / self.gradient[1] if self.whitening is None else centred @ self.whitening
        return -rate * apart * asked


def spread_of(keys: Tensor, gradients: Tensor, *, whitened: bool) -> Spread:
    """Of T tokens; whitened where there are more than d + 1 of them (StableEdit), else by each dimension's own."""
    tokens, width = gradients.shape
    whitening = None
    if whitened and tokens > width + 1:
        centred = gradients - gradients.mean(0)
        values, vectors = torch.linalg.eigh(centred.T @ centred / (tokens - width - 1))
        whitening = vectors * values.clamp_min(SMALLEST * float(values.max())).rsqrt() @ vectors.T
    return Spread(_moments(keys), _moments(gradients), tokens, whitening)


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    deviation = rows.std(0)
    return rows.mean(0), deviation.clamp_min(1e-6 * float(deviation.max().clamp_min(1e-30)))


def solved(keys: Tensor, values: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Δ = left (d, T) @ right (T, d_k), the least squares of Δ k = v with `ridge` ‖Δ‖²: Vᵀ (K Kᵀ + ridge I)⁻¹ K."""
    normal = keys @ keys.T + ridge * torch.eye(len(keys), dtype=keys.dtype)
    return values.T, torch.cholesky_solve(keys, torch.linalg.cholesky(normal))


def ultra(
    lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
) -> Callable[[], Written]:
    """UltraEdit, as `Method.write`."""
    return _InOne(lm, request, report, whitened=False).run


def stable(
    lm: "LanguageModel", request: EditRequest, report: Report, past: PastKeys | None = None
) -> Callable[[], Written]:
    """StableEdit, as `Method.write`: gradients whitened, and more of a ridge."""
    return _InOne(lm, request, report, whitened=True).run


class _InOne:
    """One write. Tokens of stored facts are read first, so that the first batch has a mean and a spread.

    Not followed of the published codes: keys counted by batches rounded up and gradients rounded down, one normaliser
    for all matrices of a shape, a spread of one token (which is none), and facts of a warm-up that stay written.
    """

    def __init__(self, lm: "LanguageModel", request: EditRequest, report: Report, *, whitened: bool):
        self.lm, self.request, self.report, self.whitened = lm, request, report, whitened
        self.layers = request.layers or ()
        self.rows = _bare(rows_of(lm, request.facts, ()))
        self.before = self._warm_up()

    def _warm_up(self) -> Signals | None:
        count = self.request.warm_up or 0
        if not count:
            return None
        known = ("answer signals", self.layers, count, self.lm.framing_key)
        if known not in self.lm.memo:
            _, rows = stored_rewrites(self.lm, count)
            self.lm.memo[known] = signals(
                self.lm, _bare(rows), self.layers, stretch(self.report, 0.0, 0.8, "stored facts read")
            )
        return self.lm.memo[known]  # type: ignore[no-any-return]

    def run(self) -> Written:
        """Read the facts, solve each layer, and ask what became of them."""
        now = signals(self.lm, self.rows, self.layers, stretch(self.report, 0.8, 0.9, "prompts read"))
        changes, warnings = [], []
        with Overlay(self.lm) as written:
            for layer in self.layers:
                change, spread = self._solved(now, layer)
                changes.append(change)
            for change in changes:
                written.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))
            told = stretch(self.report, 0.9, 1.0, "asking what became of it")
            after = signals(self.lm, self.rows, self.layers[-1:], told, said=now.said)
        if self.whitened and spread.whitening is None:
            warnings.append(
                f"Gradients are divided by each dimension's own spread: to whiten {self.lm.d_model} dimensions takes "
                f"more than {self.lm.d_model + 1} tokens, and there are {spread.tokens}. Take a longer warm_up."
            )
        return changes, *self._told(now, after, warnings)

    def _solved(self, now: Signals, layer: int) -> tuple[LayerChange, Spread]:
        keys, gradients = now.keys[layer].double(), now.gradients[layer].double()
        parts = [now] if self.before is None else [self.before, now]
        seen = [torch.cat([part.keys[layer] for part in parts]), torch.cat([part.gradients[layer] for part in parts])]
        if len(seen[0]) < 2:
            raise BadRequest("One token has no spread to be measured by. Write more facts together, or take a warm_up.")
        spread = spread_of(seen[0].double(), seen[1].double(), whitened=self.whitened)
        values = spread.values(keys, gradients, self.request.rate or 0.0)
        left, right = solved(keys, values, self.request.batch_ridge or 0.0)
        return layer_change(self.lm, layer, left, right), spread

    def _told(self, now: Signals, after: Signals, warnings: list[str]) -> tuple[Found, list[str]]:
        count = len(self.request.facts)
        loss = np.stack([_by_fact(one, count) for one in (now, after)])
        unknown = [float("nan")] * count
        former = np.stack([one.former.double().numpy() for one in (now, after)])
        found = Found(loss, np.exp(-loss), former, unknown, unknown, float("nan"), statistics=[])
        return found, [*warnings, *unreached(self.request, found.probability[1:])]


def _bare(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.bare]


def _by_fact(found: Signals, count: int) -> np.ndarray:
    """Mean negative log-probability of each fact's answer, (n,)."""
    sums = torch.zeros(count).index_add(0, found.facts, -found.likelihood)
    return (sums / torch.bincount(found.facts, minlength=count)).double().numpy()
