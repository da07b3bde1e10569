"""What an edit keeps of its facts so that it can be solved anew with others: keys, and what each was to be given.

Where every change is the least-squares answer to its keys and residuals, a stack of them is one more such answer
(recursive least squares): S = R Kᵀ (M₀ + K Kᵀ)⁻¹ over all pairs, whatever their order and however they were cut into
edits. So an edit that keeps its pairs can be switched off, moved or replaced by solving the rest again.

Plain numbers in float64; nothing here reads a model.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Keys and residuals of n facts at one matrix, under a normal matrix M₀ = λC + μI."""

    units: ClassVar[dict[str, str]] = {
        "keys": "activation", "whitened": "activation", "residuals": "activation", "weight": "weight",
        "anchor": "energy of a key's dimension",
    }  # fmt: skip
    keys: np.ndarray  # (d_k, n) float64
    whitened: np.ndarray  # (d_k, n) float64: M₀⁻¹ keys
    residuals: np.ndarray  # (d, n) float64: wanted minus what the matrix gives without any of the pairs' changes
    weight: float  # λ
    anchor: float  # μ
    normal: str  # hash of M₀: pairs of the same can be solved together

    @property
    def n(self) -> int:
        """Pairs."""
        return self.keys.shape[1]

    def content(self) -> bytes:
        """Hash of all of it: part of the id of the edit that holds them."""
        digest = hashlib.sha256(f"{self.normal}|{self.weight!r}|{self.anchor!r}|".encode())
        for array in (self.keys, self.whitened, self.residuals):
            digest.update(f"{array.shape}|".encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.digest()


def joined(parts: Sequence[Pairs]) -> Pairs:
    """All pairs as one; they must share M₀."""
    first = parts[0]
    if any(part.normal != first.normal for part in parts):
        raise ValueError("pairs of different normal matrices cannot be joined")
    if len(parts) == 1:
        return first
    keys, whitened, residuals = (
        np.concatenate([getattr(part, name) for part in parts], 1) for name in ("keys", "whitened", "residuals")
    )
    return Pairs(keys, whitened, residuals, first.weight, first.anchor, first.normal)


def solved_rows(keys: np.ndarray, whitened: np.ndarray) -> np.ndarray:
    """(M₀ + K Kᵀ)⁻¹ K turned round, (n, d_k), as (I + Kᵀ M₀⁻¹ K)⁻¹ (M₀⁻¹ K)ᵀ: n equations in place of d_k."""
    gram = keys.T @ whitened
    return np.linalg.solve(np.eye(len(gram)) + (gram + gram.T) / 2, whitened.T)


def solved_factors(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """S = left (d, n) @ right (n, d_k): the change that answers all pairs together."""
    return pairs.residuals, solved_rows(pairs.keys, pairs.whitened)


def upon(below: Pairs | None, keys: np.ndarray, whitened: np.ndarray) -> np.ndarray:
    """Right factor (n, d_k) of the change that new keys add to what the pairs below have written.

    One step of the recursion: (M₀ + K_b K_bᵀ + K Kᵀ)⁻¹ K turned round.
    """
    if below is None:
        return solved_rows(keys, whitened)
    both = solved_rows(np.concatenate((below.keys, keys), 1), np.concatenate((below.whitened, whitened), 1))
    return both[below.n :]
