"""The lens with its norm held still: how much each vector adds to the answer's log-probability.

Yu & Ananiadou, 2312.12141, section 3: the scale of the last norm is that of the final state, the norm's
bias is left out, the head's own bias kept. Reading is then linear, so many vectors are told apart by one
product with the unembedding.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from analysis.errors import BadRequest
from analysis.internals.frozen_norm import FrozenNorm

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

ROWS, WORDS = 512, 4096
"""Vectors and vocabulary entries in one product: small enough that what is made of it is still in the cache."""
LARGE = 60.0
"""Change of a logit above which exp is no longer taken directly."""


class FrozenLens:
    """Reads vectors of the residual stream at the last position; `answer` is the token scored."""

    def __init__(self, lm: "LanguageModel", final: Tensor, answer: int, *, look: Callable[[], None] = lambda: None):
        """`final` (d_model,) is the last block's output at the position scored; `look` is called between products."""
        self._look = look
        steps = list(lm.readout.steps)
        plain = [getattr(step, "original_component", step) for step in steps]
        matrices = [module for module in plain if isinstance(module, nn.Linear | Conv1D)]
        norm = steps[0] if plain[0] is not matrices[0] else None
        head = matrices[-1]
        device = head.weight.device
        self.norm = FrozenNorm.of(norm, final.to(device))
        self.unembedding = head.weight.detach().float() * lm.readout.scale  # (vocabulary, d)
        for module in reversed(matrices[:-1]):
            self.unembedding = self.unembedding @ module.weight.detach().float()
        self.bias = None if head.bias is None else head.bias.detach().float() * lm.readout.scale
        self.cap = lm.readout.soft_cap
        self.answer = answer

    @property
    def device(self) -> torch.device:
        """Device of the unembedding."""
        return self.unembedding.device

    def logits(self, x: Tensor) -> Tensor:
        """Logits (…, vocabulary) of vectors (…, d_model), the head's bias and soft cap included."""
        return self._capped(self.changes(x) + (0 if self.bias is None else self.bias))

    def changes(self, x: Tensor) -> Tensor:
        """Linear part of the reading, (…, vocabulary), for vectors (…, d_model)."""
        return self.norm(x.to(self.device, torch.float32)) @ self.unembedding.T

    def _capped(self, logits: Tensor) -> Tensor:
        return self.cap * torch.tanh(logits / self.cap) if self.cap else logits

    def log_probability(self, x: Tensor) -> Tensor:
        """lp(x) = log softmax of the reading at the answer, (…)."""
        return self.logits(x).log_softmax(-1)[..., self.answer]

    @torch.no_grad()
    def gains(self, base: Tensor, vectors: Tensor) -> Tensor:
        """lp(base + vector) − lp(base) for every row of `vectors` (n, d_model), exactly; `base` is (d_model,).

        With p the reading of the base and z the change of the logits it is z[answer] − log Σ p exp(z): small gains
        keep their digits, as no two large numbers are subtracted.
        """
        logits = self.changes(base) + (0 if self.bias is None else self.bias)
        inner = self.norm(vectors.to(self.device, torch.float32))
        if self.cap:
            before = self._capped(logits).log_softmax(-1)[self.answer]
            read = [self._capped(logits + rows @ self.unembedding.T).log_softmax(-1) for rows in self._parts(inner)]
            return torch.cat([part[:, self.answer] for part in read]) - before
        p = logits.softmax(-1)
        own = inner @ self.unembedding[self.answer]
        bound = inner.norm(dim=1).max() * self.unembedding.norm(dim=1).max() if len(inner) else own.new_zeros(())
        if bound > LARGE and self._largest(inner) > LARGE:
            logs = logits.log_softmax(-1)
            parts = [torch.logsumexp(logs + rows @ self.unembedding.T, -1) for rows in self._parts(inner)]
            return own - torch.cat(parts)
        sums = torch.zeros_like(own)
        for first in range(0, len(p), WORDS):
            self._look()
            block, share = self.unembedding[first : first + WORDS].T, p[first : first + WORDS]
            for begin in range(0, len(inner), ROWS):
                sums[begin : begin + ROWS] += (inner[begin : begin + ROWS] @ block).exp_() @ share
        return own - sums.log()

    def _parts(self, rows: Tensor) -> Iterator[Tensor]:
        for part in rows.split(ROWS):
            self._look()
            yield part

    def _largest(self, inner: Tensor) -> float:
        return max(float((rows @ self.unembedding.T).max()) for rows in inner.split(ROWS))

    @torch.no_grad()
    def slope(self, base: Tensor) -> Tensor:
        """∇lp at the base, (d_model,): no gain is larger than slope · vector, as lp is concave.

        Raises `BadRequest` where a soft cap makes it not concave.
        """
        if self.cap:
            raise BadRequest("This model's logits are softly capped, so no bound proves a screening. Take mode exact.")
        p = (self.changes(base) + (0 if self.bias is None else self.bias)).softmax(-1)
        direction = self.unembedding[self.answer] - p @ self.unembedding
        return self.norm.pulled(direction) / self.norm.scale

    def words(self, vectors: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids a vector raises most and lowers most, each (n, count)."""
        with torch.no_grad():
            read = self.changes(vectors)
            return read.topk(count).indices.cpu().numpy(), (-read).topk(count).indices.cpu().numpy()
