"""When enough text has been read: second moments grow portion by portion until what they say of new text is steady.

A closed form writes u = C⁻¹k / kᵀC⁻¹k, and what an edit adds to a key it was not made for is in proportion to u · key.
With n keys of d dimensions behind C this is larger, in the mean square, than with endless text, about 1 / (1 - d/n)
times for Gaussian keys (Reed, Mallett & Brennan 1974), more for the uneven keys of a language model. The same factor
can be seen without endless text: keys of a new portion are, in the measure of what was read before, so many times as
long (kᵀC⁻¹k) as those C is made of. The direction of u alone is never steady: from five to ten keys a dimension it
still turns by a quarter of a right angle, and what edits do stays the same.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TOLERANCE = 2.0
"""Keys of new text may be so many times as long as keys that were read. On the embedded model this ends at four to five
tokens a dimension of ten, where edits add 6 to 11 % more to other text than at ten."""
LEAST = 3
"""Portions, of a token a dimension each, before this is asked."""
SAMPLE = 1024
"""Keys it is asked of, on either side."""
RIDGE = 1e-5
"""Times the mean eigenvalue, as closed forms add it."""


@dataclass
class Growing:
    """Second moments of one layer under way, with keys to ask."""

    total: Tensor  # sum of k kᵀ, (d_k, d_k) float64
    count: int
    seen: Tensor  # (at most SAMPLE, d_k) keys behind it

    def excess(self, fresh: Tensor) -> float:
        """How many times as long keys of new text, (n, d_k), are as those read, in the measure C⁻¹."""
        size = len(self.total)
        mean = self.total / self.count
        ridge = RIDGE * float(mean.trace()) / size
        factor, failed = torch.linalg.cholesky_ex(mean + ridge * torch.eye(size, dtype=mean.dtype))
        if failed.item():
            return float("inf")

        def long(keys: Tensor) -> float:
            return float(torch.linalg.solve_triangular(factor, keys.double().T, upper=False).square().sum(0).mean())

        return long(fresh) / long(self.seen)

    def add(self, total: Tensor, count: int, keys: Tensor) -> None:
        """Take a portion in."""
        self.total, self.count = self.total + total, self.count + count
        self.seen = few(torch.cat([self.seen, keys]))


def few(keys: Tensor) -> Tensor:
    """At most `SAMPLE` of the keys, evenly chosen."""
    return keys if len(keys) <= SAMPLE else keys[torch.linspace(0, len(keys) - 1, SAMPLE).long()]


def said(portions: int, excess: float) -> dict[str, Any]:
    """How it ended, as plain data for the statistics."""
    known = round(excess, 3) if math.isfinite(excess) else None
    return {"portions": portions, "excess": known, "tolerance": TOLERANCE, "steady": excess <= TOLERANCE}
